//! The thread on which requests begin that Python serves.
//!
//! They begin on one of their own, since what Python does may take long, and answers to others come on the client's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use pyo3::prelude::*;

type Work = Box<dyn FnOnce(Python<'_>) + Send>;

/// The way there.
#[derive(Clone)]
pub struct Hands {
    work: Sender<Work>,
    count: Arc<AtomicUsize>,
}

impl Hands {
    /// Starts the thread, which ends with the last of those who may give it work.
    ///
    /// Errors: there can be no thread.
    pub fn start() -> PyResult<Self> {
        let (sender, receiver) = channel();
        // Attached for as long as it lives, as the client's thread is.
        let serve = move || Python::attach(|py| py.detach(move || work_off(&receiver)));
        std::thread::Builder::new().name("requests".into()).spawn(serve)?;
        Ok(Self { work: sender, count: Arc::default() })
    }

    /// Has something done there.
    pub fn give(&self, work: impl FnOnce(Python<'_>) + Send + 'static) {
        // Refused only when the thread has died, and the process with it.
        let _ = self.work.send(Box::new(work));
    }

    /// Counts a request as Python's, as long as what this gives is kept.
    pub fn count(&self) -> Handed {
        self.count.fetch_add(1, Ordering::AcqRel);
        Handed { count: self.count.clone() }
    }

    /// Requests that are Python's.
    pub fn counted(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }
}

/// A request that is Python's.
pub struct Handed {
    count: Arc<AtomicUsize>,
}

impl Drop for Handed {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::AcqRel);
    }
}

fn work_off(receiver: &Receiver<Work>) {
    while let Ok(first) = receiver.recv() {
        Python::attach(|py| {
            let mut next = Some(first);
            while let Some(work) = next {
                work(py);
                next = receiver.try_recv().ok();
            }
        });
    }
}
