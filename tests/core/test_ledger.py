from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.awaited import reserve
from tests.ledger.test_bound import call, counted, deployment, plan

from dragoman.config.limiting import Accounting
from dragoman.core import Hold, Ledger, LedgerScope, Redis, Refused, SharedLedger, period_slot
from dragoman.ledger.bound import bound_of
from dragoman.usage.price import Rate, Rates, Tier

NOW_MS = 1_795_996_800_000  # 2026-11-30, a Monday
DAY_MS = 86_400_000
AnyLedger = Ledger | SharedLedger


@pytest.fixture(params=["here", "redis"])
def ledger(request: pytest.FixtureRequest) -> AnyLedger:
    """A ledger of this process alone, and one that is counted in Redis."""
    if request.param == "here":
        ledger: AnyLedger = Ledger()
    else:
        redis: Redis = request.getfixturevalue("redis")
        ledger = redis.ledger("p1")
    ledger.freeze(NOW_MS)
    return ledger


def budget(ledger: AnyLedger, most: int, *, durable: bool = False) -> LedgerScope:
    number = ledger.rule("budget", "cost", most, period="month", durable=durable, levels=[0.5])
    return ledger.scope([(number, "team")])


def held(ledger: AnyLedger, scope: LedgerScope, cost_nanousd: int) -> Hold:
    hold = reserve(ledger, scope, cost_nanousd=cost_nanousd)
    assert isinstance(hold, Hold)
    return hold


def test_what_is_held_and_spent_stays_below_the_limit(ledger: AnyLedger) -> None:
    scope = budget(ledger, 10)
    first = held(ledger, scope, 7)
    refused = reserve(ledger, scope, cost_nanousd=4)
    assert isinstance(refused, Refused)
    assert (refused.rule, refused.who, refused.used, refused.asked) == (0, "team", 7, 4)
    assert refused.wait_s == 86_400
    assert (first.settle(cost_nanousd=2), first.settle(cost_nanousd=9), first.is_open) == (True, False, False)
    (standing,) = ledger.standings(scope)
    assert (standing.who, standing.spent, standing.held, standing.resets_s) == ("team", 2, 0, 86_400)
    assert ledger.held == 0
    assert (scope.counts_cost, scope.counts_tokens) == (True, False)


def test_what_nobody_settles_is_never_free(ledger: AnyLedger) -> None:
    scope = budget(ledger, 10)
    hold = held(ledger, scope, 7)
    del hold
    assert [(one.spent, one.held) for one in ledger.standings()] == [(7, 0)]


def test_what_is_released_is_given_back(ledger: AnyLedger) -> None:
    number = ledger.rule("requests", "requests", 1, period="sliding", sliding_s=60)
    scope = ledger.scope([(number, "key")])
    hold = reserve(ledger, scope)
    assert isinstance(hold, Hold)
    assert (hold.release(), hold.release()) == (True, False)
    assert isinstance(reserve(ledger, scope), Hold)


def test_what_is_durable_is_written_down_first() -> None:
    ledger = Ledger()
    ledger.freeze(NOW_MS)
    scope = budget(ledger, 1_000, durable=True)
    assert ledger.reserve(scope, cost_nanousd=5) is None
    rows = ledger.unsaved()
    assert [(row[1], row[3], row[4] >= 5) for row in rows] == [("team", 0, True)]
    ledger.saved(rows)
    held(ledger, scope, 5).settle(cost_nanousd=3)
    ((*_, spent, claimed, leaves_ms),) = ledger.closing()
    assert (spent, claimed, leaves_ms) == (3, 3, NOW_MS + 86_400_000)

    after_a_crash = Ledger()
    after_a_crash.freeze(NOW_MS)
    scope = budget(after_a_crash, 1_000, durable=True)
    after_a_crash.restore(rows)
    assert after_a_crash.standings(scope)[0].spent == rows[0][4]


def test_levels_are_told_of_once(ledger: AnyLedger) -> None:
    scope = budget(ledger, 10)
    for _ in range(3):
        held(ledger, scope, 3).settle(cost_nanousd=3)
    assert ledger.held == 0
    assert ledger.crossings() == [(0, "team", 0.5, 6)]
    assert ledger.crossings() == []


def test_a_rule_in_shadow_is_named(ledger: AnyLedger) -> None:
    number = ledger.rule("soft", "tokens", 5, period="ever", enforced=False)
    hold = reserve(ledger, ledger.scope([(number, "x")]), tokens=6)
    assert isinstance(hold, Hold)
    assert hold.shadowed == [number]


def test_the_clock_runs() -> None:
    ledger = Ledger()
    assert abs(ledger.now_ms - time.time() * 1000) < 60_000
    ledger.sweep()


@pytest.mark.parametrize(
    ("measure", "most", "period", "sliding_s", "levels"),
    [
        ("money", 1, "day", None, []),
        ("cost", -1, "day", None, []),
        ("cost", 1, "fortnight", None, []),
        ("cost", 1, "sliding", None, []),
        ("cost", 1, "sliding", 0.0, []),
        ("cost", 1, "sliding", float("nan"), []),
        ("cost", 1, "day", 60.0, []),
        ("cost", 1, "day", None, [0.0]),
        ("cost", 1, "day", None, [float("nan")]),
    ],
)
def test_bad_rules(
    ledger: AnyLedger, measure: str, most: int, period: str, sliding_s: float | None, levels: list[float]
) -> None:
    with pytest.raises(ValueError, match=r"measure|period|below zero"):
        ledger.rule("x", measure, most, period=period, sliding_s=sliding_s, levels=levels)


def test_nothing_is_used_that_is_below_zero(ledger: AnyLedger) -> None:
    scope = budget(ledger, 10)
    with pytest.raises(ValueError, match="below zero"):
        ledger.reserve(scope, cost_nanousd=-1)
    hold = held(ledger, scope, 1)
    with pytest.raises(ValueError, match="below zero"):
        hold.settle(tokens=-1)
    hold.release()


def test_a_scope_of_another_ledger(ledger: AnyLedger) -> None:
    other = Ledger()
    scope = budget(other, 10)
    with pytest.raises(ValueError, match="another ledger"):
        reserve(ledger, scope)
    with pytest.raises(ValueError, match="another ledger"):
        ledger.standings(scope)


def test_what_slides_counts_for_its_whole_period(ledger: AnyLedger) -> None:
    number = ledger.rule("pace", "requests", 3, period="sliding", sliding_s=60)
    scope = ledger.scope([(number, "key")])
    for second in (0, 30, 59):
        ledger.freeze(NOW_MS + second * 1000)
        hold = reserve(ledger, scope)
        assert isinstance(hold, Hold)
        hold.settle()
    ledger.freeze(NOW_MS + 60_000)
    refused = reserve(ledger, scope)
    assert isinstance(refused, Refused)
    assert refused.wait_s == 1.0
    ledger.freeze(NOW_MS + 61_000)
    assert isinstance(reserve(ledger, scope), Hold)
    assert [(one.spent, one.held, one.resets_s) for one in ledger.standings(scope)] == [(3, 0, 30.0)]
    ledger.freeze(NOW_MS + 10 * DAY_MS)
    assert [(one.spent, one.held) for one in ledger.standings(scope)] == [(0, 0)]


def test_what_ends_late_counts_where_it_began(ledger: AnyLedger) -> None:
    number = ledger.rule("daily", "requests", 2, period="day")
    scope = ledger.scope([(number, "key")])
    late = reserve(ledger, scope)
    assert isinstance(late, Hold)
    ledger.freeze(NOW_MS + DAY_MS)
    assert [(one.spent, one.held) for one in ledger.standings(scope)] == [(0, 0)]
    late.settle()
    assert [(one.spent, one.held) for one in ledger.standings(scope)] == [(0, 0)]
    assert isinstance(reserve(ledger, scope), Hold)


def test_requests_at_the_same_time(ledger: AnyLedger) -> None:
    number = ledger.rule("at-once", "concurrent", 2, period="ever")
    scope = ledger.scope([(number, "key")])
    holds = [reserve(ledger, scope) for _ in range(3)]
    refused = holds.pop()
    assert isinstance(refused, Refused)
    assert (refused.used, refused.wait_s) == (2, 1.0)
    assert isinstance(holds[0], Hold)
    holds[0].settle()
    assert isinstance(reserve(ledger, scope), Hold)


def test_all_limits_or_none(ledger: AnyLedger) -> None:
    wide = ledger.rule("wide", "requests", 9, period="sliding", sliding_s=3600)
    narrow = ledger.rule("narrow", "tokens", 10, period="sliding", sliding_s=60)
    scope = ledger.scope([(wide, "a"), (narrow, "b")])
    first = reserve(ledger, scope, tokens=8)
    assert isinstance(first, Hold)
    assert (first.requests_left, first.tokens_left) == ((9, 8, 3660.0), (10, 2, 61.0))
    refused = reserve(ledger, scope, tokens=3)
    assert isinstance(refused, Refused)
    assert refused.rule == narrow
    assert [(one.spent, one.held) for one in ledger.standings(scope)] == [(0, 1), (0, 8)]
    never = reserve(ledger, scope, tokens=11)
    assert isinstance(never, Refused)
    assert never.wait_s is None


def test_a_limit_that_changes_keeps_what_it_has_counted(ledger: AnyLedger) -> None:
    scope = budget(ledger, 10)
    held(ledger, scope, 8).settle(cost_nanousd=8)
    budget(ledger, 20)
    held(ledger, scope, 12).release()
    budget(ledger, 7)
    assert isinstance(reserve(ledger, scope, cost_nanousd=0), Refused)


@pytest.mark.parametrize(
    ("period", "sliding_s", "slot"),
    [
        ("day", None, (NOW_MS, NOW_MS + DAY_MS)),
        ("ever", None, (0, None)),
        ("sliding", 60.0, (NOW_MS, NOW_MS + 61_000)),
    ],
)
def test_slots(period: str, sliding_s: float | None, slot: tuple[int, int | None]) -> None:
    assert period_slot(period, sliding_s, NOW_MS + 1) == slot


def test_what_is_left_in_openai_s_headers(ledger: AnyLedger) -> None:
    pace = ledger.rule("pace", "requests", 10, period="sliding", sliding_s=60.0)
    size = ledger.rule("size", "tokens", 1000, period="ever")
    hold = reserve(ledger, ledger.scope([(pace, ""), (size, "")]), tokens=400)
    assert isinstance(hold, Hold)
    reset = hold.headers()[2]
    assert hold.headers() == [
        ("x-ratelimit-limit-requests", "10"),
        ("x-ratelimit-remaining-requests", "9"),
        reset,
        ("x-ratelimit-limit-tokens", "1000"),
        ("x-ratelimit-remaining-tokens", "600"),
    ]
    assert reset[0] == "x-ratelimit-reset-requests"
    assert re.fullmatch(r"[0-9]+(m[0-9]+)?(\.[0-9]+)?s", reset[1])
    assert held(ledger, budget(ledger, 10), 1).headers() == []


@given(
    body=st.fixed_dictionaries(
        {"messages": st.just([])},
        optional={
            "max_tokens": st.integers(0, 300) | st.none(),
            "max_completion_tokens": st.integers(0, 300),
            "n": st.integers(1, 3),
            "best_of": st.integers(0, 10**30),
            "modalities": st.just(["audio"]),
            "cache_control": st.just({}),
        },
    ),
    longest=st.none() | st.integers(1, 200),
)
def test_a_chat_is_held_for_at_once_as_it_is_step_by_step(body: dict[str, Any], longest: int | None) -> None:
    rates = Rates(Rate(1_000_000, 3_000_000, cache_write=2_000_000, audio_output=9_000_000), (Tier(250, Rate(7, 8)),))
    ledger = Ledger()
    ledger.freeze(NOW_MS)
    scope = ledger.scope([(ledger.rule(measure, measure, 10**15, period="ever"), "") for measure in ("tokens", "cost")])
    chat, here = call(**body), plan(deployment(rates, longest))
    one = counted(8)
    bound = bound_of(chat, here, one, Accounting(output_tokens=77))
    assert chat.body is not None
    pricing, _ = here.ceiling.now()
    hold = ledger.take(scope, (pricing, chat.body), one.tokens, 77)
    assert isinstance(hold, Hold)
    held = {standing.rule: standing.held for standing in ledger.standings(scope)}
    assert list(held.values()) == [bound.tokens, bound.cost_nanousd]


def test_a_chat_that_is_refused_is_not_held_for_at_once() -> None:
    ledger = Ledger()
    ledger.freeze(NOW_MS)
    scope = ledger.scope([(ledger.rule("size", "tokens", 9, period="ever"), "")])
    pricing, _ = plan(deployment(max_output=100)).ceiling.now()
    small, large = call(max_tokens=1).body, call(max_tokens=2).body
    assert small is not None
    assert large is not None
    assert ledger.take(scope, (pricing, large), 8, 77) is None
    assert ledger.held == 0
    hold = ledger.take(scope, (pricing, small), 8, 77)
    assert hold is not None
    assert hold.release()
