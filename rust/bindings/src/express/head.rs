//! The head of a request: whether it says anything but who sends it, and how long its body is.

use std::collections::HashSet;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};

/// What may stand in a head.
pub struct Headers {
    /// Names that mean something, so that Python has to read them.
    speaking: HashSet<String>,
    /// How names begin that do.
    prefix: String,
}

/// What a head says.
pub struct Said {
    pub secret: Option<String>,
    pub length: usize,
}

impl Headers {
    pub fn new(speaking: HashSet<String>, prefix: String) -> Self {
        Self { speaking, prefix }
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
        let (mut secret, mut length) = (None, None);
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
                "authorization" | "content-length" => return Ok(None),
                _ if self.speaking.contains(name) || name.starts_with(&self.prefix) => return Ok(None),
                _ => {}
            }
        }
        Ok(length.map(|length| Said { secret, length }))
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
