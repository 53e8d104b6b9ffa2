//! Tells when a stream has generated more than somebody wants to know of.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::prelude::*;

pub struct Alarm {
    /// Bytes of text.
    at: AtomicU64,
    callback: Mutex<Option<Callback>>,
}

/// Gets what is kept of the text, and how many bytes were generated.
pub type Callback = Box<dyn FnOnce(&str, u64) + Send>;

/// One of Python's.
pub fn calling(callback: Py<PyAny>) -> Callback {
    Box::new(move |text, bytes| {
        Python::attach(|py| {
            if let Err(error) = callback.call1(py, (text, bytes)) {
                error.write_unraisable(py, Some(callback.bind(py)));
            }
        });
    })
}

impl Default for Alarm {
    fn default() -> Self {
        Self { at: AtomicU64::new(u64::MAX), callback: Mutex::new(None) }
    }
}

impl Alarm {
    /// Goes off once, at the latest when the next of the stream comes.
    pub fn set(&self, bytes: u64, callback: Callback) {
        if let Ok(mut place) = self.callback.lock() {
            *place = Some(callback);
            self.at.store(bytes, Ordering::Release);
        }
    }

    pub fn note(&self, bytes: u64, text: &str) {
        if bytes < self.at.load(Ordering::Acquire) {
            return;
        }
        let due = self.callback.lock().ok().and_then(|mut place| {
            self.at.store(u64::MAX, Ordering::Release);
            place.take()
        });
        if let Some(callback) = due {
            callback(text, bytes);
        }
    }
}
