//! Whether a chain is as it was written.

use super::chain::{Hash, ZERO, link};
use super::head::Head;
use super::line::read_line;
use super::merkle::Tree;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub place: String,
    pub what: String,
}

/// What a chain comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// That are there, and whose hashes were computed.
    pub records: u64,
    pub taken_out: u64,
    /// Behind the last head: not signed yet.
    pub unsigned: u64,
    pub segments: u64,
    pub faults: Vec<Fault>,
}

/// A chain that is being verified, segment by segment.
pub struct Chain {
    writer: String,
    /// The key that heads have to be signed with; `None`: with whatever they say.
    public_key: Option<Vec<u8>>,
    hash: Hash,
    seq: u64,
    head: Hash,
    verified: Verified,
}

impl Chain {
    pub fn new(writer: &str, public_key: Option<&[u8]>) -> Self {
        Self {
            writer: writer.to_owned(),
            public_key: public_key.map(<[u8]>::to_vec),
            hash: ZERO,
            seq: 0,
            head: ZERO,
            verified: Verified::default(),
        }
    }

    /// The last record so far, and its hash.
    pub fn last(&self) -> (u64, Hash) {
        (self.seq, self.hash)
    }

    pub fn fault(&mut self, place: &str, what: impl Into<String>) {
        self.verified.faults.push(Fault { place: format!("{}/{place}", self.writer), what: what.into() });
    }

    /// The next segment, with the head that closes it; `None` where it has none yet.
    pub fn segment(&mut self, name: &str, bytes: &[u8], head: Option<&str>) {
        self.verified.segments += 1;
        let (first, mut tree, mut count) = (self.seq + 1, Tree::default(), 0);
        for (number, text) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
            let place = format!("{name}:{}", number + 1);
            match text.strip_suffix(b"\n") {
                Some(text) => self.line(&place, text, &mut tree),
                None => self.fault(&place, "the last line is cut off"),
            }
            count += 1;
        }
        match head {
            Some(line) => self.close(name, line, first, &tree),
            None => self.verified.unsigned += count,
        }
    }

    fn line(&mut self, place: &str, text: &[u8], tree: &mut Tree) {
        let Some(line) = read_line(text) else {
            self.fault(place, "is no line of an audit log");
            return;
        };
        if line.seq != self.seq + 1 {
            self.fault(place, format!("record {} follows record {}", line.seq, self.seq));
        }
        match line.record {
            Some(record) => {
                self.verified.records += 1;
                if link(&self.writer, line.seq, &self.hash, record) != line.hash {
                    self.fault(place, format!("record {} is not what it was, or not where it was", line.seq));
                }
            }
            None => self.verified.taken_out += 1,
        }
        (self.seq, self.hash) = (line.seq, line.hash);
        tree.push(&line.hash);
    }

    fn close(&mut self, name: &str, line: &str, first: u64, tree: &Tree) {
        let Some((head, key)) = Head::read(line) else {
            self.fault(name, "its head is none");
            return;
        };
        let key = self.public_key.clone().unwrap_or(key);
        if !Head::is_signed(line, &key) {
            self.fault(name, "its head is not signed with the key");
        }
        if head.writer != self.writer || head.before != self.head {
            self.fault(name, "its head does not follow the head before it");
        }
        if (head.first, head.last, head.hash) != (first, self.seq, self.hash) {
            let (last, here) = (head.last, self.seq);
            self.fault(name, format!("its head ends it at record {last}, and it ends at record {here}"));
        }
        if head.root != tree.root() {
            self.fault(name, "its records are not those that its head was signed over");
        }
        self.head = Head::digest(line);
    }

    pub fn end(self) -> Verified {
        self.verified
    }
}
