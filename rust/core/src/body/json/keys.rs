//! Finds a key that stands twice in one object.
//!
//! Most objects have a handful of keys, for which comparing each with all before it beats any table. A large object is
//! sorted once, when it ends: no hash, hence no body that makes it slow (a million keys cost n log n, whatever they are).

use std::borrow::Cow;
use std::ops::Range;

use super::{Problem, Text};

/// Up to here keys are compared one with another.
const FEW: usize = 16;

/// The keys of every object that is open, the innermost last.
#[derive(Debug, Default)]
pub(super) struct Keys<'a> {
    held: Vec<Key<'a>>,
}

#[derive(Debug)]
struct Key<'a> {
    /// Without escapes, so that `\u006dodel` is `model`.
    name: Cow<'a, [u8]>,
    span: Range<usize>,
}

impl<'a> Keys<'a> {
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Adds a key to the object whose keys begin at `from`.
    pub fn hold(&mut self, from: usize, key: Text<'a>, span: Range<usize>) -> Result<(), Problem> {
        let name = key.bytes();
        if key.escaped && name.contains(&0) {
            return Err(Problem::NulInKey);
        }
        let before = self.held.get(from..).unwrap_or_default();
        if before.len() < FEW && before.iter().any(|held| held.name == name) {
            return Err(Problem::DuplicateKey);
        }
        self.held.push(Key { name, span });
        Ok(())
    }

    /// Ends the object whose keys begin at `from`; fails with the place of the first key that had stood before.
    pub fn release(&mut self, from: usize) -> Result<(), Range<usize>> {
        let Some(ended) = self.held.get_mut(from..).filter(|keys| keys.len() > FEW) else {
            self.held.truncate(from);
            return Ok(());
        };
        ended.sort_unstable_by(|a, b| a.name.cmp(&b.name).then(a.span.start.cmp(&b.span.start)));
        let twins = ended.iter().zip(ended.iter().skip(1)).filter(|(a, b)| a.name == b.name);
        let again = twins.map(|(_, b)| b.span.clone()).min_by_key(|span| span.start);
        self.held.truncate(from);
        again.map_or(Ok(()), Err)
    }
}
