"""What a server may start from while PostgreSQL is away: the last that was read of it, sealed, on this machine's disk.

Keys, who there is, limits, templates and the newest configuration stand in a small SQLite database, which is opened for
reading alone: what would be written (usage, budgets, an administrator's changes) is refused there as it is by a
database that has gone while the server ran, and kept or refused for that in the same way. Others cannot make such a
file: it begins with a MAC by a key made of the pepper. It is written only where the operator says how old it may be.
"""

from __future__ import annotations

import hmac
import logging
import os
import time
from pathlib import Path

from msgspec import Struct
from sqlalchemy import Connection, Engine, event, func, insert, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from dragoman.errors import StoreError
from dragoman.store.generation import generations
from dragoman.store.location import create_private_file
from dragoman.store.migrate import ensure_current, is_current
from dragoman.store.sqlite import sqlite_engine
from dragoman.store.tables import configs, entities, keys, limits, meta, prompts

FILE = "last-good.sealed"
# A file that nothing has changed of is written anew so often: it says until when nothing had.
RENEW_EVERY_S = 60.0
ROWS_A_BATCH = 1000
_MAGIC = b"dragoman last good 1\n"
_MAC_BYTES = 32
_TIME_BYTES = 8
_HOUR_MS = 3_600_000
log = logging.getLogger("dragoman.store")


class LastGood(Struct, frozen=True):
    """A database that stands in for another."""

    engine: Engine
    saved_at_ms: int

    def age_h(self, now_ms: int) -> float:
        """How long ago it was the truth."""
        return (now_ms - self.saved_at_ms) / _HOUR_MS


class LastGoodFile:
    """The file, kept up to date."""

    def __init__(self, engine: Engine, directory: Path, pepper: bytes) -> None:
        self._engine = engine
        self._directory = directory
        self._pepper = pepper
        self._state: object = None
        self._due_s = 0.0

    def look(self) -> bool:
        """Write the file again, if anything has changed or it is a minute old. False: it cannot be done now."""
        try:
            with self._engine.connect() as connection:
                newest = connection.execute(select(func.max(configs.c.version))).scalar()
            state = (newest, generations(self._engine))
            if state == self._state and time.monotonic() < self._due_s:
                return True
            save(self._engine, self._directory, self._pepper, now_ms=time.time_ns() // 1_000_000)
        except (SQLAlchemyError, OSError, StoreError) as error:
            log.warning("the last good keys cannot be kept: %s", getattr(error, "orig", None) or error)
            return False
        self._state, self._due_s = state, time.monotonic() + RENEW_EVERY_S
        return True


def save(engine: Engine, directory: Path, pepper: bytes, *, now_ms: int) -> None:
    """Write the file.

    Raises:
        SQLAlchemyError: the database cannot be read.
        OSError: the disk does not take it.
    """
    made = directory / f"{FILE}.{os.getpid()}"
    try:
        create_private_file(made)
        copy = sqlite_engine(URL.create("sqlite", database=str(made)), durable=False)
        try:
            ensure_current(copy)
            with _one_moment(engine) as reading, copy.begin() as writing:
                _copy(reading, writing)
        finally:
            copy.dispose()
        sealed = now_ms.to_bytes(_TIME_BYTES, "big") + made.read_bytes()
        made.write_bytes(_MAGIC + _mac(sealed, pepper) + sealed)
        made.replace(directory / FILE)
    finally:
        made.unlink(missing_ok=True)


def open_last_good(directory: Path, pepper: bytes, *, most_hours: float, now_ms: int, name: str) -> LastGood:
    """Open the database of the file, for reading alone.

    :param name: of this process, among those of the server.

    Raises:
        StoreError: there is none, or it is not to be trusted: too old, another's, or of another version.
    """
    try:
        told = (directory / FILE).read_bytes()
    except FileNotFoundError:
        raise StoreError("no last good keys were kept yet") from None
    except OSError as error:
        raise StoreError(f"the last good keys cannot be read: {error.strerror}") from error
    mac, sealed = told[len(_MAGIC) : len(_MAGIC) + _MAC_BYTES], told[len(_MAGIC) + _MAC_BYTES :]
    if not told.startswith(_MAGIC) or not hmac.compare_digest(mac, _mac(sealed, pepper)):
        raise StoreError(f"{directory / FILE} is not as this server wrote it, and is not used")
    found = LastGood(_opened(directory / f"last-good-{name}.db", sealed[_TIME_BYTES:]), _time(sealed))
    if not -1.0 < found.age_h(now_ms) <= most_hours:
        found.engine.dispose()
        raise StoreError(f"the last good keys are {found.age_h(now_ms):.1f} hours old (store.last_good_hours)")
    if not is_current(found.engine):
        found.engine.dispose()
        raise StoreError("the last good keys are of another version")
    return found


def remove_last_good(directory: Path) -> None:
    """Leave none behind."""
    for file in (directory / FILE, *directory.glob("last-good-*.db*")):
        file.unlink(missing_ok=True)


def _one_moment(engine: Engine) -> Connection:
    connection = engine.connect()
    level = "REPEATABLE READ" if engine.dialect.name == "postgresql" else "SERIALIZABLE"
    return connection.execution_options(isolation_level=level)


def _copy(reading: Connection, writing: Connection) -> None:
    newest = select(func.max(configs.c.version)).scalar_subquery()
    for table in (meta, entities, keys, limits, prompts, configs):
        query = select(table) if table is not configs else select(configs).where(configs.c.version == newest)
        rows = reading.execution_options(yield_per=ROWS_A_BATCH).execute(query)
        for batch in rows.mappings().partitions():
            writing.execute(insert(table), [dict(row) for row in batch])


def _opened(file: Path, content: bytes) -> Engine:
    for old in file.parent.glob(f"{file.name}*"):
        old.unlink()
    create_private_file(file)
    file.write_bytes(content)
    engine = sqlite_engine(URL.create("sqlite", database=str(file)), durable=False)

    @event.listens_for(engine, "connect")
    def read_only(connection: object, _entry: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute("PRAGMA query_only = ON")
        cursor.close()

    return engine


def _time(sealed: bytes) -> int:
    return int.from_bytes(sealed[:_TIME_BYTES], "big")


def _mac(sealed: bytes, pepper: bytes) -> bytes:
    return hmac.digest(hmac.digest(pepper, b"dragoman last good", "sha256"), sealed, "sha256")
