"""The balancer through its Python face. The rules themselves are tested in ``rust/core/src/balance``."""

from __future__ import annotations

import gc
import threading
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core import Balancer, Tier, backoff_s, retry_after_s

NOW = 1_795_341_600.0  # Sun, 22 Nov 2026 10:00:00 GMT


@pytest.fixture
def balancer() -> Balancer:
    balancer = Balancer(seed=1)
    balancer.freeze(0.0)
    return balancer


def tier_of(balancer: Balancer, *names: str, strategy: str = "latency", domain: str = "") -> Tier:
    members = [balancer.register(name, domain) for name in names]
    return balancer.tier(members, [1.0] * len(members), strategy=strategy)


def answer(balancer: Balancer, index: int, latency_ms: float) -> None:
    """Let one member answer, wherever choices would go."""
    ticket = balancer.choose(balancer.tier([index], [1.0], strategy="priority"))
    assert ticket is not None and ticket.index == index
    ticket.finish_success(latency_ms, latency_ms, 0)


def fail(balancer: Balancer, tier: Tier, times: int = 1) -> None:
    for _ in range(times):
        ticket = balancer.choose(tier)
        assert ticket is not None
        ticket.finish_failure()


def test_a_member_is_known_by_its_name_and_its_memory_stays(balancer: Balancer) -> None:
    first = balancer.register("openai/gpt#a", "openai", max_concurrent=3)
    assert balancer.register("openai/gpt#b", "openai") == first + 1
    answer(balancer, first, 120.0)
    assert balancer.register("openai/gpt#a", "elsewhere") == first
    state = balancer.members()[first]
    assert (state.name, state.domain, state.ewma_ms, state.requests) == ("openai/gpt#a", "elsewhere", 120.0, 1)


def test_the_quickest_is_chosen_and_says_why(balancer: Balancer) -> None:
    tier = tier_of(balancer, "slow", "quick", "unknown")
    answer(balancer, 0, 900.0)
    answer(balancer, 1, 100.0)
    untried = balancer.choose(tier)
    assert untried is not None and (untried.index, untried.reason) == (2, "untried")
    untried.finish_success(None, 400.0, 0)
    ticket = balancer.choose(tier)
    assert ticket is not None and (ticket.index, ticket.reason) == (1, "latency")


def test_the_same_seed_makes_the_same_choices() -> None:
    def choices(seed: int) -> list[int]:
        balancer = Balancer(seed=seed)
        tier = tier_of(balancer, "a", "b", "c", strategy="weighted")
        return [ticket.index for _ in range(50) if (ticket := balancer.choose(tier)) is not None]

    assert choices(7) == choices(7)
    assert choices(7) != choices(8)


def test_without_a_seed_no_two_choose_alike() -> None:
    def choices() -> list[int]:
        balancer = Balancer()
        tier = tier_of(balancer, *"abcdefgh", strategy="weighted")
        return [ticket.index for _ in range(64) if (ticket := balancer.choose(tier)) is not None]

    assert choices() != choices()


def test_weights_divide_the_traffic(balancer: Balancer) -> None:
    members = [balancer.register(name) for name in "ab"]
    tier = balancer.tier(members, [3.0, 1.0], strategy="weighted")
    counts = Counter(ticket.index for _ in range(4000) if (ticket := balancer.choose(tier)) is not None)
    assert 0.72 < counts[0] / 4000 < 0.78


def test_the_cheapest_comes_first_and_the_unpriced_last(balancer: Balancer) -> None:
    members = [balancer.register(name) for name in "abc"]
    tier = balancer.tier(members, [1.0] * 3, prices=[float("inf"), 3.0, 2.0], strategy="cheapest")
    assert [step.index for step in balancer.plan(tier)] == [2, 1, 0]


def test_a_session_keeps_its_home_across_processes(balancer: Balancer) -> None:
    other = Balancer(seed=99)
    tiers = [tier_of(one, "a", "b", "c", strategy="session") for one in (balancer, other)]
    for session in (0, 1, 2**64 - 1):
        homes = set()
        for one, tier in zip((balancer, other), tiers, strict=True):
            ticket = one.choose(tier, session=session)
            assert ticket is not None and ticket.reason == "session"
            homes.add(ticket.index)
        assert len(homes) == 1


def test_what_was_tried_is_left_out_until_it_may_be_tried_again(balancer: Balancer) -> None:
    tier = tier_of(balancer, "a", "b", strategy="priority")
    for tried in ([0], (0,)):
        ticket = balancer.choose(tier, tried=tried)
        assert ticket is not None and ticket.index == 1
    assert balancer.choose(tier, tried=[1, 0]) is None
    again = balancer.choose(tier, tried=[1, 0], again=True)
    assert again is not None and again.index == 1


def test_another_failure_domain_comes_first(balancer: Balancer) -> None:
    members = [balancer.register("a1", "a"), balancer.register("a2", "a"), balancer.register("b", "b")]
    tier = balancer.tier(members, [1.0] * 3, strategy="priority")
    ticket = balancer.choose(tier, tried=[0])
    assert ticket is not None and ticket.index == 2


def test_full_members_are_not_chosen(balancer: Balancer) -> None:
    tier = balancer.tier([balancer.register("only", max_concurrent=2)], [1.0], strategy="latency")
    held = [balancer.choose(tier), balancer.choose(tier)]
    assert balancer.choose(tier) is None
    assert balancer.plan(tier)[0].why == "full: 2 in flight"
    del held[0]
    gc.collect()
    assert balancer.choose(tier) is not None


def test_a_ticket_settles_once_and_a_dropped_one_is_no_failure(balancer: Balancer) -> None:
    tier = tier_of(balancer, "a")
    ticket = balancer.choose(tier)
    assert ticket is not None
    ticket.finish_neutral()
    ticket.finish_failure()
    ticket.first_token(5.0)
    balancer.choose(tier)
    gc.collect()
    state = balancer.members()[0]
    assert (state.in_flight, state.requests, state.failures, state.success_ratio) == (0, 2, 0, 1.0)


def test_five_failures_open_the_breaker_and_one_probe_closes_it(balancer: Balancer) -> None:
    tier = tier_of(balancer, "a", "b", strategy="priority")
    fail(balancer, tier, times=5)
    state = balancer.members()[0]
    assert state.breaker == "open" and 5.0 <= state.cooldown_left_s <= 6.25
    other = balancer.choose(tier)
    assert other is not None and other.index == 1
    balancer.freeze(7.0)
    probe = balancer.choose(tier)
    assert probe is not None and (probe.index, probe.reason) == (0, "probe")
    assert balancer.members()[0].breaker == "half_open"
    probe.first_token(80.0)
    assert balancer.members()[0].breaker == "closed"


def test_with_all_open_only_a_first_attempt_is_a_last_resort(balancer: Balancer) -> None:
    tier = tier_of(balancer, "a", "b")
    for wait_s in (60.0, 30.0):
        ticket = balancer.choose(tier)
        assert ticket is not None
        ticket.finish_limited(wait_s)
    first = balancer.choose(tier)
    assert first is not None and first.reason == "last_resort"
    assert balancer.choose(tier, last_resort=False) is None
    assert balancer.choose(tier, tried=[first.index]) is None


@pytest.mark.parametrize(
    ("wait_s", "left_s"), [(7.0, 7.0), (0.0, 0.0), (-5.0, 0.0), (1e12, 3600.0), (float("nan"), 0.0), (None, 0.0)]
)
def test_a_limited_member_rests_as_long_as_it_asks(balancer: Balancer, wait_s: float | None, left_s: float) -> None:
    tier = tier_of(balancer, "a")
    ticket = balancer.choose(tier)
    assert ticket is not None
    ticket.finish_limited(wait_s)
    assert balancer.members()[0].cooldown_left_s == left_s


def test_a_refused_credential_rests_for_minutes(balancer: Balancer) -> None:
    tier = tier_of(balancer, "a")
    ticket = balancer.choose(tier)
    assert ticket is not None
    ticket.finish_auth()
    assert balancer.members()[0].cooldown_left_s >= 300


def test_a_wait_that_nobody_ended_counts_as_latency(balancer: Balancer) -> None:
    tier = tier_of(balancer, "a")
    for waited_ms in (None, 20_000.0):
        ticket = balancer.choose(tier)
        assert ticket is not None
        ticket.finish_cancelled(waited_ms)
    assert balancer.members()[0].ewma_ms == 20_000.0


def test_long_answers_do_not_condemn(balancer: Balancer) -> None:
    tier_of(balancer, "a", "b")
    for tokens in (2000, 3000):
        ticket = balancer.choose(balancer.tier([0], [1.0], strategy="priority"))
        assert ticket is not None
        ticket.finish_success(None, 500.0 + 20.0 * tokens, tokens)
    assert balancer.members()[0].ewma_ms == pytest.approx(500.0)


def test_the_retry_budget_is_a_share_with_a_floor(balancer: Balancer) -> None:
    tier = tier_of(balancer, "a")
    for _ in range(500):
        balancer.choose(tier)
    assert sum(balancer.may_retry(0) for _ in range(200)) == 50
    assert balancer.members()[0].retries_denied == 150
    balancer.freeze(30.0)
    assert sum(balancer.may_retry(0) for _ in range(200)) == 10
    assert not balancer.may_retry(12345)


def test_hedges_wait_for_the_live_percentile_and_are_paid_for(balancer: Balancer) -> None:
    tier = tier_of(balancer, "a")
    assert balancer.hedge_delay_s(tier, 0.95, 0.02) is None
    for _ in range(100):
        ticket = balancer.choose(tier)
        assert ticket is not None
        ticket.finish_success(200.0, 900.0, 40)
    delay_s = balancer.hedge_delay_s(tier, 0.95, 0.02)
    assert delay_s is not None and 0.2 <= delay_s <= 0.22
    assert [balancer.may_hedge(0, 0.02) for _ in range(3)] == [True, True, False]
    assert balancer.hedge_delay_s(tier, 0.95, 0.02) is None


def test_a_plan_tells_all_and_changes_nothing(balancer: Balancer) -> None:
    tier = tier_of(balancer, "a", "b", "c", strategy="priority")
    fail(balancer, tier, times=5)
    before = [(state.requests, state.in_flight) for state in balancer.members()]
    steps = balancer.plan(tier, last_resort=False)
    assert [(step.index, step.reason) for step in steps] == [(1, "priority"), (2, "priority"), (0, None)]
    assert steps[0].why == "number 2 in order"
    assert steps[2].why.startswith("cooling down for another ")
    assert [step.index for step in balancer.plan(tier, tried=[1], last_resort=True)] == [2, 0, 1]
    assert [(state.requests, state.in_flight) for state in balancer.members()] == before


def test_what_cannot_be_is_refused(balancer: Balancer) -> None:
    index = balancer.register("a")
    refused: list[tuple[list[int], list[float], list[float] | None, str]] = [
        ([], [], None, "latency"),
        ([index + 1], [1.0], None, "latency"),
        ([index], [0.0], None, "latency"),
        ([index], [float("nan")], None, "latency"),
        ([index], [1.0, 2.0], None, "latency"),
        ([index], [1.0], [], "latency"),
        ([index], [1.0], [-1.0], "latency"),
        ([index], [1.0], None, "fastest"),
    ]
    for members, weights, prices, strategy in refused:
        with pytest.raises(ValueError, match=r"\w"):
            balancer.tier(members, weights, prices=prices, strategy=strategy)
    for decay_s in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="decay_s"):
            Balancer(decay_s=decay_s)
    for budget in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="retry_budget"):
            Balancer(retry_budget=budget)
    with pytest.raises(ValueError, match="now_s"):
        balancer.freeze(-1.0)


def test_threads_share_one_balancer_and_one_probe() -> None:
    balancer = Balancer(seed=3)
    balancer.freeze(0.0)
    tier = tier_of(balancer, "a", "b")
    answer(balancer, 1, 50.0)
    fail(balancer, balancer.tier([0], [1.0], strategy="priority"), times=5)
    balancer.freeze(60.0)
    reasons: list[str] = []
    held = []

    def work() -> None:
        for _ in range(200):
            ticket = balancer.choose(tier)
            assert ticket is not None
            reasons.append(ticket.reason)
            held.append(ticket)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reasons.count("probe") == 1
    assert sum(state.in_flight for state in balancer.members()) == 1600
    for ticket in held:
        ticket.finish_neutral()
    assert sum(state.in_flight for state in balancer.members()) == 0


def test_the_clock_runs_until_it_is_frozen() -> None:
    balancer = Balancer()
    tier = tier_of(balancer, "a")
    ticket = balancer.choose(tier)
    assert ticket is not None
    ticket.finish_limited(3000.0)
    time.sleep(0.01)
    assert 0 < balancer.members()[0].cooldown_left_s < 3000.0


@pytest.mark.parametrize(
    ("headers", "body", "wait_s"),
    [
        ([("Retry-After", "7")], b"", 7.0),
        ([("retry-after", "-1")], b"", 0.0),
        ([("retry-after", "1e9")], b"", 3600.0),
        ([("retry-after", "abc")], b"", None),
        ([("retry-after", "")], b"", None),
        ([("retry-after", "Sun, 22 Nov 2026 10:00:30 GMT")], b"", 30.0),
        ([("retry-after", "Sunday, 22-Nov-26 10:00:30 GMT")], b"", 30.0),
        ([("date", "Sun, 22 Nov 2026 08:00:00 GMT"), ("retry-after", "Sun, 22 Nov 2026 08:00:20 GMT")], b"", 20.0),
        ([("retry-after-ms", "1500"), ("retry-after", "2")], b"", 1.5),
        ([("x-ratelimit-reset-tokens", "6m0s")], b"", 360.0),
        ([("x-ratelimit-reset-requests", "17ms")], b"", 0.017),
        ([], b"Please try again in 5.289s.", 5.289),
        ([], b'{"retryDelay": "17s"}', 17.0),
        ([], b"\xff\xfe", None),
    ],
)
def test_how_long_an_answer_asks_to_be_left_alone(
    headers: list[tuple[str, str]], body: bytes, wait_s: float | None
) -> None:
    assert retry_after_s(headers, body, NOW) == (None if wait_s is None else pytest.approx(wait_s))


@given(
    st.lists(st.tuples(st.text(max_size=12), st.text(max_size=30)), max_size=4), st.binary(max_size=200), st.floats()
)
def test_nothing_makes_it_wait_longer_than_an_hour(headers: list[tuple[str, str]], body: bytes, now: float) -> None:
    wait_s = retry_after_s([*headers, ("retry-after", headers[0][1] if headers else "")], body, now)
    assert wait_s is None or 0 <= wait_s <= 3600


def test_backoff_is_full_jitter_under_a_doubling_ceiling() -> None:
    assert [backoff_s(attempt, 1.0) for attempt in range(7)] == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    assert backoff_s(3, 0.25) == 0.5
    assert backoff_s(3, 0.0) == 0.0
