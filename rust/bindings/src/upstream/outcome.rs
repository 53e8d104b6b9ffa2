//! [`wire::Outcome`] as Python sees it.

use std::time::Duration;

use dragoman_core::frames::answer::Usage;
use dragoman_wire::outcome::{self as wire, Failure, Stage, Written};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

#[pyclass(frozen, module = "dragoman._core")]
pub struct Outcome {
    pub inner: wire::Outcome,
}

impl From<wire::Outcome> for Outcome {
    fn from(inner: wire::Outcome) -> Self {
        Self { inner }
    }
}

/// Milliseconds, to the microsecond.
pub fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

pub type UsageTuple = (u64, u64, u64, u64, u64, u64, u64);

#[pymethods]
impl Outcome {
    #[getter]
    fn status(&self) -> u16 {
        self.inner.progress.status
    }

    /// What kind of failure, or an empty string.
    #[getter]
    fn failure(&self) -> &'static str {
        match &self.inner.failure {
            None => "",
            Some(Failure::Unreachable { .. }) => "unreachable",
            Some(Failure::Tls(_)) => "tls",
            Some(Failure::Refused(_)) => "refused",
            Some(Failure::Protocol(_)) => "protocol",
            Some(Failure::Status) => "status",
            Some(Failure::Reported(_)) => "reported",
            Some(Failure::Timeout(Stage::FirstByte)) => "first_byte_timeout",
            Some(Failure::Timeout(Stage::Idle)) => "idle_timeout",
            Some(Failure::Timeout(Stage::Total)) => "total_timeout",
            Some(Failure::Cut(_)) => "cut",
            Some(Failure::ClientGone(_)) => "client_gone",
            Some(Failure::Beaten) => "beaten",
        }
    }

    #[getter]
    fn detail(&self) -> &str {
        match &self.inner.failure {
            Some(Failure::Unreachable { detail, .. }) => detail,
            Some(
                Failure::Tls(detail)
                | Failure::Refused(detail)
                | Failure::Protocol(detail)
                | Failure::Cut(detail),
            ) => detail,
            Some(Failure::Reported(error)) => &error.message,
            Some(Failure::ClientGone(detail)) => detail,
            Some(Failure::Timeout(_) | Failure::Status | Failure::Beaten) | None => "",
        }
    }

    /// Status, type and code of an error that came inside a 200.
    #[getter]
    fn reported(&self) -> Option<(Option<u16>, &str, &str)> {
        match &self.inner.failure {
            Some(Failure::Reported(error)) => Some((error.status, &error.kind, &error.code)),
            _ => None,
        }
    }

    /// Whether bytes of the request may have reached the provider.
    #[getter]
    fn sent(&self) -> bool {
        match &self.inner.failure {
            Some(Failure::Unreachable { sent, .. }) => *sent,
            Some(Failure::Tls(_) | Failure::Refused(_)) => false,
            _ => true,
        }
    }

    /// "", "partly" or "whole".
    #[getter]
    fn written(&self) -> &'static str {
        match self.inner.progress.written {
            Written::Nothing => "",
            Written::Partly => "partly",
            Written::Whole => "whole",
        }
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.progress.body)
    }

    #[getter]
    fn headers(&self) -> Vec<(String, String)> {
        let pairs = self.inner.progress.headers.iter();
        pairs
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect()
    }

    fn header(&self, name: &str) -> Option<String> {
        let value = self.inner.progress.headers.get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    /// (input, output, cached input, cache write, reasoning, audio input, audio output), if they can be true.
    #[getter]
    fn usage(&self) -> Option<UsageTuple> {
        self.inner.progress.usage.as_ref().filter(|usage| !usage.suspect).map(usage_tuple)
    }

    #[getter]
    fn finish_reason(&self) -> &str {
        self.inner.progress.finish_reason.as_deref().unwrap_or("")
    }

    #[getter]
    fn served_model(&self) -> &str {
        self.inner.progress.served_model.as_deref().unwrap_or("")
    }

    #[getter]
    fn text(&self) -> &str {
        &self.inner.progress.text
    }

    #[getter]
    fn text_truncated(&self) -> bool {
        self.inner.progress.text_truncated
    }

    #[getter]
    fn content_events(&self) -> u64 {
        self.inner.progress.content_events
    }

    #[getter]
    fn missing_done(&self) -> bool {
        self.inner.progress.missing_done
    }

    #[getter]
    fn first_byte_ms(&self) -> Option<f64> {
        self.inner.progress.since_start(self.inner.progress.first_byte).map(millis)
    }

    #[getter]
    fn first_token_ms(&self) -> Option<f64> {
        self.inner.progress.since_start(self.inner.progress.first_content).map(millis)
    }

    #[getter]
    fn total_ms(&self) -> f64 {
        let progress = &self.inner.progress;
        millis(progress.ended.saturating_duration_since(progress.started))
    }
}

pub fn usage_tuple(usage: &Usage) -> UsageTuple {
    (
        usage.input,
        usage.output,
        usage.cached_input,
        usage.cache_write,
        usage.reasoning,
        usage.audio_input,
        usage.audio_output,
    )
}
