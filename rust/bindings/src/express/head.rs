//! The head of a request: whether it says anything but who sends it, what of the cache, and how long its body is.

use std::collections::HashMap;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};

use super::traced::Trace;

/// What may stand in a head.
pub struct Headers {
    /// Names that mean something.
    speaking: HashMap<String, Meaning>,
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
    pub length: usize,
}

impl Headers {
    /// * `speaking`: names that only Python can read.
    /// * `wishing`: names that say how the answer is to be cached.
    pub fn new(speaking: Vec<String>, wishing: Vec<String>, prefix: String) -> Self {
        let speaking = speaking.into_iter().map(|name| (name, Meaning::Anything));
        let wishing = wishing.into_iter().map(|name| (name, Meaning::Cache));
        Self { speaking: speaking.chain(wishing).collect(), prefix }
    }

    /// Reads the head of a request. `None`: it says more than can be known of here.
    pub fn read(&self, scope: &Bound<'_, PyAny>, path: &str, most: usize) -> PyResult<Option<Said>> {
        let py = scope.py();
        if !is(&scope.getattr(intern!(py, "path"))?, path)?
            || !is(&scope.getattr(intern!(py, "method"))?, "POST")?
        {
            return Ok(None);
        }
        let pairs = scope.getattr(intern!(py, "headers"))?.call_method0(intern!(py, "items"))?;
        let pairs = pairs.cast_into::<PyList>()?;
        if pairs.len() > most {
            return Ok(None);
        }
        let (mut secret, mut length, mut wish, mut trace) = (None, None, String::new(), Trace::default());
        for pair in &pairs {
            let pair = pair.cast_into::<PyTuple>()?;
            let name = pair.get_borrowed_item(0)?;
            let value = pair.get_borrowed_item(1)?;
            let (Ok(name), Ok(value)) = (name.extract::<&str>(), value.extract::<&str>()) else {
                return Ok(None);
            };
            match name {
                "authorization" if secret.is_none() => match bearer(value) {
                    Some(found) => secret = Some(found.to_owned()),
                    None => return Ok(None),
                },
                "content-length" if length.is_none() => length = value.parse().ok(),
                "traceparent" if trace.parent.is_none() => trace.parent = Some(value.to_owned()),
                "tracestate" if trace.state.is_none() => trace.state = Some(value.to_owned()),
                // A second one.
                "authorization" | "content-length" | "traceparent" | "tracestate" => return Ok(None),
                _ => match self.speaking.get(name) {
                    Some(Meaning::Cache) => wish.extend([name, ":", value, "\n"]),
                    Some(Meaning::Anything) => return Ok(None),
                    None if name.starts_with(&self.prefix) => return Ok(None),
                    None => {}
                },
            }
        }
        let length = length.filter(|_| wish.len() <= MOST_WISH_BYTES);
        Ok(length.map(|length| Said { secret, wish, trace, length }))
    }
}

fn is(value: &Bound<'_, PyAny>, expected: &str) -> PyResult<bool> {
    Ok(value.cast::<PyString>()?.to_str()? == expected)
}

/// The one key of an `Authorization` header, where it is one.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, key) = value.split_at_checked(7)?;
    let key = key.trim_matches(|character: char| character.is_ascii_whitespace());
    (scheme.eq_ignore_ascii_case("bearer ") && key.is_ascii() && !key.contains(',')).then_some(key)
}
