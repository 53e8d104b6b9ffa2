//! Private keys in PEM, whole or cut off.

use memchr::memmem;

use super::super::entity::Entity;
use super::super::find::Hits;
use super::super::text::slice;

const LONGEST_LABEL: usize = 80;
const LONGEST_KEY: usize = 32 * 1024;

/// Finds the private key whose first line begins at `start`, and tells where it ends: what begins within is its own.
pub(super) fn find(bytes: &[u8], start: usize, hits: &mut Hits) -> usize {
    let begun = slice(bytes, start..bytes.len().min(start + LONGEST_LABEL));
    let Some(label) = memmem::find(begun, b"PRIVATE KEY") else { return start };
    let rest = slice(bytes, start..bytes.len().min(start + LONGEST_KEY));
    let body = slice(rest, label..rest.len());
    let end = memmem::find(body, b"-----END").and_then(|at| {
        let last = slice(body, at + 8..body.len());
        memmem::find(last, b"-----")
            .filter(|length| *length < LONGEST_LABEL)
            .map(|length| label + at + 8 + length + 5)
    });
    let end = end.unwrap_or_else(|| cut_off(rest, label));
    if end > label + 40 {
        hits.add(Entity::Secret, "private-key", start..start + end, 1.0);
    }
    start + end
}

/// Where a key without a last line stops being one: after its base64.
fn cut_off(bytes: &[u8], from: usize) -> usize {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=\r\n\\- :,".contains(byte);
    let length = slice(bytes, from..bytes.len()).iter().take_while(|byte| is_part(byte)).count();
    from + slice(bytes, from..from + length).trim_ascii_end().len()
}
