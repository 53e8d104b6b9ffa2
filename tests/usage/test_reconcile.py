from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from tests.usage.traffic import write

from dragoman.store.engine import Store
from dragoman.usage.bill import Bill
from dragoman.usage.reconcile import Drift, Line, compare
from dragoman.usage.row import UsageRow

MakeRow = Callable[..., UsageRow]
FIRST = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp() * 1000)
DAY_MS = 86_400_000
BILL = Bill(
    date(2026, 11, 1),
    date(2026, 11, 2),
    {("2026-11-01", "gpt-4o"): 1000, ("2026-11-02", "gpt-4o"): 500, ("2026-11-02", "o1"): 10},
)


@pytest.fixture
def drift(store: Store, make_row: MakeRow) -> Drift:
    def row(at_ms: int, model: str, cost: int | None, provider: str = "openai") -> UsageRow:
        return make_row(started_at_ms=at_ms, model=model, cost_nanousd=cost, provider=provider, input_tokens=1)

    rows = [
        row(FIRST, "gpt-4o-2024-08-06", 900),
        row(FIRST + DAY_MS - 1, "gpt-4o", 99),
        row(FIRST + DAY_MS, "gpt-4o", 505),
        row(FIRST + DAY_MS, "new", None),
        row(FIRST - 1, "gpt-4o", 7),
        row(FIRST + 2 * DAY_MS, "gpt-4o", 7),
        row(FIRST, "gpt-4o", 7, provider="azure"),
        make_row(started_at_ms=FIRST, provider="openai", model="refused", status=401),
    ]
    write(store.engine, rows)
    return compare(store.engine, BILL, "openai")


def test_each_day_of_a_model_is_compared(drift: Drift) -> None:
    assert drift.lines == [
        Line("2026-11-01", "gpt-4o", 1000, 999, 0),
        Line("2026-11-02", "gpt-4o", 500, 505, 0),
        Line("2026-11-02", "new", 0, 0, 1),
        Line("2026-11-02", "o1", 10, 0, 0),
    ]
    assert [line.drift_nanousd for line in drift.lines] == [-1, 5, 0, -10]
    assert [line.percent for line in drift.lines] == [-0.1, 1.0, None, -100.0]
    assert [line.percent_told for line in drift.lines] == ["-0.10 %", "+1.00 %", "-", "-100.00 %"]


def test_drifts_do_not_make_up_for_each_other(drift: Drift) -> None:
    assert (drift.whole.billed_nanousd, drift.whole.recorded_nanousd, drift.whole.unpriced) == (1510, 1504, 1)
    assert drift.apart_percent == pytest.approx(100 * 16 / 1510, abs=1e-3)
    assert drift.is_above(1.0)
    assert not drift.is_above(1.1)


def test_it_is_told_exactly(drift: Drift) -> None:
    told = drift.told()
    assert told["lines"][0] == {
        "day": "2026-11-01",
        "model": "gpt-4o",
        "billed_usd": "0.000001000",
        "recorded_usd": "0.000000999",
        "drift_usd": "-0.000000001",
        "drift_percent": -0.1,
        "unpriced": 0,
    }
    assert (told["provider"], told["whole"]["billed_usd"]) == ("openai", "0.000001510")


def test_a_bill_of_nothing_is_met_by_nothing_alone() -> None:
    assert not Drift("p", [Line("2026-11-01", "m", 0, 0, 0)]).is_above(0)
    assert Drift("p", [Line("2026-11-01", "m", 0, 1, 0)]).is_above(100)
