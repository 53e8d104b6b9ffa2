//! What several processes know together: `Redis`, and `Asked`, the awaitable of its answers.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dragoman_wire::shared::ledger::Ledger;
use dragoman_wire::shared::{Options, Shared};
use pyo3::exceptions::{PyStopIteration, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::ledger::remote::{Remote, SharedLedger};

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Redis>()?;
    module.add_class::<Asked>()
}

const THREAD: &str = "redis";
/// What waits without an event loop waits no longer than this.
const PATIENCE: Duration = Duration::from_secs(2);

/// The thread that talks to the server.
#[derive(Clone)]
pub struct Talk {
    pub runtime: Handle,
    answers: UnboundedSender<Answer>,
}

type Finish = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

/// An answer, and who gets it.
struct Answer {
    asked: Py<Asked>,
    finish: Finish,
}

impl Talk {
    /// Waits for what goes on there; `None`: it takes too long, or this is that thread.
    pub fn wait<T: Send + 'static>(
        &self,
        py: Python<'_>,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        if std::thread::current().name() == Some(THREAD) {
            return None;
        }
        let (sender, receiver) = channel();
        self.runtime.spawn(async move {
            let _ = sender.send(work.await);
        });
        py.detach(move || receiver.recv_timeout(PATIENCE).ok())
    }

    /// An awaitable of what goes on there, made into a Python value by `finish`.
    pub fn ask<T: Send + 'static>(
        &self,
        py: Python<'_>,
        work: impl Future<Output = T> + Send + 'static,
        finish: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> PyResult<Py<Asked>> {
        let asked = Py::new(py, Asked { state: Mutex::default() })?;
        let (result, answers) = (asked.clone_ref(py), self.answers.clone());
        self.runtime.spawn(async move {
            let value = work.await;
            let finish: Finish = Box::new(move |py| finish(py, value));
            // Refused only when the thread is going down, and nobody waits any more.
            let _ = answers.send(Answer { asked: result, finish });
        });
        Ok(asked)
    }
}

/// Taking the GIL costs more than what is done with it, so answers that have come together share one taking.
async fn answer_all(mut receiver: UnboundedReceiver<Answer>) {
    while let Some(first) = receiver.recv().await {
        Python::attach(|py| {
            let mut next = Some(first);
            while let Some(Answer { asked, finish }) = next {
                let asked = asked.bind(py);
                if let Err(error) = finish(py).and_then(|value| Asked::complete(asked, value)) {
                    error.write_unraisable(py, Some(asked.as_any()));
                }
                next = receiver.try_recv().ok();
            }
        });
    }
}

/// The awaitable of an answer. Resumes on the thread that brings it, as an `Exchange` does.
#[pyclass(frozen, module = "dragoman._core")]
pub struct Asked {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    value: Option<Py<PyAny>>,
    waiter: Option<Py<PyAny>>,
}

impl Asked {
    fn complete(slf: &Bound<'_, Self>, value: Py<PyAny>) -> PyResult<()> {
        let waiter = {
            let mut state = slf.get().state.lock().unwrap_or_else(PoisonError::into_inner);
            state.value = Some(value);
            state.waiter.take()
        };
        waiter.map_or(Ok(()), |callback| callback.call1(slf.py(), (slf,)).map(drop))
    }
}

#[pymethods]
impl Asked {
    fn on_done(slf: &Bound<'_, Self>, callback: Py<PyAny>) -> PyResult<()> {
        {
            let mut state = slf.get().state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.value.is_none() {
                state.waiter = Some(callback);
                return Ok(());
            }
        }
        callback.call1(slf.py(), (slf,)).map(drop)
    }

    fn __await__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(slf: PyRef<'_, Self>) -> PyResult<PyRef<'_, Self>> {
        let value = {
            let state = slf.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.value.as_ref().map(|value| value.clone_ref(slf.py()))
        };
        match value {
            Some(value) => Err(PyStopIteration::new_err((value,))),
            None => Ok(slf),
        }
    }
}

/// The server, as one process sees it.
#[pyclass(frozen, module = "dragoman._core")]
pub struct Redis {
    shared: Arc<Shared>,
    talk: Talk,
    /// Dropped with this: the thread then ends.
    _alive: tokio::sync::oneshot::Sender<()>,
}

#[pymethods]
impl Redis {
    #[new]
    #[pyo3(signature = (url, *, prefix = "dragoman", timeout_s = 0.05))]
    fn new(url: &str, prefix: &str, timeout_s: f64) -> PyResult<Self> {
        let timeout = Duration::try_from_secs_f64(timeout_s).unwrap_or(Duration::MAX);
        let shared = Shared::new(Options { url: url.into(), prefix: prefix.into(), timeout });
        // Never the address: it may hold a password.
        let shared = Arc::new(shared.map_err(|error| PyValueError::new_err(error.category().to_owned()))?);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (alive, ended) = tokio::sync::oneshot::channel::<()>();
        let (answers, waiting) = unbounded_channel();
        let talk = Talk { runtime: runtime.handle().clone(), answers };
        runtime.spawn(answer_all(waiting));
        let connected = shared.clone();
        runtime.spawn(async move { connected.keep_connected(|| ()).await });
        let serve = move || {
            let _ = runtime.block_on(ended);
            runtime.shutdown_background();
        };
        // Attached for as long as it lives, as the upstream's thread is.
        let attached = move || Python::attach(|py| py.detach(serve));
        std::thread::Builder::new().name(THREAD.into()).spawn(attached)?;
        Ok(Self { shared, talk, _alive: alive })
    }

    /// Waits until it answers. False: it does not within that time.
    fn ready(&self, py: Python<'_>, timeout_s: f64) -> bool {
        let until = std::time::Instant::now() + Duration::try_from_secs_f64(timeout_s).unwrap_or_default();
        py.detach(|| {
            while !self.shared.is_up() && std::time::Instant::now() < until {
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        self.shared.is_up()
    }

    #[getter]
    fn is_up(&self) -> bool {
        self.shared.is_up()
    }

    #[getter]
    fn reason(&self) -> String {
        self.shared.reason()
    }

    #[getter]
    fn evicts(&self) -> bool {
        self.shared.evicts()
    }

    #[getter]
    fn failures(&self) -> u64 {
        self.shared.failures()
    }

    fn ledger(&self, process: &str) -> SharedLedger {
        let ledger = Arc::new(Ledger::new(self.shared.clone(), process.to_owned()));
        SharedLedger::new(Remote { ledger, talk: self.talk.clone() })
    }

    fn get(&self, py: Python<'_>, name: Vec<u8>) -> PyResult<Py<Asked>> {
        let shared = self.shared.clone();
        self.talk.ask(py, async move { shared.get(&name).await.ok().flatten() }, |py, value| {
            Ok(value.map_or_else(|| py.None(), |value| PyBytes::new(py, &value).into_any().unbind()))
        })
    }

    fn put(&self, name: Vec<u8>, value: Vec<u8>, ttl_s: f64) {
        let (shared, kept) = (self.shared.clone(), Duration::try_from_secs_f64(ttl_s).unwrap_or_default());
        self.talk.runtime.spawn(async move { shared.put(&name, &value, kept).await });
    }

    fn claim(&self, py: Python<'_>, name: Vec<u8>, value: Vec<u8>, ttl_s: f64) -> PyResult<Py<Asked>> {
        let (shared, kept) = (self.shared.clone(), Duration::try_from_secs_f64(ttl_s).unwrap_or_default());
        let claimed = async move { shared.claim(&name, &value, kept).await.ok() };
        self.talk.ask(py, claimed, |py, found| {
            let told = found.map(|(value, left)| (PyBytes::new(py, &value), left.as_secs_f64()));
            Ok(told.into_pyobject(py)?.into_any().unbind())
        })
    }

    fn publish(&self, py: Python<'_>, channel: String, word: String) -> bool {
        let shared = self.shared.clone();
        let told = self.talk.wait(py, async move { shared.publish(&channel, &word).await.is_ok() });
        told.unwrap_or(false)
    }

    fn tell(&self, channel: String, word: String) {
        let shared = self.shared.clone();
        self.talk.runtime.spawn(async move { shared.publish(&channel, &word).await });
    }

    fn listen(&self, channel: String, callback: Py<PyAny>) {
        let shared = self.shared.clone();
        self.talk.runtime.spawn(async move {
            let tell = |word: &str| {
                Python::attach(|py| {
                    if let Err(error) = callback.call1(py, (word,)) {
                        error.write_unraisable(py, Some(callback.bind(py)));
                    }
                });
            };
            shared.listen(&channel, tell).await;
        });
    }
}
