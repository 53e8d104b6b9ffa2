//! Joins text that arrives in pieces which may cut a character.
//!
//! Providers cut between the halves of a surrogate pair (each escaped in its own event), or between the bytes of a
//! character. What is incomplete waits for the next piece; only what is truly broken becomes U+FFFD.

use crate::body::json::clip;

/// The bytes of a lone surrogate in WTF-8.
const SURROGATE_BYTES: usize = 3;

/// Text that grows, up to a limit.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    limit: usize,
    waiting: Vec<u8>,
}

impl Joiner {
    pub fn new(limit: usize) -> Self {
        Self { limit, waiting: Vec::new() }
    }

    /// Appends `piece` to `text`; `false` when the limit cut it.
    pub fn push(&mut self, piece: &[u8], text: &mut String) -> bool {
        if self.waiting.is_empty()
            && let Ok(piece) = std::str::from_utf8(piece)
        {
            return self.append(piece, text);
        }
        let mut bytes = std::mem::take(&mut self.waiting);
        bytes.extend_from_slice(piece);
        let mut rest = bytes.as_slice();
        let mut whole = true;
        while !rest.is_empty() {
            let valid = std::str::from_utf8(rest).map_or_else(|error| error.valid_up_to(), str::len);
            let (sound, broken) = rest.split_at(valid);
            whole &= self.append(std::str::from_utf8(sound).unwrap_or_default(), text);
            let Some((character, length)) = mend(broken) else {
                self.waiting = broken.to_vec();
                break;
            };
            if let Some(character) = character {
                whole &= self.append(character.encode_utf8(&mut [0; 4]), text);
            }
            rest = broken.get(length..).unwrap_or_default();
        }
        whole
    }

    fn append(&self, piece: &str, text: &mut String) -> bool {
        let room = self.limit.saturating_sub(text.len());
        text.push_str(clip(piece, room));
        piece.len() <= room
    }
}

/// What bytes that are not UTF-8 begin with, and its length; `None` when that depends on bytes to come.
fn mend(broken: &[u8]) -> Option<(Option<char>, usize)> {
    let Err(error) = std::str::from_utf8(broken) else { return Some((None, 0)) };
    let Some(high) = surrogate(broken) else {
        let length = error.error_len().filter(|_| !may_become_surrogate(broken))?;
        return Some((Some(char::REPLACEMENT_CHARACTER), length));
    };
    let after = broken.get(SURROGATE_BYTES..).unwrap_or_default();
    match surrogate(after) {
        _ if high >= 0xDC00 => {}
        Some(low @ 0xDC00..) => {
            let point = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
            return Some((char::from_u32(point), 2 * SURROGATE_BYTES));
        }
        None if may_become_surrogate(after) => return None,
        _ => {}
    }
    Some((Some(char::REPLACEMENT_CHARACTER), SURROGATE_BYTES))
}

fn may_become_surrogate(bytes: &[u8]) -> bool {
    matches!(bytes, [] | [0xED] | [0xED, 0xA0..=0xBF])
}

/// The surrogate that WTF-8 bytes begin with.
fn surrogate(bytes: &[u8]) -> Option<u32> {
    match bytes {
        [0xED, second @ 0xA0..=0xBF, third @ 0x80..=0xBF, ..] => {
            Some(0xD000 | (u32::from(*second) & 0x3F) << 6 | (u32::from(*third) & 0x3F))
        }
        _ => None,
    }
}
