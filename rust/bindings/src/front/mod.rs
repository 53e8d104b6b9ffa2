//! `Front`: the listener of a worker, and what serves the requests that come by it.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::Arc;

use dragoman_wire::front::{self as wire, Bounds};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::express::{Express, Shared};
use crate::upstream::target::{Upstream, seconds};

pub mod door;
pub mod handed;
pub mod scope;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Front>()?;
    module.add_class::<door::Door>()?;
    module.add_class::<door::Transport>()?;
    module.add_class::<door::Sent>()?;
    module.add_class::<door::Leaving>()?;
    module.add_class::<scope::Scope>()?;
    module.add_class::<scope::Fields>()
}

/// What bounds connections; the keys of a dict.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct ToldBounds {
    connections: usize,
    idle_s: f64,
    head_bytes: usize,
    bodies_bytes: usize,
    write_s: f64,
}

#[pyclass(frozen, module = "dragoman._core")]
struct Front {
    front: Arc<wire::Front<Shared>>,
}

#[pymethods]
impl Front {
    #[new]
    fn new(
        upstream: &Upstream,
        express: &Express,
        listener: RawFd,
        behind: &str,
        bounds: ToldBounds,
    ) -> PyResult<Self> {
        // SAFETY: borrowed for this call alone, while the caller holds the socket that it is of.
        let listener = unsafe { BorrowedFd::borrow_raw(listener) }.try_clone_to_owned()?;
        let bounds = Bounds {
            connections: bounds.connections,
            idle: seconds(bounds.idle_s),
            head_bytes: bounds.head_bytes,
            bodies_bytes: bounds.bodies_bytes,
            write: seconds(bounds.write_s),
        };
        let behind =
            behind.parse().map_err(|error| PyValueError::new_err(format!("behind {behind:?}: {error}")))?;
        let listener = TcpListener::from(listener);
        let front = wire::Front::start(&upstream.runtime, listener, express.shared.clone(), bounds, behind)?;
        Ok(Self { front })
    }

    /// The client of a relayed connection, by the address that the server behind sees.
    fn client_of(&self, seen: &str) -> Option<String> {
        let seen: SocketAddr = seen.parse().ok()?;
        self.front.client_of(seen).map(|client| client.to_string())
    }

    /// Connections that are open.
    #[getter]
    fn connections(&self) -> usize {
        self.front.connections()
    }

    /// Takes no connections any more, and ends those that there are, each with the request that it has.
    fn close(&self) {
        self.front.close();
    }

    /// Waits for no bodies any more.
    fn stop(&self) {
        self.front.stop();
    }
}
