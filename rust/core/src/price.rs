//! What tokens cost, in nano-dollars.
//!
//! ```text
//! cost = request + sum over kinds (tokens of the kind x its rate) + tokens of no such kind x the whole's rate
//! ```
//!
//! The rules are those of `genai-prices`, in integers in place of decimals (`python/dragoman/usage/price.py`, whose tests
//! hold both to agree within a nano-dollar). A token has one price, that of its most particular kind that has one: audio
//! read from a cache costs its own rate, else the cached one, or where nothing cached has one, that of audio; and any
//! kind without a rate costs what the whole does. Where there are tiers, the number of input tokens chooses one, and all
//! tokens pay its rates. Rates are of a million tokens, so the sum is divided once, at the end, and half rounded up.

#[cfg(test)]
mod tests;

const MILLION: u128 = 1_000_000;

/// Tokens by kind. `input` includes the cached, cache-written, audio and image ones; `output` those of its kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds {
    pub input: u64,
    pub output: u64,
    pub cached_input: u64,
    pub cache_write: u64,
    pub reasoning: u64,
    /// Not cached.
    pub audio_input: u64,
    pub audio_output: u64,
    /// Of `cache_write`.
    pub cache_write_1h: u64,
    /// Of `cached_input`.
    pub cached_audio: u64,
    pub image_input: u64,
    pub image_output: u64,
}

/// Nano-dollars a million tokens of each kind; `None`: the kind has no price of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    pub input: u64,
    pub output: u64,
    pub cached_input: Option<u64>,
    pub cache_write: Option<u64>,
    pub reasoning: Option<u64>,
    pub audio_input: Option<u64>,
    pub audio_output: Option<u64>,
    pub cache_write_1h: Option<u64>,
    pub cached_audio: Option<u64>,
    pub image_input: Option<u64>,
    pub image_output: Option<u64>,
    /// Nano-dollars a million requests.
    pub request: u64,
}

/// The rate for requests with more input tokens than `above`.
#[derive(Clone, Copy, Debug)]
pub struct Tier {
    pub above: u64,
    pub rate: Rate,
}

/// A model's prices: the rate, and the tiers that replace it, lowest first.
#[derive(Clone, Debug, Default)]
pub struct Rates {
    pub rate: Rate,
    pub tiers: Vec<Tier>,
}

impl Rates {
    /// Nano-dollars; the largest `i64`, where they are more.
    ///
    /// Kinds that add up to more than the whole (a provider's mistake) never cost more tokens than the whole has.
    #[must_use]
    pub fn cost(&self, tokens: &Kinds) -> i64 {
        let rate = self.rate_of(tokens.input);
        let total = u128::from(rate.request)
            .saturating_add(rate.given(tokens))
            .saturating_add(rate.answered(tokens))
            .saturating_add(MILLION / 2);
        i64::try_from(total / MILLION).unwrap_or(i64::MAX)
    }

    fn rate_of(&self, input: u64) -> &Rate {
        self.tiers.iter().rev().find(|tier| input > tier.above).map_or(&self.rate, |tier| &tier.rate)
    }
}

impl Rate {
    fn given(&self, tokens: &Kinds) -> u128 {
        let cached_audio = match self.cached_input {
            None => self.cached_audio.or(self.audio_input),
            Some(_) => self.cached_audio,
        };
        let [heard_again, cached] =
            split(tokens.cached_input, self.cached_input, tokens.cached_audio, cached_audio);
        let [written_1h, written] =
            split(tokens.cache_write, self.cache_write, tokens.cache_write_1h, self.cache_write_1h);
        let (heard, seen) = ((tokens.audio_input, self.audio_input), (tokens.image_input, self.image_input));
        side(tokens.input, self.input, [heard_again, cached, written_1h, written, heard, seen])
    }

    fn answered(&self, tokens: &Kinds) -> u128 {
        let spoken = (tokens.audio_output, self.audio_output);
        let drawn = (tokens.image_output, self.image_output);
        let thought = (tokens.reasoning, self.reasoning);
        side(tokens.output, self.output, [spoken, drawn, thought])
    }
}

/// So many tokens, and their rate where they have one.
type Part = (u64, Option<u64>);

/// What of a kind has a rate of its own, and the rest.
fn split(count: u64, rate: Option<u64>, among: u64, own: Option<u64>) -> [Part; 2] {
    let among = if own.is_some() { among.min(count) } else { 0 };
    [(among, own), (count - among, rate)]
}

/// What the prompt costs, or the answer. No more tokens than `whole` are paid for: the sum fits.
fn side<const N: usize>(whole: u64, rate: u64, parts: [Part; N]) -> u128 {
    let product = |count: u64, rate: u64| u128::from(count) * u128::from(rate);
    let (mut left, mut cost) = (whole, 0);
    for (count, own) in parts {
        if let Some(own) = own {
            let taken = count.min(left);
            left -= taken;
            cost += product(taken, own);
        }
    }
    cost + product(left, rate)
}
