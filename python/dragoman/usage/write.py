"""Takes usage rows from the event loop and writes them, without ever making it wait.

``put`` appends to a queue in memory; one thread empties it every tenth of a second, in transactions of 1,024 rows at
most, which bring the rollups up to date as well (``rollup.py``).
So a ``kill -9`` loses what was put within the last tenth of a second or so, and nothing older; a power cut may lose
the last transactions as well (``store/sqlite.py``); ``close`` loses nothing.

A database that refuses (locked, full disk, gone) never fails a request. The rows wait; when the queue is half full they
move to a file beside the database (``spool.py``), and come back from there when the database takes rows again. Only
when the file cannot be written or is full as well are rows dropped, and counted. Where the connection is lost while
rows are being committed they are looked for before they are written again, and those that come back from the file are
at any rate.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from msgspec.structs import astuple
from sqlalchemy import Connection, Engine, delete, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, ProgrammingError, SQLAlchemyError

from dragoman.config.schema import Store as Settings
from dragoman.errors import StoreError, Uncertain
from dragoman.store.meta import read_meta, write_meta
from dragoman.store.tables import meta, usage
from dragoman.store.transaction import in_transaction
from dragoman.usage.batch import batch_of_cells
from dragoman.usage.erasures import Erasures
from dragoman.usage.insert import RowInsert, storable
from dragoman.usage.retention import ROWS_A_BATCH, Retention, delete_before
from dragoman.usage.rollup import Rollup, be_alone, prune, prune_minutes
from dragoman.usage.row import FIELDS, Cells, UsageRow, changed, reader, row_of
from dragoman.usage.spool import Spool

BATCH_ROWS = 1024
TICK_S = 0.1
SLOWEST_RETRY_S = 2.0
RETENTION_EVERY_S = 3600.0
RECENT_ROWS = 4096  # a quarter of a second at the highest rate, and about 6 MB
CHUNKS_A_TICK = 8
_SPOOL_POSITION = "usage_spool:"  # and the file's name: nodes with spools of their own may share a database
_BAD_VALUES = (
    *(UnicodeError, OverflowError, DataError, InterfaceError, IntegrityError, ProgrammingError),
    *(AttributeError, TypeError),  # where SQLite took what cannot be added up
)
_log = logging.getLogger("dragoman.usage")
_id_of, _end_user_of = reader("request_id"), reader("end_user")


class UsageWriter:
    """The queue and its thread. ``start`` it in the process that serves, not before a fork.

    For metrics: ``written``, ``spooled``, ``dropped`` and ``unreadable`` count rows, ``failures`` counts refused
    transactions, ``queued`` is the queue's length now.
    """

    def __init__(
        self,
        engine: Engine,
        spool: Path | Spool,
        settings: Settings,
        *,
        recent_rows: int = RECENT_ROWS,
        erasures: Erasures | None = None,
    ) -> None:
        self.written = 0
        self.spooled = 0
        self.dropped = 0
        self.unreadable = 0
        self.failures = 0
        self._engine = engine
        self._insert = RowInsert(engine.dialect)
        self._rollup = Rollup(engine.dialect)
        self._erasures = erasures
        self._spool = spool if isinstance(spool, Spool) else Spool(spool)
        self._max_queued = settings.usage_queue
        self._queue: deque[Cells] = deque()
        self._handed = 0
        self._recent: dict[str, Cells] = {}
        self._recent_order: deque[str] = deque()
        self._max_recent = recent_rows
        self._retention = Retention(settings.usage_retention_days, wall_s=time.time(), monotonic_s=time.monotonic())
        # Not at once: a machine may still put its clock right after it has started.
        self._retention_due_s = time.monotonic() + RETENTION_EVERY_S
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._close_by_s = 0.0
        self._failing = 0  # transactions refused in a row
        self.gather: Callable[[], None] = lambda: None  # has those rows handed over that are still on their way here
        self._in_doubt: set[str] = set()  # requests whose rows may be written: the connection was lost at that
        self._thread = threading.Thread(target=self._run, name="usage-writer", daemon=True)

    @property
    def queued(self) -> int:
        """Rows that wait in memory."""
        return len(self._queue)

    @property
    def is_healthy(self) -> bool:
        """Whether the thread runs and the database takes rows."""
        return self._thread.is_alive() and not self._failing

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, row: UsageRow) -> None:
        """Hand a row over. Never blocks, never raises; a full queue drops the row and counts it."""
        self.put_all([astuple(row)])

    def put_all(self, rows: list[Cells]) -> None:
        """The same for many."""
        self._handed += len(rows)
        ids = list(map(_id_of, rows))
        self._recent.update(zip(ids, rows, strict=True))
        self._recent_order.extend(ids)
        while len(self._recent_order) > self._max_recent:
            self._recent.pop(self._recent_order.popleft(), None)
        room = max(0, self._max_queued - len(self._queue))
        if len(rows) > room:
            self.dropped += len(rows) - room
            rows = rows[:room]
        self._queue.extend(rows)
        if rows and not self._wake.is_set():
            self._wake.set()

    def find(self, request_id: str) -> UsageRow | None:
        """The row of a request, from memory or else the database. Raises ``StoreError`` when that cannot be read."""
        self.gather()
        row = self._recent.get(request_id)
        return row_of(row) if row is not None else find_row(self._engine, request_id)

    def forget_names(self) -> None:
        """Tell no more whose the requests were that are remembered."""
        for request_id, row in list(self._recent.items()):
            if _end_user_of(row):
                self._recent[request_id] = changed(row, end_user="", metadata="")

    def catch_up(self, within_s: float = 1.0) -> None:
        """Wait until the rows handed over so far are written, or that long: for whoever asks what has just happened."""
        self.gather()
        wanted, until_s = self._handed, time.monotonic() + within_s
        while self.written + self.spooled + self.dropped < wanted and time.monotonic() < until_s:
            time.sleep(0.01)

    def close(self, deadline_s: float = 5.0) -> bool:
        """Write what is queued and stop; what the database refuses goes to the spool. Says whether all was kept."""
        self.gather()
        self._close_by_s = time.monotonic() + deadline_s
        self._closing.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(deadline_s + 1.0)
        return not self._queue and not self._thread.is_alive()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(self._idle_s())
            self._closing.wait(self._pause_s())
            self._wake.clear()
            if self._write_queue() and not self._closing.is_set():
                self._read_spool_back()
                self._apply_retention()
        self._write_queue()
        while self._queue and self._spill():
            pass

    def _idle_s(self) -> float:
        if self._failing or self._spool.name:
            return TICK_S
        return max(0.0, self._retention_due_s - time.monotonic())

    def _pause_s(self) -> float:
        return min(TICK_S * float(1 << min(self._failing, 8)), SLOWEST_RETRY_S)

    def _write_queue(self) -> bool:
        """Write until the queue is empty. False: the database refused, and the rows are where they were."""
        while self._queue:
            if self._closing.is_set() and time.monotonic() > self._close_by_s:
                return False
            if not self._write_batch([self._queue.popleft() for _ in range(min(BATCH_ROWS, len(self._queue)))]):
                if len(self._queue) > self._max_queued // 2:
                    self._spill()
                return False
        return True

    def _write_batch(self, rows: list[Cells]) -> bool:
        """Write, or else put the rows back at the head of the queue and say False."""
        try:
            try:
                self._commit_rows(rows)
            except _BAD_VALUES:
                rows = self._storable(rows)
                self._commit_rows(rows)
        except (SQLAlchemyError, StoreError) as error:
            self._note_failure(error)
            self._queue.extendleft(reversed(rows))
            return False
        self._note_success()
        self.written += len(rows)  # last: whoever waits for it finds the writer healthy
        return True

    def _storable(self, rows: Iterable[Cells]) -> list[Cells]:
        """The rows as the database and the spool take them. Those that cannot be made so are dropped."""
        fixed = [storable(row) for row in rows]
        good = [row for row in fixed if row is not None]
        if len(good) < len(fixed):
            self.dropped += len(fixed) - len(good)
            _log.error("%d usage rows had fields of a wrong type and are lost", len(fixed) - len(good))
        return good

    def _commit_rows(self, rows: list[Cells]) -> None:
        def write(connection: Connection) -> None:
            be_alone(connection)
            self._add(connection, self._unwritten(connection, rows) if self._in_doubt else rows)

        try:
            in_transaction(self._engine, write)
        except Uncertain:
            self._in_doubt.update(map(_id_of, rows))
            raise
        if self._in_doubt:
            self._in_doubt.difference_update(map(_id_of, rows))

    def _add(self, connection: Connection, rows: list[Cells]) -> None:
        if self._erasures is not None:
            rows = self._erasures.applied(connection, rows)
        batch = batch_of_cells(rows)
        self._insert(connection, batch)
        self._rollup.add(connection, batch)

    @staticmethod
    def _unwritten(connection: Connection, rows: list[Cells]) -> list[Cells]:
        """Those of the rows that are not there yet; a request has one. Whoever was still committing has ended."""
        asked = select(usage.c.request_id).where(usage.c.request_id.in_(list(map(_id_of, rows))))
        written = set(connection.execute(asked).scalars())
        return [row for row in rows if _id_of(row) not in written]

    def _note_failure(self, error: Exception) -> None:
        self.failures += 1
        self._failing += 1
        self._rollup.undone()
        if self._failing == 1:
            _log.warning("the database refuses usage rows, which wait in memory: %s", _reason(error))

    def _note_success(self) -> None:
        if self._failing:
            _log.warning("the database takes usage rows again after %d refusals", self._failing)
        self._failing = 0

    def _spill(self) -> bool:
        """Move the older half of the queue to the spool. False when nothing could be moved."""
        count = (len(self._queue) + 1) // 2
        rows = self._storable(self._queue.popleft() for _ in range(count))
        try:
            fitted = self._spool.append([row_of(row) for row in rows])
        except OSError as error:
            self.failures += 1
            _log.warning("the usage spool cannot be written: %s", error.strerror)
            fitted = 0
        self.spooled += fitted
        self._queue.extendleft(reversed(rows[fitted:]))
        return fitted > 0

    def _read_spool_back(self) -> None:
        if not self._spool.name:
            return
        try:
            for _ in range(CHUNKS_A_TICK):
                if not self._read_chunk_back():
                    self._remove_spool()
                    return
        except (SQLAlchemyError, StoreError) as error:
            self._note_failure(error)
        except OSError as error:
            self.failures += 1
            _log.warning("the usage spool cannot be read: %s", error.strerror)

    def _remove_spool(self) -> None:
        """Delete the file, and then what was noted of it."""
        name = self._spool.name
        self._spool.remove()
        if self._spool.name == name:
            return
        with self._engine.begin() as connection:
            connection.execute(delete(meta).where(meta.c.name == _SPOOL_POSITION + name))

    def _read_chunk_back(self) -> bool:
        """Move some rows from the spool to the database. False when there were none left."""
        with self._engine.begin() as connection:
            be_alone(connection)
            name = _SPOOL_POSITION + self._spool.name
            chunk = self._spool.read(int(read_meta(connection, name) or 0), BATCH_ROWS)
            if not chunk.rows and not chunk.unreadable:
                return False
            self._add(connection, self._unwritten(connection, [astuple(row) for row in chunk.rows]))
            write_meta(connection, name, str(chunk.end))
        self.written += len(chunk.rows)
        self.unreadable += chunk.unreadable
        return True

    def _apply_retention(self) -> None:
        """Delete one batch of what is too old; the next comes at once, or in an hour when there is none."""
        if time.monotonic() < self._retention_due_s:
            return
        is_done = True
        cutoff_ms = self._retention.cutoff_ms(wall_s=time.time(), monotonic_s=time.monotonic())
        if cutoff_ms is None:
            _log.warning("the clock has jumped: no usage row is deleted until it is right or the server restarts")
        else:
            try:
                with self._engine.begin() as connection:
                    is_done = self._delete_batch(connection, cutoff_ms)
            except (SQLAlchemyError, StoreError) as error:
                self._note_failure(error)
        if is_done:
            self._retention_due_s = time.monotonic() + RETENTION_EVERY_S

    @staticmethod
    def _delete_batch(connection: Connection, cutoff_ms: int) -> bool:
        """Rows, then their rollups, then minutes. Says whether nothing is left to delete."""
        if delete_before(connection, cutoff_ms) == ROWS_A_BATCH:
            return False
        return not prune(connection, cutoff_ms) and not prune_minutes(connection, int(time.time() * 1000))


def find_row(engine: Engine, request_id: str) -> UsageRow | None:
    """The newest row of a request in the database."""
    query = select(usage).where(usage.c.request_id == request_id).order_by(usage.c.id.desc()).limit(1)
    try:
        with engine.connect() as connection:
            found = connection.execute(query).mappings().one_or_none()
    except SQLAlchemyError as error:
        raise StoreError(f"usage cannot be read: {_reason(error)}") from error
    return None if found is None else UsageRow(**{name: found[name] for name in FIELDS})


def _reason(error: Exception) -> str:
    """The driver's words alone: SQLAlchemy's own text carries the statement and its values."""
    return str(error.orig if isinstance(error, DBAPIError) else error)
