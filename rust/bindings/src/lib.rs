//! The extension module `dragoman._core`: every class is documented in `python/dragoman/_core.pyi`.

use pyo3::prelude::*;

mod audit;
mod balance;
mod body;
mod cache;
mod express;
mod frames;
mod front;
mod guard;
mod ledger;
mod mask;
mod nearest;
mod price;
mod quantiles;
mod redis;
mod sealer;
mod secret;
mod tokens;
mod trace;
mod typical;
mod upstream;
mod usage;
mod words;

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    audit::register(module)?;
    balance::register(module)?;
    body::register(module)?;
    cache::register(module)?;
    express::register(module)?;
    frames::register(module)?;
    front::register(module)?;
    guard::register(module)?;
    ledger::register(module)?;
    mask::register(module)?;
    nearest::register(module)?;
    price::register(module)?;
    quantiles::register(module)?;
    redis::register(module)?;
    sealer::register(module)?;
    secret::register(module)?;
    tokens::register(module)?;
    trace::register(module)?;
    typical::register(module)?;
    upstream::register(module)?;
    usage::register(module)?;
    words::register(module)?;
    Ok(())
}
