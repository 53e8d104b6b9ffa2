from __future__ import annotations

import time

import pytest

from dragoman.core import Hold, Ledger, LedgerScope, Refused

NOW_MS = 1_795_996_800_000  # 2026-11-30, a Monday


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger()
    ledger.freeze(NOW_MS)
    return ledger


def budget(ledger: Ledger, most: int, *, durable: bool = False) -> LedgerScope:
    number = ledger.rule("budget", "cost", most, period="month", durable=durable, levels=[0.5])
    return ledger.scope([(number, "team")])


def held(ledger: Ledger, scope: LedgerScope, cost_nanousd: int) -> Hold:
    hold = ledger.reserve(scope, cost_nanousd=cost_nanousd)
    assert isinstance(hold, Hold)
    return hold


def test_what_is_held_and_spent_stays_below_the_limit(ledger: Ledger) -> None:
    scope = budget(ledger, 10)
    first = held(ledger, scope, 7)
    refused = ledger.reserve(scope, cost_nanousd=4)
    assert isinstance(refused, Refused)
    assert (refused.rule, refused.who, refused.used, refused.asked) == (0, "team", 7, 4)
    assert refused.wait_s == 86_400
    assert (first.settle(cost_nanousd=2), first.settle(cost_nanousd=9), first.is_open) == (True, False, False)
    (standing,) = ledger.standings(scope)
    assert (standing.who, standing.spent, standing.held, standing.resets_s) == ("team", 2, 0, 86_400)
    assert ledger.held == 0
    assert (scope.counts_cost, scope.counts_tokens) == (True, False)


def test_what_nobody_settles_is_never_free(ledger: Ledger) -> None:
    scope = budget(ledger, 10)
    hold = held(ledger, scope, 7)
    del hold
    assert [(one.spent, one.held) for one in ledger.standings()] == [(7, 0)]


def test_what_is_released_is_given_back(ledger: Ledger) -> None:
    number = ledger.rule("requests", "requests", 1, period="sliding", sliding_s=60)
    scope = ledger.scope([(number, "key")])
    hold = ledger.reserve(scope)
    assert isinstance(hold, Hold)
    assert (hold.release(), hold.release()) == (True, False)
    assert isinstance(ledger.reserve(scope), Hold)


def test_more_is_held_as_far_as_it_fits(ledger: Ledger) -> None:
    hold = held(ledger, budget(ledger, 10), 4)
    assert (hold.extend(cost_nanousd=6), hold.extend(cost_nanousd=1)) == (True, False)
    hold.settle(cost_nanousd=9)
    assert hold.extend(cost_nanousd=1) is False


def test_what_is_durable_is_written_down_first(ledger: Ledger) -> None:
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


def test_levels_are_told_of_once(ledger: Ledger) -> None:
    scope = budget(ledger, 10)
    for _ in range(3):
        held(ledger, scope, 3).settle(cost_nanousd=3)
    assert ledger.crossings() == [(0, "team", 0.5, 6)]
    assert ledger.crossings() == []


def test_a_rule_in_shadow_is_named(ledger: Ledger) -> None:
    number = ledger.rule("soft", "tokens", 5, period="ever", enforced=False)
    hold = ledger.reserve(ledger.scope([(number, "x")]), tokens=6)
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
def test_bad_rules(measure: str, most: int, period: str, sliding_s: float | None, levels: list[float]) -> None:
    with pytest.raises(ValueError, match=r"measure|period|below zero"):
        Ledger().rule("x", measure, most, period=period, sliding_s=sliding_s, levels=levels)


def test_nothing_is_used_that_is_below_zero(ledger: Ledger) -> None:
    scope = budget(ledger, 10)
    with pytest.raises(ValueError, match="below zero"):
        ledger.reserve(scope, cost_nanousd=-1)
    hold = held(ledger, scope, 1)
    for wrong in (lambda: hold.settle(tokens=-1), lambda: hold.extend(cost_nanousd=-1)):
        with pytest.raises(ValueError, match="below zero"):
            wrong()
    hold.release()
