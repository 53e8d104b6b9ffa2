//! What is signed of a segment.

use std::fmt::Write;

use data_encoding::HEXLOWER;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use super::chain::{Hash, digest, hex, unhex};

const NAME: &str = "dragoman-head-1";

/// Where a segment ends, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub writer: String,
    /// From 1.
    pub segment: u64,
    pub first: u64,
    pub last: u64,
    /// The hash of the last record.
    pub hash: Hash,
    /// The root of the tree over the hashes of all its records.
    pub root: Hash,
    /// When it was closed; Unix milliseconds.
    pub at_ms: u64,
    /// The digest of the head before it, as it is written; zeros, before the first.
    pub before: Hash,
}

impl Head {
    /// `dragoman-head-1 <writer> <segment> <first> <last> <hash> <root> <at_ms> <before>`, which is what is signed.
    pub fn text(&self) -> String {
        let mut text = format!("{NAME} {} {} {} {}", self.writer, self.segment, self.first, self.last);
        let (hash, root, before) = (hex(&self.hash), hex(&self.root), hex(&self.before));
        // Writing to a string does not fail.
        let _ = write!(text, " {hash} {root} {} {before}", self.at_ms);
        text
    }

    /// The text, the public key and the signature (Ed25519, RFC 8032), separated by spaces.
    pub fn signed(&self, key: &Ed25519KeyPair) -> String {
        let text = self.text();
        let signature = HEXLOWER.encode(key.sign(text.as_bytes()).as_ref());
        format!("{text} {} {signature}", HEXLOWER.encode(key.public_key().as_ref()))
    }

    /// A head as it is written, and the key that it says it is signed with; `None` where it is none.
    pub fn read(line: &str) -> Option<(Self, Vec<u8>)> {
        let fields: Vec<&str> = line.split(' ').collect();
        let [name, writer, segment, first, last, hash, root, at_ms, before, key, _signature] =
            fields.as_slice()
        else {
            return None;
        };
        let head = Self {
            writer: (*writer).to_owned(),
            segment: segment.parse().ok()?,
            first: first.parse().ok()?,
            last: last.parse().ok()?,
            hash: unhex(hash)?,
            root: unhex(root)?,
            at_ms: at_ms.parse().ok()?,
            before: unhex(before)?,
        };
        let key = HEXLOWER.decode(key.as_bytes()).ok()?;
        (*name == NAME && line.starts_with(&head.text())).then_some((head, key))
    }

    /// Whether a head as it is written was signed with this key.
    pub fn is_signed(line: &str, public_key: &[u8]) -> bool {
        let Some((text, rest)) = line.rsplit_once(' ').and_then(|(left, signature)| {
            let (text, _) = left.rsplit_once(' ')?;
            Some((text, signature))
        }) else {
            return false;
        };
        let Ok(signature) = HEXLOWER.decode(rest.as_bytes()) else { return false };
        UnparsedPublicKey::new(&ED25519, public_key).verify(text.as_bytes(), &signature).is_ok()
    }

    /// What the next head says of this one, as it is written.
    pub fn digest(line: &str) -> Hash {
        digest(&[line.as_bytes()])
    }
}
