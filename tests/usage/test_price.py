from __future__ import annotations

import math
import random
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal

import genai_prices
import msgspec
import pytest
from genai_prices.types import ConditionalPrice, TimeOfDateConstraint
from hypothesis import given
from hypothesis import strategies as st

from dragoman.config.schema import Price
from dragoman.usage import price as price_module
from dragoman.usage.price import UNPRICED, Fixed, Prices, Rate, Rates, Tier, rates_of
from dragoman.usage.row import Tokens

NOW_S = datetime(2026, 11, 23, 12, 7, tzinfo=UTC).timestamp()
MODELS_COMPARED = 1500
USAGES_A_MODEL = 6


def prices(now_s: float = NOW_S) -> Prices:
    return Prices(wall_s=lambda: now_s)


def random_tokens(chance: random.Random) -> Tokens:
    whole = chance.choice([0, 1, 999, 128_000, 200_000, 200_001, 272_001, chance.randrange(3_000_000)])
    output = chance.choice([0, 1, chance.randrange(200_000)])
    tokens = Tokens(
        input=whole,
        output=output,
        cached_input=chance.choice([0, chance.randrange(whole // 2 + 1)]),
        cache_write=chance.choice([0, chance.randrange(whole // 4 + 1)]),
        reasoning=chance.choice([0, chance.randrange(output // 2 + 1)]),
        audio_input=chance.choice([0, chance.randrange(whole // 8 + 1)]),
        audio_output=chance.choice([0, chance.randrange(output // 4 + 1)]),
        image_output=chance.choice([0, chance.randrange(output // 4 + 1)]),
    )
    return msgspec.structs.replace(
        tokens,
        cache_write_1h=chance.choice([0, chance.randrange(tokens.cache_write + 1)]),
        cached_audio=chance.choice([0, chance.randrange(tokens.cached_input + 1)]),
        image_input=chance.choice([0, chance.randrange(whole // 16 + 1)]),
    )


def their_cost(provider: str, model: str, tokens: Tokens) -> Decimal:
    """Nano-dollars by genai-prices. Kinds of kinds that we do not count are said to be none."""
    counted = genai_prices.Usage(
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        cache_read_tokens=tokens.cached_input,
        cache_write_tokens=tokens.cache_write,
        output_reasoning_tokens=tokens.reasoning,
        input_audio_tokens=tokens.audio_input + tokens.cached_audio,
        output_audio_tokens=tokens.audio_output,
        input_image_tokens=tokens.image_input,
        output_image_tokens=tokens.image_output,
        cache_audio_read_tokens=tokens.cached_audio,
        cache_image_read_tokens=0,
        cache_write_1h_tokens=tokens.cache_write_1h,
    )
    at = datetime.fromtimestamp(NOW_S, UTC)
    priced = genai_prices.calc_price(counted, model, provider_id=provider, genai_request_timestamp=at)
    return priced.total_price * 1_000_000_000


def test_costs_agree_with_genai_prices_within_a_nano_dollar() -> None:
    ours = prices()
    chance = random.Random(20261123)
    known = [one for one in ours.models() if one.rates is not None and ours.resolve(one.provider, one.model)]
    models = chance.sample(known, MODELS_COMPARED)
    tiered = sum(1 for one in models if one.rates is not None and one.rates.tiers)
    assert tiered >= 50
    assert len({one.provider for one in models}) >= 30
    for one in models:
        rates = ours.resolve(one.provider, one.model)
        assert rates is not None
        for _ in range(USAGES_A_MODEL):
            tokens = random_tokens(chance)
            assert abs(rates.cost(tokens) - their_cost(one.provider, one.model, tokens)) <= 1, (one, tokens)


def test_the_catalogue_is_as_large_as_we_say() -> None:
    known = list(prices().models())
    assert len(known) > 1600
    assert len({one.provider for one in known}) >= 36
    assert sum(1 for one in known if one.context_window) > 1000
    assert sum(1 for one in known if one.rates) > 1600


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "no-such-model"),
        ("no-such-provider", "gpt-4o"),
        ("", "gpt-4o"),
        ("openai", ""),
        ("openai", "gpt-4o" + "x" * 300),
        ("rehearsal", "rehearsal"),
    ],
)
def test_what_is_unknown_is_unpriced(provider: str, model: str) -> None:
    assert prices().resolve(provider, model) is None


def test_models_priced_by_the_hour_or_the_page_are_unpriced_by_the_token() -> None:
    unpriced = [one for one in prices().models() if one.rates is None]
    assert {"whisper-1"} <= {one.model for one in unpriced if one.provider == "openai"}


def test_a_free_model_costs_nothing_and_is_priced() -> None:
    assert rates_of(Price(input_usd_mtok=0, output_usd_mtok=0)).cost(Tokens(10**9, 10**9)) == 0


def test_a_known_cost() -> None:
    rates = prices().resolve("anthropic", "claude-sonnet-4-5")
    assert rates is not None
    assert rates.cost(Tokens(input=1000, output=50, cached_input=100)) == 3_480_000


def test_azure_serves_what_openai_prices() -> None:
    assert prices().resolve("azure", "gpt-4o") is not None


def test_an_operators_price_beats_the_catalogue_and_needs_none() -> None:
    own = Price(input_usd_mtok=0.1, output_usd_mtok=0.3, cached_input_usd_mtok=0.01)
    for provider, model in (("openai", "gpt-4o"), ("", "mine")):
        rates = prices().resolve(provider, model, own)
        assert rates == Rates(Rate(input=100_000_000, output=300_000_000, cached_input=10_000_000))
    written = rates_of(Price(input_usd_mtok=1, output_usd_mtok=2, cache_write_usd_mtok=1.25))
    assert written.cost(Tokens(input=1_000_000, cache_write=1_000_000)) == 1_250_000_000


@pytest.mark.parametrize(
    ("tokens", "cost"), [(0, 0), (1, 0), (4, 0), (5, 1), (14, 1), (15, 2), (10_000_000, 1_000_000)]
)
def test_half_a_nano_dollar_rounds_up_once(tokens: int, cost: int) -> None:
    assert Rates(Rate(input=100_000)).cost(Tokens(input=tokens)) == cost


def test_rounding_is_of_the_sum() -> None:
    rates = Rates(Rate(input=400_000, output=400_000))
    assert rates.cost(Tokens(1, 0)) == 0
    assert rates.cost(Tokens(1, 1)) == 1


@pytest.mark.parametrize(("tokens", "cost"), [(100, 100), (101, 202), (200, 400), (201, 603)])
def test_a_tier_holds_for_all_tokens_above_its_start(tokens: int, cost: int) -> None:
    rates = Rates(Rate(input=1_000_000), (Tier(100, Rate(input=2_000_000)), Tier(200, Rate(input=3_000_000))))
    assert rates.cost(Tokens(input=tokens)) == cost


def test_a_kind_without_a_price_costs_what_its_parent_does() -> None:
    rates = Rates(Rate(input=2_000_000, output=3_000_000))
    assert rates.cost(Tokens(10, 10, 5, 5, 5, 5, 5)) == 50


def test_a_price_by_the_request_is_added_once() -> None:
    rates = prices().resolve("perplexity", "sonar-pro")
    assert rates is not None and rates.rate.request > 0
    assert rates.cost(Tokens()) == rates.rate.request // 1_000_000


any_count = st.integers(0, 100) | st.integers(0, 2**64 - 1)
any_rate = st.builds(Rate, *[any_count] * 2, *[st.none() | any_count] * 9, any_count)
any_tiers = st.dictionaries(st.integers(0, 100), any_rate, max_size=3)


def written_out(rates: Rates, tokens: Tokens) -> int:
    """What tokens cost by the rules as they are told: every token is given to one kind, and costs what that does."""
    reached = [tier.rate for tier in rates.tiers if tokens.input > tier.above]
    rate = reached[-1] if reached else rates.rate
    own_audio = rate.audio_input if rate.cached_input is None and rate.cached_audio is None else rate.cached_audio
    cached_audio = 0 if own_audio is None else min(tokens.cached_audio, tokens.cached_input)
    hour = 0 if rate.cache_write_1h is None else min(tokens.cache_write_1h, tokens.cache_write)
    given = [
        (cached_audio, own_audio),
        (tokens.cached_input - cached_audio, rate.cached_input),
        (hour, rate.cache_write_1h),
        (tokens.cache_write - hour, rate.cache_write),
        (tokens.audio_input, rate.audio_input),
        (tokens.image_input, rate.image_input),
    ]
    answered = [
        (tokens.audio_output, rate.audio_output),
        (tokens.image_output, rate.image_output),
        (tokens.reasoning, rate.reasoning),
    ]
    total = rate.request
    for left, plain, kinds in ((tokens.input, rate.input, given), (tokens.output, rate.output, answered)):
        for count, own in kinds:
            if own is not None:
                total += min(count, left) * own
                left -= min(count, left)
        total += left * plain
    return min((2 * total + 1_000_000) // 2_000_000, 2**63 - 1)


@given(any_rate, any_tiers, st.builds(Tokens, *[any_count] * 11))
def test_a_cost_is_what_the_rules_come_to(rate: Rate, tiers: dict[int, Rate], tokens: Tokens) -> None:
    rates = Rates(rate, tuple(Tier(above, tiers[above]) for above in sorted(tiers)))
    assert rates.cost(tokens) == written_out(rates, tokens)


@pytest.mark.parametrize("tokens", [Tokens(input=-1), Tokens(output=2**64)])
def test_what_is_no_count_has_no_cost(tokens: Tokens) -> None:
    with pytest.raises(OverflowError):
        Rates(Rate(input=1)).cost(tokens)


def test_rates_are_their_figures_whether_they_were_used_or_not() -> None:
    one, other = Rates(Rate(input=1), (Tier(5, Rate(2)),)), Rates(Rate(input=1), (Tier(5, Rate(2)),))
    shown = repr(one)
    assert one.cost(Tokens(1)) == 0
    assert one.core is one.core
    assert (one, hash(one), repr(one)) == (other, hash(other), shown)
    assert one != Rates(Rate(input=1))


counts = st.integers(min_value=0, max_value=10**7)
price_or_none = st.none() | st.integers(min_value=0, max_value=10**11)


@given(
    st.builds(Tokens, counts, counts, counts, counts, counts, counts, counts),
    st.builds(Rate, counts, counts, price_or_none, price_or_none, price_or_none, price_or_none, price_or_none),
)
def test_no_mistake_of_a_provider_is_billed_above_the_dearest_kind(tokens: Tokens, rate: Rate) -> None:
    input_rates = [rate.input, rate.cached_input or 0, rate.cache_write or 0, rate.audio_input or 0]
    output_rates = [rate.output, rate.reasoning or 0, rate.audio_output or 0]
    most = tokens.input * max(input_rates) + tokens.output * max(output_rates)
    assert 0 <= Rates(rate).cost(tokens) <= most // 1_000_000 + 1


def deepseek_at(hour: int, minute: int) -> Rates | None:
    return prices(datetime(2026, 11, 23, hour, minute, tzinfo=UTC).timestamp()).resolve("deepseek", "deepseek-flash")


def test_a_price_by_the_time_of_day_is_that_of_now() -> None:
    assert deepseek_at(0, 59) != deepseek_at(1, 0)
    assert deepseek_at(3, 59) == deepseek_at(1, 0)
    assert deepseek_at(4, 0) == deepseek_at(0, 59)


def test_what_was_looked_up_follows_the_clock() -> None:
    now = [datetime(2026, 11, 23, 0, 59, 59, tzinfo=UTC).timestamp()]
    catalogue = Prices(wall_s=lambda: now[0])
    before = catalogue.resolve("deepseek", "deepseek-flash")
    assert catalogue.resolve("deepseek", "deepseek-flash") is before
    now[0] += 1
    assert catalogue.resolve("deepseek", "deepseek-flash") == deepseek_at(1, 0) != before


def test_what_is_found_says_until_when_it_holds() -> None:
    now = [datetime(2026, 11, 23, 0, 52, tzinfo=UTC).timestamp()]
    find = Prices(wall_s=lambda: now[0]).finder("deepseek", "deepseek-flash")
    until_s, before = find.until_s, find()
    assert until_s == datetime(2026, 11, 23, 1, 0, tzinfo=UTC).timestamp()
    now[0] = math.nextafter(until_s, 0.0)
    assert (find.until_s, find()) == (until_s, before)
    now[0] = until_s
    assert find() != before
    assert find.until_s == until_s + 900


def test_what_does_not_change_holds_for_ever() -> None:
    rates = rates_of(Price(input_usd_mtok=1, output_usd_mtok=2))
    assert (Fixed(rates)(), UNPRICED()) == (rates, None)
    assert Fixed(rates) == Fixed(rates_of(Price(input_usd_mtok=1, output_usd_mtok=2)))
    assert Fixed(rates).until_s == UNPRICED.until_s == math.inf


def test_every_price_begins_and_ends_on_a_quarter_of_an_hour() -> None:
    from genai_prices.data_snapshot import get_snapshot

    for provider in get_snapshot().providers:
        for model in provider.models:
            for price in model.prices if isinstance(model.prices, list) else []:
                assert isinstance(price, ConditionalPrice)
                if isinstance(price.constraint, TimeOfDateConstraint):
                    for moment in (price.constraint.start_time, price.constraint.end_time):
                        assert (moment.minute % 15, moment.second) == (0, 0)
                        assert moment.utcoffset() in (None, UTC.utcoffset(None))


def test_names_that_clients_make_up_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price_module, "_MAX_REMEMBERED", 8)
    catalogue = prices()
    for number in range(50):
        catalogue.resolve("openai", f"made-up-{number}")
    assert len(catalogue._known) <= 8


def test_the_catalogue_is_imported_at_the_first_look_up() -> None:
    code = (
        "import sys\nfrom dragoman.usage.price import Prices\nfrom dragoman.config.schema import Price\n"
        "prices = Prices()\nprices.resolve('', 'm', Price(input_usd_mtok=1, output_usd_mtok=1))\n"
        "prices.resolve('', 'm')\n"
        "assert 'genai_prices' not in sys.modules\nprices.load()\nassert 'genai_prices' in sys.modules\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
