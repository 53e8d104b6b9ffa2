//! The trace that a request belongs to: it goes on to the provider, with a span of our own as the parent.

use dragoman_core::trace::read_parent;
use http::{HeaderMap, HeaderName, HeaderValue};

const PARENT: HeaderName = HeaderName::from_static("traceparent");
const STATE: HeaderName = HeaderName::from_static("tracestate");

/// What a client says of a trace.
#[derive(Default)]
pub struct Trace {
    pub parent: Option<String>,
    pub state: Option<String>,
}

impl Trace {
    /// The trace's id; empty where there is none.
    pub fn id(&self) -> &str {
        self.parent.as_deref().and_then(read_parent).map_or("", |parent| parent.trace_id)
    }

    /// What the provider is told of it.
    pub fn headers(&self, span: u64) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let parent = self.parent.as_deref().and_then(read_parent);
        if let Some(Ok(value)) = parent.map(|parent| HeaderValue::try_from(parent.followed_by(span))) {
            headers.insert(PARENT, value);
            let state = self.state.as_deref().filter(|state| !state.is_empty());
            if let Some(Ok(value)) = state.map(HeaderValue::try_from) {
                headers.insert(STATE, value);
            }
        }
        headers
    }
}
