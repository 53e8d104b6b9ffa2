use proptest::prelude::*;

use super::*;

const DOLLAR: u64 = 1_000_000;

fn costs(rate: Rate, tokens: Kinds) -> i64 {
    Rates { rate, tiers: Vec::new() }.cost(&tokens)
}

#[test]
fn half_a_nano_dollar_rounds_up_once() {
    let rate = Rate { input: 400_000, output: 400_000, ..Rate::default() };
    let cost = |input, output| costs(rate, Kinds { input, output, ..Kinds::default() });
    assert_eq!([cost(0, 0), cost(1, 0), cost(1, 1), cost(2, 1), cost(2, 2)], [0, 0, 1, 1, 2]);
    assert_eq!(costs(Rate { request: 500_000, ..Rate::default() }, Kinds::default()), 1);
}

#[test]
fn the_highest_tier_that_is_reached_holds_for_all_tokens() {
    let rate = |dollars| Rate { input: dollars * DOLLAR, ..Rate::default() };
    let tiers = vec![Tier { above: 100, rate: rate(2) }, Tier { above: 200, rate: rate(3) }];
    let rates = Rates { rate: rate(1), tiers };
    let at = |input| rates.cost(&Kinds { input, ..Kinds::default() });
    assert_eq!([at(100), at(101), at(200), at(201)], [100, 202, 400, 603]);
}

#[test]
fn each_kind_costs_its_own() {
    let own = |dollars: u64| Some(dollars * DOLLAR);
    let rate = Rate {
        input: DOLLAR,
        output: 2 * DOLLAR,
        cached_input: own(10),
        cache_write: own(100),
        reasoning: own(1_000),
        audio_input: own(10_000),
        audio_output: own(100_000),
        cache_write_1h: own(1_000_000),
        cached_audio: own(10_000_000),
        image_input: own(100_000_000),
        image_output: own(1_000_000_000),
        request: 0,
    };
    let tokens = Kinds {
        input: 10,
        output: 9,
        cached_input: 3,
        cache_write: 2,
        reasoning: 4,
        audio_input: 1,
        audio_output: 2,
        cache_write_1h: 1,
        cached_audio: 1,
        image_input: 1,
        image_output: 1,
    };
    assert_eq!(
        costs(rate, tokens),
        3 + 20 + 100 + 10_000 + 11_000_000 + 100_000_000 + 4 + 4_000 + 1_000_200_000
    );
}

#[test]
fn audio_from_a_cache_costs_as_audio_where_nothing_cached_has_a_price() {
    let tokens = Kinds { input: 2, cached_input: 1, cached_audio: 1, ..Kinds::default() };
    let with = |cached_input, cached_audio| {
        let audio_input = Some(5 * DOLLAR);
        costs(Rate { input: DOLLAR, audio_input, cached_input, cached_audio, ..Rate::default() }, tokens)
    };
    let (two, three) = (Some(2 * DOLLAR), Some(3 * DOLLAR));
    assert_eq!([with(None, None), with(two, None), with(None, three), with(two, three)], [6, 3, 4, 4]);
}

#[test]
fn kinds_never_cost_more_tokens_than_the_whole_has() {
    let rate = Rate { cached_input: Some(DOLLAR), cache_write: Some(7 * DOLLAR), ..Rate::default() };
    let tokens = Kinds { input: 3, cached_input: 2, cache_write: 9, ..Kinds::default() };
    assert_eq!(costs(rate, tokens), 2 + 7);
}

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![0..1_000_u64, Just(u64::MAX), any::<u64>()]
}

prop_compose! {
    fn kinds()(n in prop::array::uniform11(count())) -> Kinds {
        let [input, output, cached_input, cache_write, reasoning, audio_input, audio_output, rest @ ..] = n;
        let [cache_write_1h, cached_audio, image_input, image_output] = rest;
        Kinds {
            input, output, cached_input, cache_write, reasoning, audio_input, audio_output,
            cache_write_1h, cached_audio, image_input, image_output,
        }
    }
}

prop_compose! {
    fn rates()(request in count(), n in prop::array::uniform11(prop::option::of(count()))) -> Rate {
        let [input, output, cached_input, cache_write, reasoning, audio_input, audio_output, rest @ ..] = n;
        let [cache_write_1h, cached_audio, image_input, image_output] = rest;
        Rate {
            input: input.unwrap_or(0), output: output.unwrap_or(0), cached_input, cache_write, reasoning, audio_input,
            audio_output, cache_write_1h, cached_audio, image_input, image_output, request,
        }
    }
}

proptest! {
    #[test]
    fn no_figures_overflow(rate in rates(), tokens in kinds()) {
        prop_assert!(costs(rate, tokens) >= 0);
    }
}
