"""Adds rows up themselves: for what no rollup tells, and for the ends of a period.

The database groups, by the dimensions and by the class of latency (``core.Quantiles`` tells which class a time is of);
the rest is addition here. That is portable, and lets a row with several tags count for each of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Select,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
)

from dragoman.store.tables import keys, usage
from dragoman.usage.pieces import Piece
from dragoman.usage.question import TIME_STEPS_S, Question, shown
from dragoman.usage.sums import COUNTED, LARGEST_ADDED, Groups, Sums

Columns = Mapping[str, ColumnElement[Any]]

# A key made anew under the old name is the same to its owner.
_COLUMNS: Columns = {
    **{name: usage.c[name] for name in ("organisation", "team", "user", "app", "key_id", "alias", "provider", "model")},
    "key": func.coalesce(keys.c.name, usage.c.key_id),
    "tag": usage.c.tags,
    **{name: usage.c[name] for name in ("end_user", "run", "deployment", "credential", "endpoint", "status")},
    "error": usage.c.error_code,
    "finish_reason": usage.c.finish_reason,
    **{name: usage.c.started_at_ms // (step_s * 1000) for name, step_s in TIME_STEPS_S.items()},
}
_LAST_CLASS = 255
_FROM = usage.outerjoin(keys, keys.c.id == usage.c.key_id)


def add_rows(connection: Connection, question: Question, piece: Piece, groups: Groups, whole: Sums) -> None:
    """Add the rows of a piece of time to the groups, and to the whole."""
    figures = range(len(question.by), len(question.by) + len(COUNTED))
    for row in connection.execute(counting(question, piece)):
        for sums in (whole, *(groups[values] for values in _groups(question, row))):
            sums.add(row[at] for at in figures)
            if question.with_times:
                sums.latency.add_class(row.time_class, row.requests)
    if question.with_times:
        for row in connection.execute(_first_tokens(question, piece)):
            for sums in (whole, *(groups[values] for values in _groups(question, row))):
                sums.first_token.add_class(row.time_class, row.requests)


def counting(question: Question, piece: Piece) -> Select[*tuple[Any, ...]]:
    """The query of what is counted. What the question says goes in as bound values."""
    figures = [figure.label(name) for name, figure in _figures().items()]
    return _grouped(question, piece, figures, usage.c.total_ms)


def conditions(question: Question, columns: Columns) -> Iterator[ColumnElement[bool]]:
    """What of the question is not about time, of columns by the names of dimensions."""
    for name, value in question.scope.narrowed().items():
        yield columns[name] == value
    for name, values in question.where.items():
        if columns[name] is usage.c.tags:
            yield or_(*(_has_tag(value) for value in values))
        else:
            yield columns[name].in_([int(value) for value in values] if name == "status" else values)


def _has_tag(tag: str) -> ColumnElement[bool]:
    """Whether a tag is one of those between commas: without it there is less text. LIKE would not tell case apart."""
    if "," in tag:
        return literal(value=False)
    listed = literal(",") + usage.c.tags + literal(",")
    return func.replace(listed, f",{tag},", "") != listed


def _first_tokens(question: Question, piece: Piece) -> Select[*tuple[Any, ...]]:
    counted: list[ColumnElement[Any]] = [func.count().label("requests")]
    return _grouped(question, piece, counted, usage.c.first_token_ms).where(usage.c.first_token_ms.is_not(None))


def _grouped(
    question: Question, piece: Piece, figures: Sequence[ColumnElement[Any]], time_ms: ColumnElement[float]
) -> Select[*tuple[Any, ...]]:
    dimensions = [_COLUMNS[name].label(f"by_{name}") for name in question.by]
    time_class = [_class(time_ms).label("time_class")] if question.with_times else []
    query = select(*dimensions, *figures, *time_class).select_from(_FROM)
    query = query.where(*_times(piece), *conditions(question, _COLUMNS))
    if dimensions or time_class:
        return query.group_by(*(column.name for column in (*dimensions, *time_class)))
    return query.having(func.count() > 0)


def _times(piece: Piece) -> Iterator[ColumnElement[bool]]:
    if piece.since_ms is not None:
        yield usage.c.started_at_ms >= piece.since_ms
    if piece.until_ms is not None:
        yield usage.c.started_at_ms < piece.until_ms


def _class(time_ms: ColumnElement[float]) -> ColumnElement[int]:
    number = func.ceil(func.ln(time_ms * 10.0) / math.log(1.1))
    return case((time_ms <= 0.1, 0), (number >= _LAST_CLASS, _LAST_CLASS), else_=cast(number, Integer))


def _figures() -> dict[str, ColumnElement[Any]]:
    """The sums; ``core.UsageBatch`` says the same of one row."""
    columns = usage.c
    tokens = _bounded(columns.input_tokens) + _bounded(columns.output_tokens)
    is_hit = columns.usage_source == "cache"
    longest_ms = LARGEST_ADDED / 1000
    total_ms = case((columns.total_ms > longest_ms, longest_ms), else_=columns.total_ms)
    total_us = cast(func.floor(total_ms * 1000.0), BigInteger)
    special: dict[str, ColumnElement[Any]] = {
        "requests": func.count(),
        "errors": _count_where(or_(columns.status >= 400, columns.error_code != "")),
        "unpriced": _count_where(and_(columns.cost_nanousd.is_(None), tokens > 0)),
        "hits": _count_where(is_hit),
        "saved_tokens": func.sum(case((is_hit, _bounded(tokens)), else_=0)),
        "total_us": func.sum(_bounded(total_us)),
    }
    return {name: special[name] if name in special else func.sum(_bounded(columns[name])) for name in COUNTED}


def _count_where(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.sum(case((condition, 1), else_=0))


def _bounded(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((column > LARGEST_ADDED, LARGEST_ADDED), (column < -LARGEST_ADDED, -LARGEST_ADDED), else_=column)


def _groups(question: Question, row: Any) -> Iterable[tuple[str, ...]]:
    """The groups that a row of the answer belongs to: one, or one for each tag."""
    if not question.by:
        return ()
    found: list[tuple[str, ...]] = [()]
    for at, name in enumerate(question.by):
        options = [shown(name, row[at])]
        if name == "tag":
            options = sorted(set(row[at].split(",")))
            if "tag" in question.where:
                options = [tag for tag in options if tag in question.where["tag"]]
        found = [(*values, option) for values in found for option in options]
    return found
