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


class Cell:
    """What a cell comes to."""

    __slots__ = ("_first_token_ms", "_first_token_stored", "_latency_ms", "_latency_stored", "_parts")

    def __init__(self) -> None:
        self._parts: list[Sequence[int]] = []  # to be added up at once, which is three times as fast
        self._latency_ms: list[float] = []
        self._first_token_ms: list[float] = []
        self._latency_stored = b""
        self._first_token_stored = b""

    def count(self, counts: Sequence[int], row: UsageRow) -> None:
        """Add a row, of which ``counts`` are the figures."""
        self._parts.append(counts)
        self._latency_ms.append(row.total_ms)
        if row.first_token_ms is not None:
            self._first_token_ms.append(row.first_token_ms)

    def include(self, part: Cell) -> None:
        """Add a cell of rows that are not yet stored."""
        self._parts.append(part._counts())
        self._latency_ms += part._latency_ms
        self._first_token_ms += part._first_token_ms

    def store_upon(self, counts: Sequence[int], latency: bytes, first_token: bytes) -> None:
        """Add what is stored already."""
        self._parts.append(counts)
        self._latency_stored, self._first_token_stored = latency, first_token

    def stored(self) -> tuple[int | bytes, ...]:
        """The columns, in their order."""
        counts = self._counts()
        if max(counts) > LARGEST_SUM or min(counts) < -LARGEST_SUM:
            counts = [max(-LARGEST_SUM, min(LARGEST_SUM, count)) for count in counts]
        latency = _sketch(self._latency_stored, self._latency_ms)
        return *counts, latency, _sketch(self._first_token_stored, self._first_token_ms)

    def _counts(self) -> Sequence[int]:
        if len(self._parts) > 1:
            self._parts = [tuple(map(sum, zip(*self._parts, strict=True)))]
        return self._parts[0]


Cells = dict[Place, Cell]


def cells_of(rows: Iterable[tuple[UsageRow, int, list[tuple[int, str]]]]) -> Cells:
    """The cells that rows count in, each row given with the number of its series and its names, bounded as they are."""
    minutes: defaultdict[tuple[int, int], Cell] = defaultdict(Cell)
    hours: defaultdict[Place, Cell] = defaultdict(Cell)
    days: defaultdict[Place, Cell] = defaultdict(Cell)
    for row, series, names in rows:
        counts = counts_of(row)
        minutes[row.started_at_ms // (MINUTE_S * 1000), series].count(counts, row)
        for kind, name in names:
            hours[Place(HOUR_S, kind, start_of(row.started_at_ms, HOUR_S), series, name)].count(counts, row)
    cells = {
        Place(MINUTE_S, SERIES, minute * MINUTE_S * 1000, series, ""): cell
        for (minute, series), cell in minutes.items()
    }
    for place, cell in cells.items():
        hours[place.within(HOUR_S)].include(cell)
    for place, cell in hours.items():
        days[place.within(DAY_S)].include(cell)
    return cells | hours | days


def _sketch(stored: bytes, values_ms: list[float]) -> bytes:
    if not values_ms:
        return stored
    try:
        sketch = Quantiles(stored)
    except ValueError:  # damaged on disk: percentiles of this cell begin anew, and its costs go on being counted
        sketch = Quantiles()
    sketch.extend(values_ms)
    return sketch.encoded()
