//! The upstream client: a tokio thread, a pool of connections a target, an awaitable an attempt.

use pyo3::prelude::*;

pub mod alarm;
mod batch;
pub mod conclude;
pub mod exchange;
pub mod launch;
pub mod outcome;
mod pin;
mod recording;
pub mod reply;
pub mod target;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<target::Upstream>()?;
    module.add_class::<target::Target>()?;
    module.add_class::<target::Terms>()?;
    module.add_class::<launch::Launcher>()?;
    module.add_class::<launch::Launched>()?;
    module.add_class::<reply::Reply>()?;
    module.add_class::<exchange::Exchange>()?;
    module.add_class::<batch::Batch>()?;
    module.add_class::<outcome::Outcome>()?;
    module.add_class::<recording::Recording>()?;
    module.add_class::<recording::Piece>()?;
    module.add_function(wrap_pyfunction!(pin::pin_of, module)?)?;
    Ok(())
}
