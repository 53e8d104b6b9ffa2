"""What only SQLite understands.

SQLite below 3.51.3 can corrupt a write-ahead log when several connections write and checkpoint at once, and the SQLite
of most systems' Python is older: the module is ``pysqlite3``, which carries its own, and an older one is refused. The
log lets readers read while one writes. ``synchronous=NORMAL`` syncs at checkpoints only: a killed process loses nothing
that was committed, a power cut may lose the last commits (never the file). A server syncs the log once more every half
second, which is right for usage, and before it says that a key is revoked (``Store.sync``); commands open the database
with ``durable``.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from dragoman.errors import StoreError

OLDEST_VERSION = (3, 51, 3)
BUSY_TIMEOUT_S = 2.0
LOG_KEPT_BYTES = 64 * 1024 * 1024  # the write-ahead log is cut back to this after a checkpoint
LOG_TOLD_BYTES = 4 * LOG_KEPT_BYTES  # one that is larger is told of: somebody reads on and on, and it cannot be cut


def sqlite_module() -> ModuleType:
    """The DB-API module, once its version is good."""
    import pysqlite3

    refuse_old_version(pysqlite3.sqlite_version_info)
    module: ModuleType = pysqlite3
    return module


def refuse_old_version(version: tuple[int, ...]) -> None:
    """Raise ``StoreError`` for a SQLite that corrupts its log."""
    if version < OLDEST_VERSION:
        raise StoreError(
            f"SQLite {_dotted(version)} may corrupt the database; {_dotted(OLDEST_VERSION)} is the oldest that does "
            "not: pip install --upgrade pysqlite3"
        )


def sqlite_engine(url: URL, *, durable: bool) -> Engine:
    """An engine whose every connection has our settings.

    A transaction begins at the first write, and takes the write lock at once (``IMMEDIATE``): one that reads first and
    upgrades later could fail half-way, without the busy timeout's patience.
    """
    arguments = {"isolation_level": "IMMEDIATE", "timeout": BUSY_TIMEOUT_S}
    engine = create_engine(url, module=sqlite_module(), connect_args=arguments)
    settings = (
        "foreign_keys = ON",
        f"synchronous = {'FULL' if durable else 'NORMAL'}",
        "mmap_size = 0",  # a mapped page of a failing disk is a SIGBUS; a read is an error
        f"journal_size_limit = {LOG_KEPT_BYTES}",
    )

    @event.listens_for(engine, "connect")
    def configure(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        mode = cursor.fetchone()
        if mode is None or mode[0] != "wal":
            raise StoreError(f"{url.database} does not take the journal mode WAL (it says {mode and mode[0]!r})")
        for setting in settings:
            cursor.execute(f"PRAGMA {setting}")
        cursor.close()

    return engine


def begin_write(connection: Connection) -> None:
    """Take the write lock now, schema changes included, which the module would otherwise commit one by one."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def check_integrity(connection: Connection, path: Path, *, whole_up_to_bytes: int) -> str:
    """What is wrong with the database, in SQLite's words; empty when nothing is. Takes about 1.3 s a gigabyte.

    Of a file that is larger only ``keys`` and ``meta`` are checked: half a key table must never be served, while a
    damaged usage row shows itself when it is read.
    """
    whole = path.stat().st_size <= whole_up_to_bytes
    targets = ("1",) if whole else ("keys", "meta")
    for target in targets:
        found = connection.exec_driver_sql(f"PRAGMA quick_check({target})").scalar_one_or_none()
        if found != "ok":
            return str(found)
    return ""


def log_path(path: Path) -> Path:
    """The write-ahead log of a database file."""
    return path.with_name(path.name + "-wal")


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
