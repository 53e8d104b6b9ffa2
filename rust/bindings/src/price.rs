//! `Rates`.

use std::sync::Arc;

use dragoman_core::price::{self, Kinds, Rate, Tier};
use pyo3::prelude::*;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Rates>()
}

type Priced = Option<u64>;
/// The fields of `Rate`, in the order of `python/dragoman/usage/price.py`.
type RateFields = (u64, u64, Priced, Priced, Priced, Priced, Priced, Priced, Priced, Priced, Priced, u64);
/// The fields of `Tokens`, in the order of `python/dragoman/usage/row.py`.
type TokensFields = (u64, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64);

#[pyclass(frozen, module = "dragoman._core")]
pub struct Rates {
    pub(crate) inner: Arc<price::Rates>,
}

#[pymethods]
impl Rates {
    #[new]
    fn new(rate: RateFields, tiers: Vec<(u64, RateFields)>) -> Self {
        let tiers = tiers.into_iter().map(|(above, rate)| Tier { above, rate: rate_of(rate) }).collect();
        Self { inner: Arc::new(price::Rates { rate: rate_of(rate), tiers }) }
    }

    fn cost(&self, tokens: TokensFields) -> i64 {
        self.inner.cost(&kinds_of(tokens))
    }
}

/// Nano-dollars as headers have them.
pub fn usd(nanousd: i64) -> String {
    let (sign, amount) = (if nanousd < 0 { "-" } else { "" }, nanousd.unsigned_abs());
    format!("{sign}{}.{:09}", amount / 1_000_000_000, amount % 1_000_000_000)
}

fn rate_of(fields: RateFields) -> Rate {
    let (input, output, cached_input, cache_write, reasoning, audio_input, audio_output, ..) = fields;
    let (.., cache_write_1h, cached_audio, image_input, image_output, request) = fields;
    Rate {
        input,
        output,
        cached_input,
        cache_write,
        reasoning,
        audio_input,
        audio_output,
        cache_write_1h,
        cached_audio,
        image_input,
        image_output,
        request,
    }
}

fn kinds_of(fields: TokensFields) -> Kinds {
    let (input, output, cached_input, cache_write, reasoning, audio_input, audio_output, ..) = fields;
    let (.., cache_write_1h, cached_audio, image_input, image_output) = fields;
    Kinds {
        input,
        output,
        cached_input,
        cache_write,
        reasoning,
        audio_input,
        audio_output,
        cache_write_1h,
        cached_audio,
        image_input,
        image_output,
    }
}
