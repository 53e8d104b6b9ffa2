"""How rows become the cells of rollups; no database here.

A *cell* is what the requests of one series come to in one minute, hour or day. A *series* is one combination of what
operators name: organisation, team, user, app, key, alias, provider, model. A key belongs to one team and calls few
models, so there are about as many series as pairs of a key and a model, and not the product of everything.

What clients name (tags, end users, runs) would multiply that. Each of the three has cells of its own kind, by the hour
and the day: one for each name in each series. A row that has several tags counts in several cells of that kind, and
once in its series; a row that has none costs nothing more, for a series tells whether its rows have names, and those
without are found there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from dragoman.core import Quantiles
from dragoman.usage.row import UsageRow
from dragoman.usage.sums import LARGEST_SUM, counts_of

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
STEPS_S = (DAY_S, HOUR_S, MINUTE_S)

# Kinds of cells. Negative: names beyond the bound, together, without their names.
SERIES, TAG, END_USER, RUN, ERASED = 0, 1, 2, 3, 4
MAX_NAME_CHARS = 256  # longer ones are counted together
NAMED_KINDS = {"tag": TAG, "end_user": END_USER, "run": RUN}

_encode = msgspec.msgpack.Encoder().encode


class Series(NamedTuple):
    """What operators name. ``folded``: a key's series beyond the bound, together, without alias and model."""

    organisation: str
    team: str
    user: str
    app: str
    key_id: str
    alias: str
    provider: str
    model: str
    has_tag: bool
    has_end_user: bool
    has_run: bool
    folded: bool = False

    @property
    def id(self) -> int:
        """The same for every writer, so that none has to ask for it: 63 bits of a hash."""
        return int.from_bytes(blake2b(_encode(tuple(self)), digest_size=8).digest()) >> 1

    def fold(self) -> Series:
        """The series that this one is counted in when its key has too many."""
        return self._replace(alias="", provider="", model="", folded=True)


def series_of(row: UsageRow) -> Series:
    """The series that a row counts in."""
    return Series(
        row.organisation,
        row.team,
        row.user,
        row.app,
        row.key_id,
        row.alias,
        row.provider,
        row.model,
        bool(row.tags),
        bool(row.end_user),
        bool(row.run),
    )


def names_of(row: UsageRow) -> list[tuple[int, str]]:
    """The names that a row counts under, with their kinds."""
    names = [(TAG, tag) for tag in row.tags.split(",")] if row.tags else []
    if row.end_user:
        names.append((END_USER, row.end_user))
    if row.run:
        names.append((RUN, row.run))
    # A name is part of a key, of which PostgreSQL takes 2,700 bytes.
    return list(dict.fromkeys((kind, name) if len(name) <= MAX_NAME_CHARS else (-kind, "") for kind, name in names))


class Place(NamedTuple):
    """The primary key of a cell."""

    step_s: int
    kind: int
    start_ms: int
    series: int
    name: str

    def within(self, step_s: int) -> Place:
        """The cell of a larger step that this one is a part of."""
        _, kind, start_ms, series, name = self
        return Place(step_s, kind, start_of(start_ms, step_s), series, name)


def start_of(at_ms: int, step_s: int) -> int:
    """When the minute, hour or day of a moment began."""
    return at_ms - at_ms % (step_s * 1000)


Columns = tuple[int | bytes, ...]


class Counted:
    """What a row adds to each cell that it counts in."""

    __slots__ = ("_alone", "counts", "first_token_ms", "total_ms")

    def __init__(self, row: UsageRow) -> None:
        self.counts = counts_of(row)
        self.total_ms = row.total_ms
        self.first_token_ms = row.first_token_ms
        self._alone: Columns | None = None

    def alone(self) -> Columns:
        """The columns of a cell that has no other row. A row with names is alone in several, so it is kept."""
        if self._alone is None:
            first_ms = [] if self.first_token_ms is None else [self.first_token_ms]
            self._alone = (*self.counts, _sketch(b"", [self.total_ms]), _sketch(b"", first_ms))
        return self._alone


# The rows of each cell: shared between a minute, its hour and its day, which costs less than to add up three times.
Cells = dict[Place, list[Counted]]


def cells_of(rows: Iterable[tuple[UsageRow, int, list[tuple[int, str]]]]) -> Cells:
    """The cells that rows count in, each row given with the number of its series and its names, bounded as they are."""
    minutes: defaultdict[tuple[int, int], list[Counted]] = defaultdict(list)
    hours: defaultdict[Place, list[Counted]] = defaultdict(list)
    days: defaultdict[Place, list[Counted]] = defaultdict(list)
    for row, series, names in rows:
        counted = Counted(row)
        minutes[row.started_at_ms // (MINUTE_S * 1000), series].append(counted)
        for kind, name in names:
            hours[Place(HOUR_S, kind, start_of(row.started_at_ms, HOUR_S), series, name)].append(counted)
    cells = {
        Place(MINUTE_S, SERIES, minute * MINUTE_S * 1000, series, ""): counted
        for (minute, series), counted in minutes.items()
    }
    for place, some in cells.items():
        hours[place.within(HOUR_S)] += some
    for place, some in hours.items():
        days[place.within(DAY_S)] += some
    return cells | hours | days


def added_up(rows: Sequence[Counted], stored: Columns | None) -> Columns:
    """The columns of a cell, in their order: what is stored of it already, if anything, and rows that are not."""
    if stored is None and len(rows) == 1:
        return rows[0].alone()
    parts: list[tuple[int, ...]] = [row.counts for row in rows]
    latency = first_token = b""
    if stored is not None:
        *counts, latency, first_token = stored  # type: ignore[assignment]
        parts.append(tuple(counts))  # type: ignore[arg-type]
    total = tuple(map(sum, zip(*parts, strict=True)))
    if max(total) > LARGEST_SUM or min(total) < -LARGEST_SUM:
        total = tuple(max(-LARGEST_SUM, min(LARGEST_SUM, count)) for count in total)
    first_ms = [row.first_token_ms for row in rows if row.first_token_ms is not None]
    return *total, _sketch(latency, [row.total_ms for row in rows]), _sketch(first_token, first_ms)


def _sketch(stored: bytes, values_ms: list[float]) -> bytes:
    if not values_ms:
        return stored
    try:
        sketch = Quantiles(stored)
    except ValueError:  # damaged on disk: percentiles of this cell begin anew, and its costs go on being counted
        sketch = Quantiles()
    sketch.extend(values_ms)
    return sketch.encoded()
