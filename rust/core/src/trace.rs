//! The parent of a trace, as <https://www.w3.org/TR/trace-context/> has it.

#[cfg(test)]
mod tests;

/// What goes on in the spans that follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent<'a> {
    pub trace_id: &'a str,
    /// Two hexadecimal digits.
    pub flags: &'a str,
}

/// Reads a `traceparent` of the version that is known. `None`: it is none.
pub fn read_parent(value: &str) -> Option<Parent<'_>> {
    let mut parts = value.split('-');
    let (version, trace_id, span_id, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_whole = version == "00" && parts.next().is_none() && is_hex(flags, 2);
    (is_whole && is_id(trace_id, 32) && is_id(span_id, 16)).then_some(Parent { trace_id, flags })
}

impl Parent<'_> {
    /// The parent of what is sent on, within a span of our own.
    pub fn followed_by(&self, span: u64) -> String {
        format!("00-{}-{:016x}-{}", self.trace_id, span.max(1), self.flags)
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Zeros alone name nothing.
fn is_id(text: &str, digits: usize) -> bool {
    is_hex(text, digits) && text.bytes().any(|byte| byte != b'0')
}
