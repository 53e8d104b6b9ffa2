"""How rows become the cells of rollups; no database here.

A *cell* is what the requests of one series come to in one minute, hour or day. A *series* is one combination of what
operators name: organisation, team, user, app, key, alias, provider, model. A key belongs to one team and calls few
models, so there are about as many series as pairs of a key and a model, and not the product of everything.

What clients name (tags, end users, runs) would multiply that. Each of the three has cells of its own kind, by the hour
and the day: one for each name in each series. A row that has several tags counts in several cells of that kind, and
once in its series; a row that has none costs nothing more, for a series tells whether its rows have names, and those
without are found there.

Rows that count in the same cells are alike, and are added up once (``core.UsageBatch``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

import msgspec

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
STEPS_S = (DAY_S, HOUR_S, MINUTE_S)

# Kinds of cells. Negative: names beyond the bound, together, without their names.
SERIES, TAG, END_USER, RUN, ERASED = 0, 1, 2, 3, 4
MAX_NAME_CHARS = 256  # longer ones are counted together
NAMED_KINDS = {"tag": TAG, "end_user": END_USER, "run": RUN}

_encode = msgspec.msgpack.Encoder().encode


class Alike(NamedTuple):
    """What rows have in common that are added up as one: a group of ``core.UsageBatch``."""

    minute_ms: int
    organisation: str
    team: str
    user: str
    app: str
    key_id: str
    alias: str
    provider: str
    model: str
    tags: str
    end_user: str
    run: str


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


def series_of(alike: Alike) -> Series:
    """The series that rows count in."""
    return Series(*alike[1:9], bool(alike.tags), bool(alike.end_user), bool(alike.run))


def names_of(alike: Alike) -> list[tuple[int, str]]:
    """The names that rows count under, with their kinds."""
    tags, end_user, run = alike[-3:]
    names = [(TAG, tag) for tag in tags.split(",")] if tags else []
    if end_user:
        names.append((END_USER, end_user))
    if run:
        names.append((RUN, run))
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
# The groups of each cell, by their places in a batch.
Cells = dict[Place, list[int]]


def cells_of(groups: Iterable[tuple[Alike, int, list[tuple[int, str]]]]) -> Cells:
    """The cells that rows count in, given what each group has in common, the number of its series, and its names,
    bounded as they are."""
    minutes: defaultdict[Place, list[int]] = defaultdict(list)
    hours: defaultdict[Place, list[int]] = defaultdict(list)
    days: defaultdict[Place, list[int]] = defaultdict(list)
    for member, (alike, series, names) in enumerate(groups):
        minutes[Place(MINUTE_S, SERIES, alike.minute_ms, series, "")].append(member)
        for kind, name in names:
            hours[Place(HOUR_S, kind, start_of(alike.minute_ms, HOUR_S), series, name)].append(member)
    for place, members in minutes.items():
        hours[place.within(HOUR_S)] += members
    for place, members in hours.items():
        days[place.within(DAY_S)] += members
    return minutes | hours | days
