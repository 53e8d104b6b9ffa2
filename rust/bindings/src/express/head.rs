//! The head of a request: whether it says anything but who sends it, and what of the cache.

use std::collections::HashMap;

use dragoman_wire::front::Head;

use super::traced::Trace;

/// What may stand in a head.
pub struct Headers {
    /// Names that mean something.
    speaking: HashMap<String, Meaning>,
    /// The lengths that they have, as bits: most names have another.
    lengths: u64,
    /// How names begin that Python has to read as well.
    prefix: String,
}

/// What a name says that means something.
enum Meaning {
    /// What only Python can read.
    Anything,
    /// How the answer is to be cached.
    Cache,
}

/// A longer wish is Python's to read: passes are kept by it.
const MOST_WISH_BYTES: usize = 512;

/// What a head says.
pub struct Said {
    pub secret: Option<String>,
    /// What it says of the cache: a line for each such header, in their order.
    pub wish: String,
    pub trace: Trace,
}

impl Headers {
    /// * `speaking`: names that only Python can read.
    /// * `wishing`: names that say how the answer is to be cached.
    pub fn new(speaking: Vec<String>, wishing: Vec<String>, prefix: String) -> Self {
        let speaking = speaking.into_iter().map(|name| (name, Meaning::Anything));
        let wishing = wishing.into_iter().map(|name| (name, Meaning::Cache));
        let speaking: HashMap<_, _> = speaking.chain(wishing).collect();
        let lengths = speaking.keys().fold(0, |lengths, name| lengths | length_bit(name));
        Self { speaking, lengths, prefix }
    }

    fn meaning(&self, name: &str) -> Option<&Meaning> {
        (self.lengths & length_bit(name) != 0).then(|| self.speaking.get(name)).flatten()
    }

    /// Reads the head of a request. `None`: it says more than can be known of here.
    pub fn read(&self, head: &Head, most: usize) -> Option<Said> {
        let (mut secret, mut wish, mut trace) = (None, String::new(), Trace::default());
        let fields = head.fields();
        if fields.len() > most {
            return None;
        }
        for (name, value) in fields {
            match name {
                "authorization" if secret.is_none() => secret = Some(bearer(value)?.to_owned()),
                "traceparent" if trace.parent.is_none() => trace.parent = Some(value.to_owned()),
                "tracestate" if trace.state.is_none() => trace.state = Some(value.to_owned()),
                // A second one.
                "authorization" | "traceparent" | "tracestate" => return None,
                _ => match self.meaning(name) {
                    Some(Meaning::Cache) => wish.extend([name, ":", value, "\n"]),
                    Some(Meaning::Anything) => return None,
                    None if name.starts_with(&self.prefix) => return None,
                    None => {}
                },
            }
        }
        (wish.len() <= MOST_WISH_BYTES).then_some(Said { secret, wish, trace })
    }
}

/// A bit for the length of a name; one for all that are very long.
fn length_bit(name: &str) -> u64 {
    1 << name.len().min(63)
}

/// The one key of an `Authorization` header, where it is one.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, key) = value.split_at_checked(7)?;
    let key = key.trim_matches(|character: char| character.is_ascii_whitespace());
    (scheme.eq_ignore_ascii_case("bearer ") && key.is_ascii() && !key.contains(',')).then_some(key)
}
