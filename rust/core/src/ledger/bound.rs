//! The most that an answer may come to: of the deployments that may give it, at the dearest and for as long as may be.

const MILLION: u128 = 1_000_000;
/// A count that is not exact may be too low by one in so many.
const DOUBT: u64 = 4;

/// A model at a provider, as far as a price goes.
#[derive(Clone, Debug)]
pub struct Priced {
    /// Tokens of its longest answer, where that is known.
    pub longest: Option<u64>,
    /// What holds from a number of input tokens on, lowest first; the first holds below as well.
    pub tiers: Vec<Ceiling>,
}

/// The highest prices that tokens may have, in nano-dollars a million; of the request, a million requests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ceiling {
    pub above: u64,
    pub request: u64,
    /// By whether some may be written to a cache, and whether some may be audio.
    pub given: [[u64; 2]; 2],
    /// By whether some may be audio.
    pub answered: [u64; 2],
}

/// What a request asks for.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Tokens of the prompt.
    pub given: u64,
    /// Tokens of one answer at most; `None`: the request does not say.
    pub longest: Option<u64>,
    /// Tokens of an answer of which neither request nor model says how long.
    pub unsaid: u64,
    pub choices: u64,
    pub cached: bool,
    pub heard: bool,
}

/// Tokens that a prompt has at most which was counted.
#[must_use]
pub fn given_at_most(counted: u64, is_exact: bool) -> u64 {
    if is_exact { counted } else { counted.saturating_add(counted.div_ceil(DOUBT)).saturating_add(1) }
}

/// Tokens of all answers, and nano-dollars of everything.
#[must_use]
pub fn bound(deployments: &[Priced], asked: Asked) -> (u64, u64) {
    let mut found = (0, 0);
    for one in deployments {
        let longest = match (asked.longest, one.longest) {
            (Some(asked), Some(able)) => asked.min(able),
            (said, able) => said.or(able).unwrap_or(asked.unsaid),
        };
        let tokens = longest.saturating_mul(asked.choices);
        found = (found.0.max(tokens), found.1.max(cost(one, asked, tokens)));
    }
    found
}

fn cost(one: &Priced, asked: Asked, tokens: u64) -> u64 {
    let holds = one.tiers.iter().rev().find(|tier| asked.given > tier.above).or(one.tiers.first());
    let Some(Ceiling { request, given, answered, .. }) = holds.copied() else { return 0 };
    let [[plain, heard], [cached, both]] = given;
    let given = match (asked.cached, asked.heard) {
        (false, false) => plain,
        (false, true) => heard,
        (true, false) => cached,
        (true, true) => both,
    };
    let [plain, heard] = answered;
    let answered = if asked.heard { heard } else { plain };
    let product = |count: u64, price: u64| u128::from(count) * u128::from(price);
    let total = u128::from(request) + product(asked.given, given) + product(tokens, answered);
    u64::try_from(total.div_ceil(MILLION)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Asked =
        Asked { given: 10, longest: None, unsaid: 50, choices: 1, cached: false, heard: false };

    fn priced(longest: Option<u64>, given: u64, answered: u64) -> Priced {
        let ceiling = Ceiling {
            given: [[given, 2 * given], [3 * given, 4 * given]],
            answered: [answered, 5 * answered],
            ..Ceiling::default()
        };
        Priced { longest, tiers: vec![ceiling] }
    }

    #[test]
    fn the_longest_and_the_dearest_count() {
        let (long, dear) = (priced(Some(100), 1_000_000, 1_000_000), priced(Some(10), 50_000_000, 1_000_000));
        assert_eq!(bound(&[long.clone(), dear], ASKED), (100, 510));
        assert_eq!(
            bound(std::slice::from_ref(&long), Asked { longest: Some(7), choices: 3, ..ASKED }),
            (21, 31)
        );
        assert_eq!(bound(&[long], Asked { longest: Some(700), ..ASKED }), (100, 110));
        let unknown = priced(None, 1_000_000, 1);
        assert_eq!(bound(std::slice::from_ref(&unknown), ASKED), (50, 11));
        assert_eq!(bound(&[unknown], Asked { longest: Some(700), ..ASKED }).0, 700);
    }

    #[test]
    fn tokens_may_be_of_the_dearest_kind() {
        let one = [priced(Some(1), 1_000_000, 1_000_000)];
        let costs = [(false, false), (false, true), (true, false), (true, true)]
            .map(|(cached, heard)| bound(&one, Asked { cached, heard, ..ASKED }).1);
        assert_eq!(costs, [11, 25, 31, 45]);
    }

    #[test]
    fn the_highest_tier_that_is_reached_holds() {
        let tier = |above, price| Ceiling { above, given: [[price; 2]; 2], ..Ceiling::default() };
        let tiers = vec![tier(0, 1_000_000), tier(9, 2_000_000), tier(10, 3_000_000)];
        let one = [Priced { longest: Some(0), tiers }];
        let at = |given| bound(&one, Asked { given, ..ASKED }).1;
        assert_eq!((at(0), at(9), at(10), at(11)), (0, 9, 20, 33));
    }

    #[test]
    fn a_count_that_is_not_exact_may_be_too_low() {
        assert_eq!([0, 1, 4, 100].map(|counted| given_at_most(counted, true)), [0, 1, 4, 100]);
        assert_eq!([0, 1, 4, 100].map(|counted| given_at_most(counted, false)), [1, 3, 6, 126]);
        assert_eq!(given_at_most(u64::MAX, false), u64::MAX);
    }

    #[test]
    fn nothing_overflows() {
        let one = [priced(Some(u64::MAX), u64::MAX / 4, u64::MAX / 5)];
        let most = Asked { given: u64::MAX, longest: None, choices: u64::MAX, ..ASKED };
        assert_eq!(bound(&one, most), (u64::MAX, u64::MAX));
    }
}
