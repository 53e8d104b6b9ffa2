"""Adds usage up: by team, model, tag, day, or several of these.

One query groups in the database, by the dimensions and by a class of latency; the rest is addition here. That is
portable, reads every row once, and lets a row with several tags count for each of them. Latency classes are a quarter
wide each, so a percentile is right to within 12 %.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Engine, Row, Select, case, func, or_, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from dragoman.errors import StoreError
from dragoman.store.tables import keys, usage

_NANO = 1_000_000_000
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_PERIODS_MS = {"m": 60_000, "h": _HOUR_MS, "d": _DAY_MS, "w": 7 * _DAY_MS}
_LARGEST_ADDED = 10**15  # a million dollars, in one request
_CLASS_RATIO = 1.25
_CLASS_BOUNDS_MS = tuple(math.pow(_CLASS_RATIO, step) for step in range(60))  # 1 ms to 520 s
_CLASS_MIDDLES_MS = tuple(bound / math.sqrt(_CLASS_RATIO) for bound in _CLASS_BOUNDS_MS)

# Each way to group, and the column that it reads.
DIMENSIONS: dict[str, ColumnElement[Any]] = {
    "organisation": usage.c.organisation,
    "team": usage.c.team,
    "user": usage.c.user,
    "app": usage.c.app,
    "key": func.coalesce(keys.c.name, usage.c.key_id),  # a key made anew under the old name is the same to its owner
    "key_id": usage.c.key_id,
    "tag": usage.c.tags,
    "end_user": usage.c.end_user,
    "alias": usage.c.alias,
    "provider": usage.c.provider,
    "model": usage.c.model,
    "deployment": usage.c.deployment,
    "credential": usage.c.credential,
    "endpoint": usage.c.endpoint,
    "status": usage.c.status,
    "error": usage.c.error_code,
    "finish_reason": usage.c.finish_reason,
    "day": usage.c.started_at_ms // _DAY_MS,
    "hour": usage.c.started_at_ms // _HOUR_MS,
}
_TIME_STEPS = {"day": (_DAY_MS, "%Y-%m-%d"), "hour": (_HOUR_MS, "%Y-%m-%dT%HZ")}


class Question(Struct, frozen=True, kw_only=True):
    """What to add up: by these dimensions, from ``since_ms`` (included) to ``until_ms`` (not included), Unix time."""

    by: tuple[str, ...] = ()
    since_ms: int | None = None
    until_ms: int | None = None
    key_id: str | None = None  # of this key alone


class Sums(Struct, kw_only=True):
    """What a group of rows comes to. ``cost_nanousd`` is of the priced rows; ``unpriced`` ones used tokens too."""

    requests: int = 0
    errors: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    audio_input_tokens: int = 0
    audio_output_tokens: int = 0
    cost_nanousd: int = 0
    unpriced: int = 0
    total_ms: float = 0.0
    latency_classes: dict[int, int] = {}

    def add(self, row: Row[*tuple[Any, ...]]) -> None:
        """Add a group that the database has summed."""
        for name in _SUMMED:
            before = getattr(self, name)
            # PostgreSQL sums whole numbers into decimals.
            setattr(self, name, before + type(before)(getattr(row, name) or 0))
        self.latency_classes[row.latency_class] = self.latency_classes.get(row.latency_class, 0) + row.requests

    @property
    def mean_ms(self) -> float:
        """The mean of the whole time."""
        return self.total_ms / self.requests if self.requests else 0.0

    def percentile_ms(self, share: float) -> float:
        """The time that ``share`` of the requests took at most, to within 12 %."""
        classes = sorted(self.latency_classes.items())
        if not classes:
            return 0.0
        reached = list(accumulate(count for _, count in classes))
        found = classes[bisect_left(reached, share * self.requests)][0]
        return _CLASS_MIDDLES_MS[min(found, len(_CLASS_MIDDLES_MS) - 1)]

    def told(self) -> dict[str, int | str | float]:
        """Everything, for machines."""
        return {
            "requests": self.requests,
            "errors": self.errors,
            "input_tokens": self.input_tokens,
            "cached_input_tokens": self.cached_input_tokens,
            "cache_write_tokens": self.cache_write_tokens,
            "output_tokens": self.output_tokens,
            "reasoning_tokens": self.reasoning_tokens,
            "audio_input_tokens": self.audio_input_tokens,
            "audio_output_tokens": self.audio_output_tokens,
            "cost_usd": dollars(self.cost_nanousd),
            "unpriced": self.unpriced,
            "mean_ms": round(self.mean_ms, 1),
            "p50_ms": round(self.percentile_ms(0.5), 1),
            "p95_ms": round(self.percentile_ms(0.95), 1),
        }


_SUMMED = tuple(name for name in Sums.__struct_fields__ if name != "latency_classes")


class Group(Struct, frozen=True):
    """One line of a report: the values of the dimensions, in the order asked for, and the sums."""

    values: tuple[str, ...]
    sums: Sums


class Report(Struct, frozen=True):
    """The groups, and the whole. Groups by tag may come to more: a row counts for each of its tags."""

    groups: list[Group]
    whole: Sums


def dollars(cost_nanousd: int) -> str:
    """Exactly: all nine decimals."""
    sign = "-" if cost_nanousd < 0 else ""
    whole, rest = divmod(abs(cost_nanousd), _NANO)
    return f"{sign}{whole}.{rest:09d}"


def report_usage(engine: Engine, question: Question) -> Report:
    """Add up. Groups by time come in its order, others the dearest first. Raises ``StoreError``."""
    try:
        with engine.connect() as connection:
            rows = connection.execute(usage_query(question)).all()
    except SQLAlchemyError as error:
        raise StoreError(f"usage cannot be read: {error.orig if isinstance(error, DBAPIError) else error}") from error
    return _collect(rows, question.by)


def usage_query(question: Question) -> Select[*tuple[Any, ...]]:
    """The query behind a report. What the question says goes in as bound values."""
    dimensions = [DIMENSIONS[name].label(f"by_{name}") for name in question.by]
    query = (
        select(*dimensions, _latency_class().label("latency_class"), *_aggregates())
        .select_from(usage.outerjoin(keys, keys.c.id == usage.c.key_id))
        .group_by(*dimensions, "latency_class")
    )
    if question.since_ms is not None:
        query = query.where(usage.c.started_at_ms >= question.since_ms)
    if question.until_ms is not None:
        query = query.where(usage.c.started_at_ms < question.until_ms)
    if question.key_id is not None:
        query = query.where(usage.c.key_id == question.key_id)
    return query


def parse_moment_ms(text: str, now_ms: int) -> int:
    """Unix milliseconds of ``7d`` (also m, h, w: so long ago), a date, or an RFC 3339 time; UTC where no zone is said.

    Raises ``ValueError``.
    """
    period = re.fullmatch(r"(\d{1,6})([mhdw])", text)
    if period:
        return now_ms - int(period[1]) * _PERIODS_MS[period[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is neither a period (30m, 24h, 7d, 2w) nor a date (2026-11-30) nor a time"
        ) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _latency_class() -> ColumnElement[int]:
    arms = [(usage.c.total_ms < bound, number) for number, bound in enumerate(_CLASS_BOUNDS_MS)]
    return case(*arms, else_=len(_CLASS_BOUNDS_MS))


def _aggregates() -> list[ColumnElement[Any]]:
    failed = or_(usage.c.status >= 400, usage.c.error_code != "")
    without_price = usage.c.cost_nanousd.is_(None) & (usage.c.input_tokens + usage.c.output_tokens > 0)
    special: dict[str, ColumnElement[Any]] = {
        "requests": func.count(),
        "errors": func.sum(case((failed, 1), else_=0)),
        "unpriced": func.sum(case((without_price, 1), else_=0)),
    }
    return [(special[name] if name in special else _sum(usage.c[name])).label(name) for name in _SUMMED]


def _sum(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The sum. One absurd figure of a provider must not overflow it, which would end every report with an error."""
    return func.sum(case((column > _LARGEST_ADDED, _LARGEST_ADDED), else_=column))


def _collect(rows: Iterable[Row[*tuple[Any, ...]]], by: tuple[str, ...]) -> Report:
    groups: dict[tuple[str, ...], Sums] = {}
    whole = Sums()
    for row in rows:
        whole.add(row)
        for values in _values(row, by):
            groups.setdefault(values, Sums()).add(row)
    if by and by[0] in _TIME_STEPS:
        order = sorted(groups)
    else:
        order = sorted(groups, key=lambda values: (-groups[values].cost_nanousd, -groups[values].requests, values))
    return Report([Group(values, groups[values]) for values in order], whole)


def _values(row: Row[*tuple[Any, ...]], by: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The groups that a row belongs to: one, or one for each of its tags."""
    found: list[tuple[str, ...]] = [()]
    for name in by:
        value = getattr(row, f"by_{name}")
        options = sorted(set(value.split(","))) if name == "tag" else [_shown(name, value)]
        found = [(*values, option) for values in found for option in options]
    return found


def _shown(name: str, value: object) -> str:
    if name not in _TIME_STEPS:
        return str(value)
    step_ms, form = _TIME_STEPS[name]
    return datetime.fromtimestamp(int(str(value)) * step_ms / 1000, UTC).strftime(form)
