"""Keeps rollups: what usage rows come to by minute, hour and day, added up in the transaction that writes the rows.

So a rollup is the sum of its rows at any instant, also after a crash and when a row comes late. Cells are read, added
to and written back (a sketch of times cannot be added to in SQL), once for each cell in a batch; SQLite lets one writer
at a time do that, PostgreSQL is asked for a lock.

What clients may cost: a key has at most ``SERIES_A_DAY`` series and ``NAMES_A_DAY`` names of each kind on one day. What
comes after that is counted together (*folded*), without its name, and a question about names that this touches is
answered from the rows. Minutes are kept for ``MINUTES_KEPT_DAYS``; hours and days as long as rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from secrets import token_hex
from typing import TypeVar

from sqlalchemy import Connection, Dialect, and_, delete, func, select, update

from dragoman.core import UsageBatch
from dragoman.store import driver
from dragoman.store.meta import read_meta, write_meta
from dragoman.store.sqlite import begin_write
from dragoman.store.tables import usage_rollups, usage_series
from dragoman.usage.cells import (
    DAY_S,
    END_USER,
    ERASED,
    HOUR_S,
    MINUTE_S,
    NAMED_KINDS,
    SERIES,
    Alike,
    Columns,
    Place,
    Series,
    cells_of,
    names_of,
    series_of,
    start_of,
)
from dragoman.usage.erasures import tenant_of

SERIES_A_DAY = 1_000
NAMES_A_DAY = 10_000
MINUTES_KEPT_DAYS = 3
DAY_MS = DAY_S * 1000
ROWS_A_STATEMENT = (64, 32, 16, 8, 4, 2, 1)
_MINUTES_FROM = "usage_minutes_from_ms"
_LOCK = 0x647261676F7573  # PostgreSQL's, for the length of a transaction
_DAYS_REMEMBERED = 64  # of each kind of cells: how many entries every key has
# How much is deleted in one transaction.
_SLICE_S = {MINUTE_S: 10 * MINUTE_S, HOUR_S: HOUR_S, DAY_S: DAY_S}
_KINDS = tuple(sorted({SERIES, ERASED, *NAMED_KINDS.values(), *(-kind for kind in NAMED_KINDS.values())}))
T = TypeVar("T")
Stored = dict[Place, Columns | None]  # cells as they are in the database, and None for those that are not


class Rollup:
    """The rollups of one database. Only one thread may use it; the caller holds the transaction."""

    def __init__(self, dialect: Dialect) -> None:
        quote = dialect.identifier_preparer.quote
        mark = "?" if dialect.paramstyle == "qmark" else "%s"
        names = [quote(column.name) for column in usage_rollups.c]
        key = ", ".join(quote(column.name) for column in usage_rollups.primary_key)
        table = quote(usage_rollups.name)

        def tuples(width: int, count: int) -> str:
            return ", ".join([f"({', '.join([mark] * width)})"] * count)

        changed = ", ".join(f"{name} = excluded.{name}" for name in names[len(Place._fields) :])
        self._reads = _statements(
            lambda count: f"SELECT {', '.join(names)} FROM {table} WHERE ({key}) IN (VALUES {tuples(5, count)})"  # noqa: S608
        )
        self._writes = _statements(
            lambda count: (
                f"INSERT INTO {table} ({', '.join(names)}) VALUES {tuples(len(names), count)} "  # noqa: S608
                f"ON CONFLICT ({key}) DO UPDATE SET {changed}"
            )
        )
        columns = [quote(column.name) for column in usage_series.c]
        series = quote(usage_series.name)
        self._introduces = _statements(
            lambda count: (
                f"INSERT INTO {series} ({', '.join(columns)}) VALUES {tuples(len(columns), count)} "  # noqa: S608
                "ON CONFLICT (id) DO UPDATE SET last_day_ms = excluded.last_day_ms "
                f"WHERE {series}.last_day_ms < excluded.last_day_ms"
            )
        )
        self._entries: dict[tuple[int, int], dict[str, int]] = {}

    def add(self, connection: Connection, batch: UsageBatch) -> None:
        """Count rows that are written in the same transaction, which is alone."""
        if not batch:
            return
        stored: Stored = {}
        cells = cells_of(self._bounded(connection, [Alike._make(group) for group in batch.groups], stored))
        # What has no day has no hour and no minute either.
        self._read(connection, (at for at in cells if at not in stored and stored.get(at.within(DAY_S), True)), stored)
        changed = [(*place, *batch.cell(members, stored.get(place))) for place, members in cells.items()]
        for statement, part in _batches(self._writes, changed):
            driver.execute(connection, statement, _flat(part))

    def undone(self) -> None:
        """Say that a transaction was undone: how much room there is, is found out anew."""
        self._entries.clear()

    def _read(self, connection: Connection, places: Iterable[Place], stored: Stored) -> None:
        """Look cells up, and note also those that there are not."""
        asked, width = list(places), len(Place._fields)
        stored |= dict.fromkeys(asked)
        for statement, part in _batches(self._reads, asked):
            for row in driver.execute(connection, statement, _flat(part)):
                stored[Place._make(row[:width])] = row[width:]

    def _bounded(
        self, connection: Connection, groups: Sequence[Alike], stored: Stored
    ) -> Iterable[tuple[Alike, int, list[tuple[int, str]]]]:
        """Each group, with its series and names as far as there is room for them that day. Writes new series down."""
        all_series = [(start_of(alike.minute_ms, DAY_S), series_of(alike)) for alike in groups]
        wanted = {one: Place(DAY_S, SERIES, one[0], one[1].id, "") for one in dict.fromkeys(all_series)}
        self._read(connection, wanted.values(), stored)
        new: dict[tuple[int, Series], None] = {}
        for one, place in wanted.items():
            day, series = one
            if stored[place] is not None:
                continue
            if not self._has_room(connection, day, SERIES, series.key_id, SERIES_A_DAY):
                series = series.fold()
                wanted[one] = place._replace(series=series.id)
            new[day, series] = None
        self._introduce(connection, new)
        numbers = [wanted[one].series for one in all_series]
        names = [names_of(alike) for alike in groups]
        if any(names):
            self._bound_names(connection, all_series, numbers, names, stored)
        return zip(groups, numbers, names, strict=True)

    def _bound_names(
        self,
        connection: Connection,
        all_series: list[tuple[int, Series]],
        numbers: list[int],
        names: list[list[tuple[int, str]]],
        stored: Stored,
    ) -> None:
        """Put nothing in the place of names for which there is no room."""
        wanted = {
            Place(DAY_S, kind, day, number, name): series.key_id
            for (day, series), number, named in zip(all_series, numbers, names, strict=True)
            for kind, name in named
            if kind > 0
        }
        self._read(connection, wanted, stored)
        full = {
            place
            for place, key_id in wanted.items()
            if stored[place] is None and not self._has_room(connection, place.start_ms, place.kind, key_id, NAMES_A_DAY)
        }
        if not full:
            return
        for at, ((day, _), number) in enumerate(zip(all_series, numbers, strict=True)):
            bounded = (
                (-kind, "") if Place(DAY_S, kind, day, number, name) in full else (kind, name)
                for kind, name in names[at]
            )
            names[at] = list(dict.fromkeys(bounded))

    def _has_room(self, connection: Connection, day_ms: int, kind: int, key_id: str, most: int) -> bool:
        """Whether a key may have one more entry of this kind on a day; if so, it is counted."""
        entries = self._entries.get((day_ms, kind))
        if entries is None:
            if len(self._entries) >= _DAYS_REMEMBERED:
                del self._entries[next(iter(self._entries))]
            entries = self._entries[day_ms, kind] = _entries(connection, day_ms, kind)
        count = entries.get(key_id, 0)
        if count >= most:
            return False
        entries[key_id] = count + 1
        return True

    def _introduce(self, connection: Connection, new: Iterable[tuple[int, Series]]) -> None:
        rows = [(series.id, *series, day) for day, series in new]
        # One statement must not name a series twice: the days of one batch, the latest last.
        latest = {row[0]: row for row in sorted(rows, key=lambda row: row[-1])}
        for statement, part in _batches(self._introduces, list(latest.values())):
            driver.execute(connection, statement, _flat(part))


def minutes_from_ms(connection: Connection) -> int:
    """From when on there are minutes."""
    return int(read_meta(connection, _MINUTES_FROM) or 0)


def prune_minutes(connection: Connection, now_ms: int) -> int:
    """Delete some of the minutes that are older than they are kept; says how many."""
    cutoff_ms = start_of(now_ms - MINUTES_KEPT_DAYS * DAY_MS, MINUTE_S)
    if cutoff_ms > minutes_from_ms(connection):
        write_meta(connection, _MINUTES_FROM, str(cutoff_ms))
    return _prune(connection, MINUTE_S, cutoff_ms)


def prune(connection: Connection, cutoff_ms: int) -> int:
    """Delete some of the hours and days before ``cutoff_ms``, a day's beginning; says how many."""
    deleted = _prune(connection, HOUR_S, cutoff_ms) or _prune(connection, DAY_S, cutoff_ms)
    if not deleted:
        connection.execute(delete(usage_series).where(usage_series.c.last_day_ms < cutoff_ms))
    return deleted


def forget_end_user(connection: Connection, tenants: Sequence[str], name: str) -> int:
    """Take an end user of tenants out of the rollups: what they used is counted for nobody. Says how many cells.

    For a transaction that is alone.
    """
    theirs = select(usage_series.c.id).where(tenant_of(usage_series).in_(tenants))
    cells = usage_rollups.c
    named = and_(cells.kind == END_USER, cells.name == name, cells.series.in_(theirs))
    # A random name, for another may be forgotten after them in the same cells.
    return connection.execute(update(usage_rollups).where(named).values(kind=ERASED, name=token_hex(16))).rowcount


def be_alone(connection: Connection) -> None:
    """Begin a transaction with this: until it ends nobody else writes rows, changes cells or erases people."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    else:
        begin_write(connection)


def _prune(connection: Connection, step_s: int, cutoff_ms: int) -> int:
    columns = usage_rollups.c
    for kind in _KINDS:
        of_kind = and_(columns.step_s == step_s, columns.kind == kind)
        first = connection.execute(select(func.min(columns.start_ms)).where(of_kind)).scalar()
        if first is not None and first < cutoff_ms:
            until_ms = min(cutoff_ms, first + _SLICE_S[step_s] * 1000)
            return connection.execute(delete(usage_rollups).where(of_kind, columns.start_ms < until_ms)).rowcount
    return 0


def _entries(connection: Connection, day_ms: int, kind: int) -> dict[str, int]:
    cells, series = usage_rollups.c, usage_series.c
    query = (
        select(series.key_id, func.count())
        .select_from(usage_rollups.join(usage_series, series.id == cells.series))
        .where(cells.step_s == DAY_S, cells.kind == kind, cells.start_ms == day_ms)
        .group_by(series.key_id)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def _statements(make: Callable[[int], str]) -> list[tuple[int, str]]:
    return [(count, make(count)) for count in ROWS_A_STATEMENT]


def _batches(statements: list[tuple[int, str]], items: Sequence[T]) -> Iterable[tuple[str, Sequence[T]]]:
    start = 0
    for count, statement in statements:
        while len(items) - start >= count:
            yield statement, items[start : start + count]
            start += count


def _flat(items: Iterable[Iterable[object]]) -> tuple[object, ...]:
    return tuple(chain.from_iterable(items))
