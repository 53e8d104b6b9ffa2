"""Compares what a provider charges with what is on record, by day and model.

How far they are apart is the sum of all drifts, up or down, over what is billed: a model that is billed twice and one
that is not billed at all must not make up for each other, and a cent more on a day of cents is no alarm.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

from msgspec import Struct
from sqlalchemy import Engine

from dragoman.usage.bill import Bill, plain_model
from dragoman.usage.question import Question
from dragoman.usage.report import report_usage
from dragoman.usage.sums import dollars


class Line(Struct, frozen=True):
    """What a day of a model was billed, and what is recorded of it."""

    day: str
    model: str
    billed_nanousd: int
    recorded_nanousd: int
    unpriced: int  # requests whose price is not known, which may be why

    @property
    def drift_nanousd(self) -> int:
        """What is recorded above what is billed."""
        return self.recorded_nanousd - self.billed_nanousd

    @property
    def percent(self) -> float | None:
        """The drift over what is billed; ``None``: nothing is."""
        return _percent(self.drift_nanousd, self.billed_nanousd)

    @property
    def percent_told(self) -> str:
        """For terminals."""
        return "-" if self.percent is None else f"{self.percent:+.2f} %"

    def told(self) -> dict[str, Any]:
        """For machines."""
        return {
            "day": self.day,
            "model": self.model,
            "billed_usd": dollars(self.billed_nanousd),
            "recorded_usd": dollars(self.recorded_nanousd),
            "drift_usd": dollars(self.drift_nanousd),
            "drift_percent": self.percent,
            "unpriced": self.unpriced,
        }


class Drift(Struct, frozen=True):
    """The comparison: a line for each day and model that one of both knows."""

    provider: str
    lines: list[Line]

    @property
    def whole(self) -> Line:
        """All lines together."""
        billed = sum(line.billed_nanousd for line in self.lines)
        recorded = sum(line.recorded_nanousd for line in self.lines)
        return Line("whole", "", billed, recorded, sum(line.unpriced for line in self.lines))

    @property
    def apart_percent(self) -> float | None:
        """All drifts, up or down, over what is billed; ``None``: nothing is billed."""
        return _percent(sum(abs(line.drift_nanousd) for line in self.lines), self.whole.billed_nanousd)

    def is_above(self, tolerance_percent: float) -> bool:
        """Whether they are further apart than that."""
        apart = self.apart_percent
        return self.whole.recorded_nanousd != 0 if apart is None else apart > tolerance_percent

    def told(self) -> dict[str, Any]:
        """For machines."""
        lines, whole = [line.told() for line in self.lines], self.whole.told()
        return {"provider": self.provider, "lines": lines, "whole": whole, "apart_percent": self.apart_percent}


def compare(engine: Engine, bill: Bill, provider: str) -> Drift:
    """Compare a bill with what is on record of a provider. Raises ``StoreError``."""
    since = datetime.combine(bill.first, time.min, UTC)
    until = datetime.combine(bill.last, time.min, UTC) + timedelta(days=1)
    question = Question(
        by=("day", "model"),
        since_ms=int(since.timestamp() * 1000),
        until_ms=int(until.timestamp() * 1000),
        where={"provider": (provider,)},
        with_times=False,
    )
    recorded: dict[tuple[str, str], int] = {}
    unpriced: dict[tuple[str, str], int] = {}
    for group in report_usage(engine, question).groups:
        day, model = group.values
        key = day, plain_model(model)
        recorded[key] = recorded.get(key, 0) + group.sums.cost_nanousd
        unpriced[key] = unpriced.get(key, 0) + group.sums.unpriced
    known = {key for key, cost in recorded.items() if cost or unpriced[key]} | bill.costs.keys()
    lines = [Line(*key, bill.costs.get(key, 0), recorded.get(key, 0), unpriced.get(key, 0)) for key in sorted(known)]
    return Drift(provider, lines)


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 4) if whole else None
