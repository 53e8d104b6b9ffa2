//! What the log says of a person and of a prompt.

use ring::hmac;

use super::chain::hex;

/// A person's salt: without it, nothing can be tried against what it made.
#[derive(Clone, Debug)]
pub struct Salt(hmac::Key);

/// Of 32 bytes so many are told.
const TOLD_BYTES: usize = 16;

impl Salt {
    pub fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// What stands for a text, in hexadecimal. Texts of two kinds are never taken for each other.
    pub fn digest(&self, kind: &[u8], text: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        [kind, &[0], text].into_iter().for_each(|part| context.update(part));
        hex(context.sign().as_ref().split_at(TOLD_BYTES).0)
    }
}
