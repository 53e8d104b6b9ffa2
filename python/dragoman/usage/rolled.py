"""Adds rollups up: for questions about what they are by, of periods that are made of their steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, and_, func, literal, select

from dragoman.store.tables import keys, usage_rollups, usage_series
from dragoman.usage.cells import DAY_S, END_USER, ERASED, HOUR_S, MINUTE_S, NAMED_KINDS, SERIES, start_of
from dragoman.usage.pieces import Piece, Step
from dragoman.usage.question import ROWS_ONLY, TIME_STEPS_S, Question, shown
from dragoman.usage.raw import Columns, conditions
from dragoman.usage.rollup import minutes_from_ms
from dragoman.usage.sums import COUNTED, Groups, Sums

_CELLS, _SERIES = usage_rollups.c, usage_series.c
_COLUMNS: Columns = {
    **{name: _SERIES[name] for name in ("organisation", "team", "user", "app", "key_id", "alias", "provider", "model")},
    "key": func.coalesce(keys.c.name, _SERIES.key_id),
    **{name: _CELLS.start_ms // (step_s * 1000) for name, step_s in TIME_STEPS_S.items()},
}
_FROM = usage_rollups.join(usage_series, _SERIES.id == _CELLS.series).outerjoin(keys, keys.c.id == _SERIES.key_id)
_FOLDED = {"alias", "provider", "model"}


class _Source(NamedTuple):
    """Some of the cells of a step, and the name that their rows have."""

    chosen: ColumnElement[bool]
    name: ColumnElement[str]


def steps_for(connection: Connection, question: Question) -> list[Step]:
    """The steps whose rollups tell what is asked, the largest first; none: only the rows do."""
    asked = question.dimensions
    named = asked & NAMED_KINDS.keys()
    # Several names at once are in no rollup, nor how many requests have one of several tags.
    if asked & set(ROWS_ONLY) or len(named) > 1 or len(question.where.get("tag", ())) > 1:
        return []
    kind = NAMED_KINDS[named.pop()] if named else SERIES
    if _is_folded(connection, question, kind):
        return []
    steps = [Step(DAY_S), Step(HOUR_S)]
    if kind == SERIES:
        steps.append(Step(MINUTE_S, minutes_from_ms(connection)))
    finest_s = min((TIME_STEPS_S[name] for name in question.by if name in TIME_STEPS_S), default=DAY_S)
    return [step for step in steps if step.step_s <= finest_s]


def add_rollups(connection: Connection, question: Question, piece: Piece, groups: Groups, whole: Sums) -> None:
    """Add the cells of a piece of time to the groups, and to the whole."""
    named = next(iter(question.dimensions & NAMED_KINDS.keys()), "")
    by_tags = named == "tag" and not question.where.get("tag")
    for source in _sources(named):
        # A request with several tags is in several cells: of the whole they are not told.
        _add(connection, _Reading(question, piece, named, source), groups, Sums() if by_tags else whole)
    if by_tags:
        (source,) = _sources("")
        _add(connection, _Reading(replace(question, by=()), piece, "", source), groups, whole)


class _Reading(NamedTuple):
    question: Question
    piece: Piece
    named: str
    source: _Source

    def columns(self) -> Columns:
        return {**_COLUMNS, self.named: self.source.name}

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        yield _CELLS.step_s == self.piece.step_s
        yield self.source.chosen
        if self.piece.since_ms is not None:
            yield _CELLS.start_ms >= self.piece.since_ms
        if self.piece.until_ms is not None:
            yield _CELLS.start_ms < self.piece.until_ms
        yield from conditions(self.question, self.columns())


def _add(connection: Connection, reading: _Reading, groups: Groups, whole: Sums) -> None:
    by, columns = reading.question.by, reading.columns()
    dimensions = [columns[name].label(f"by_{name}") for name in by]
    chosen = list(reading.conditions())
    found = Groups()
    figures = [func.sum(_CELLS[name]) for name in COUNTED]
    query = select(*dimensions, *figures).select_from(_FROM).where(*chosen)
    query = query.group_by(*(column.name for column in dimensions)) if by else query.having(func.count() > 0)
    for row in connection.execute(query):
        found[tuple(row[: len(by)])].add(row[len(by) :])
    if reading.question.with_times:
        # Row by row, for no database can add sketches up; the driver's rows, which cost half of SQLAlchemy's.
        query = select(*dimensions, _CELLS.latency, _CELLS.first_token).select_from(_FROM).where(*chosen)
        for cell in cast(Iterable[tuple[Any, ...]], connection.execute(query).cursor):
            sums = found[cell[:-2]]
            sums.latency.merge(cell[-2])
            sums.first_token.merge(cell[-1])
    for told, sums in found.found.items():
        whole.include(sums)
        if by:
            groups[tuple(map(shown, by, told))].include(sums)


def _sources(named: str) -> Iterator[_Source]:
    """Where the cells are, by the dimension of names that a question is about, if any."""
    if not named:
        yield _Source(_CELLS.kind == SERIES, literal(""))
        return
    kind = NAMED_KINDS[named]
    yield _Source(_CELLS.kind == kind, _CELLS.name)
    yield _Source(and_(_CELLS.kind == SERIES, _SERIES[f"has_{named}"].is_(False)), literal(""))
    if kind == END_USER:
        yield _Source(_CELLS.kind == ERASED, literal(""))


def _is_folded(connection: Connection, question: Question, kind: int) -> bool:
    """Whether some of what is asked is counted without its name."""
    since_ms = 0 if question.since_ms is None else start_of(question.since_ms, DAY_S)
    theirs = [_SERIES[name] == value for name, value in question.scope.narrowed().items()]
    if question.dimensions & _FOLDED:
        folded = select(_SERIES.id).where(_SERIES.folded.is_(True), _SERIES.last_day_ms >= since_ms, *theirs)
        if connection.execute(folded.limit(1)).first() is not None:
            return True
    if kind == SERIES:
        return False
    cells = select(_CELLS.series).select_from(usage_rollups.join(usage_series, _SERIES.id == _CELLS.series))
    cells = cells.where(_CELLS.step_s == DAY_S, _CELLS.kind == -kind, _CELLS.start_ms >= since_ms, *theirs)
    return connection.execute(cells.limit(1)).first() is not None
