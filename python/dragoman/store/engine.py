"""Opens the database: place, lock, health and revision, in this order, before anyone reads a key from it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, Engine, create_engine, func, make_url, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError, SQLAlchemyError

from dragoman.config.schema import Store as Settings
from dragoman.errors import DatabaseAway, StoreError
from dragoman.store.lastgood import LastGood
from dragoman.store.location import (
    create_data_dir,
    create_private_file,
    data_dir,
    database_url,
    refuse_network_file_system,
    sync_content,
    sync_names,
)
from dragoman.store.lock import InstanceLock
from dragoman.store.migrate import ensure_current, is_current
from dragoman.store.sqlite import check_integrity, log_path, sqlite_engine, sqlite_module

Role = Literal["server", "sharer", "visitor"]

# The largest file that is checked whole at start: 0.1 s after an orderly end, 1.3 s after a crash.
CLEAN_CHECK_BYTES = 64 * 1024 * 1024
UNCLEAN_CHECK_BYTES = 1024 * 1024 * 1024
# PostgreSQL admits a hundred connections unless told otherwise: a node's processes share these, and each has a few.
NODE_CONNECTIONS = 80
LEAST_CONNECTIONS, MOST_CONNECTIONS = 4, 15
KEPT_CONNECTIONS = 5
# Names our lock in PostgreSQL among those of others.
SERVER_LOCK = 0x647261676F6D616E
CONNECT_WITHIN_S = 5
_PASSING = ("starting up", "shutting down", "not yet accepting", "recovery mode")


class ServerClaim:
    """PostgreSQL's lock of one server a database, held as long as the connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def release(self) -> None:
        """Let go, before the server has seen that the connection is closed."""
        with suppress(SQLAlchemyError):  # the session has ended, and its locks with it
            self._connection.execute(select(func.pg_advisory_unlock_all()))
        self._connection.close()


class Store:
    """An open database. ``engine`` may be used from any thread; ``close`` gives the lock back."""

    def __init__(
        self,
        engine: Engine,
        directory: Path,
        lock: InstanceLock | ServerClaim | None,
        *,
        last_good: LastGood | None = None,
    ) -> None:
        self.engine = engine
        self.directory = directory
        self.last_good = last_good  # what stands in for a database that is away
        self._lock = lock
        self._synced = (0, 0, 0)  # the log that was synced last: which file, how long, and when it was written to

    def log_bytes(self) -> int:
        """The size of SQLite's write-ahead log, which grows while somebody keeps reading; 0 elsewhere."""
        if self.engine.dialect.name != "sqlite":
            return 0
        log = log_path(_file(self.engine.url))
        return log.stat().st_size if log.exists() else 0

    def sync(self) -> None:
        """Have what was committed outlive a power cut. SQLite syncs its log at checkpoints alone; PostgreSQL always.

        Raises:
            StoreError: it cannot be synced.
        """
        if self.engine.dialect.name != "sqlite" or self.last_good is not None:
            return
        log = log_path(_file(self.engine.url))
        try:
            written = log.stat()
            state = written.st_ino, written.st_size, written.st_mtime_ns
            if state != self._synced:
                sync_content(log)
                if written.st_ino != self._synced[0]:
                    sync_names(log.parent)
                self._synced = state
        except FileNotFoundError:
            pass  # all of it is in the database's own file, which was synced before
        except OSError as error:
            raise StoreError(f"the database cannot be synced: {error.strerror}") from error

    def others(self) -> int:
        """How many other servers share the database."""
        if not isinstance(self._lock, ServerClaim):
            return 0
        where = "locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        named = f"classid = {SERVER_LOCK >> 32} AND objid = {SERVER_LOCK & 0xFFFFFFFF} AND objsubid = 1 AND granted"
        with self.engine.connect() as connection:
            held = connection.exec_driver_sql(f"SELECT count(*) FROM pg_locks WHERE {where} AND {named}")  # noqa: S608
            return int(held.scalar_one()) - 1

    def close(self) -> None:
        """Close every connection. After this another server may start."""
        if isinstance(self._lock, ServerClaim):
            self._lock.release()
        self.engine.dispose()
        if isinstance(self._lock, InstanceLock):
            self._lock.release()
        self._lock = None


def open_store(settings: Settings, environ: Mapping[str, str], *, role: Role, processes: int = 1) -> Store:
    """Open the database, creating what is missing.

    A ``server`` owns the database: it alone is admitted, and it checks the file, a larger one too when its predecessor
    did not close in order. A ``sharer`` is a server that counts where others count too: several of them are admitted to
    PostgreSQL, and no ``server``. A ``visitor`` (a command) comes and goes beside them, and writes durably.

    :param processes: of this node, which share what connections it has.

    Raises ``StoreError``.
    """
    directory = data_dir(settings, environ)
    create_data_dir(directory)
    url = _parsed(database_url(settings, directory))
    if url.get_backend_name() == "sqlite":
        return _open_sqlite(url, directory, role)
    return _open_postgresql(url, directory, role, processes)


def engine_of(settings: Settings, environ: Mapping[str, str], *, make: bool = False) -> Engine | None:
    """The database as it is, neither locked nor migrated; ``None``: there is none.

    :param make: a SQLite file that is not there is made.

    Raises ``StoreError``.
    """
    url = _parsed(database_url(settings, data_dir(settings, environ)))
    if url.get_backend_name() != "sqlite":
        return _postgresql_engine(url)
    path = _file(url).resolve()
    sqlite_module()
    if make:
        create_private_file(path)
    return sqlite_engine(url.set(database=str(path)), durable=True) if path.exists() else None


def _parsed(address: str) -> URL:
    try:
        return make_url(address)
    except ArgumentError as error:
        raise StoreError("store.url is not a database address, such as sqlite:////var/lib/dragoman.db") from error


def _file(url: URL) -> Path:
    if not url.database or url.database == ":memory:":
        raise StoreError("store.url: a database in memory forgets its keys; name a file, as in sqlite:////var/lib/d.db")
    return Path(url.database).absolute()


def _open_sqlite(url: URL, directory: Path, role: Role) -> Store:
    path = _file(url).resolve()
    sqlite_module()
    refuse_network_file_system(path)
    lock_path = path.with_name(path.name + ".lock")
    create_private_file(path)
    lock = InstanceLock(lock_path) if role != "visitor" else None
    engine = sqlite_engine(url.set(database=str(path)), durable=role == "visitor")
    try:
        if lock is not None:
            unclean = lock.found_unclean or _has_log(path)
            _refuse_damaged(engine, path, UNCLEAN_CHECK_BYTES if unclean else CLEAN_CHECK_BYTES)
        _bring_up_to_date(engine, lock_path, role)
    except (DBAPIError, StoreError) as error:
        engine.dispose()
        if lock is not None:
            lock.abandon()
        raise (error if isinstance(error, StoreError) else _unusable(path, str(error.orig))) from error
    return Store(engine, directory, lock)


def _has_log(path: Path) -> bool:
    log = log_path(path)
    return log.exists() and log.stat().st_size > 0


def _refuse_damaged(engine: Engine, path: Path, whole_up_to_bytes: int) -> None:
    with engine.connect() as connection:
        damage = check_integrity(connection, path, whole_up_to_bytes=whole_up_to_bytes)
    if damage:
        raise _unusable(path, damage)


def _bring_up_to_date(engine: Engine, lock_path: Path, role: Role) -> None:
    if role != "visitor":
        ensure_current(engine)
    elif not is_current(engine):
        lock = InstanceLock(lock_path)  # never under a running server's feet
        try:
            ensure_current(engine)
        finally:
            lock.release()


def _unusable(path: Path, why: str) -> StoreError:
    return StoreError(
        f"the database {path} cannot be used: {why}. If it is damaged, restore a backup over it (and delete "
        f"{path.name}-wal and {path.name}-shm), save what can be saved with `sqlite3 {path.name} .recover`, or move it "
        "away to start anew"
    )


def _postgresql_engine(url: URL, processes: int = 1) -> Engine:
    if url.get_backend_name() != "postgresql":
        raise StoreError(
            f"store.url: {url.get_backend_name()} is not supported; use sqlite:///PATH or postgresql+psycopg://..."
        )
    # Whoever does not answer to a connection would be waited for as long as the system does: minutes. And of several
    # hosts the one is wanted that is written to: a replica knows of rights and budgets too late.
    wanted = {"connect_timeout": CONNECT_WITHIN_S, "target_session_attrs": "read-write"}
    arguments = {name: value for name, value in wanted.items() if name not in url.query}
    try:
        most = max(LEAST_CONNECTIONS, min(NODE_CONNECTIONS // processes, MOST_CONNECTIONS))
        kept = min(KEPT_CONNECTIONS, most)
        sizes = {"pool_size": kept, "max_overflow": most - kept}
        return create_engine(url, pool_pre_ping=True, connect_args=arguments, **sizes)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise StoreError("store.url: PostgreSQL needs its driver: pip install 'dragoman[postgres]'") from error


def _open_postgresql(url: URL, directory: Path, role: Role, processes: int) -> Store:
    engine = _postgresql_engine(url, processes)
    try:
        ensure_current(engine)
    except DBAPIError as error:
        engine.dispose()
        kind = DatabaseAway if _is_away(error) else StoreError
        address = url.render_as_string(hide_password=True)
        raise kind(f"the database {address} cannot be used: {error.orig}") from error
    return Store(engine, directory, _claim_postgresql(engine, role) if role != "visitor" else None)


def answers(settings: Settings, environ: Mapping[str, str]) -> bool:
    """Whether a PostgreSQL takes connections."""
    engine = _postgresql_engine(_parsed(database_url(settings, data_dir(settings, environ))))
    try:
        with engine.connect():
            return True
    except DBAPIError:
        return False
    finally:
        engine.dispose()


def _is_away(error: DBAPIError) -> bool:
    """Whether nobody answered, or somebody who is starting or stopping."""
    told = str(error.orig)  # libpq gives no code for what happens before there is a session
    return isinstance(error, OperationalError) and ("FATAL" not in told or any(word in told for word in _PASSING))


def _claim_postgresql(engine: Engine, role: Role) -> ServerClaim:
    """See that no other server counts limits in this database by itself: each would count as if it were alone."""
    connection = engine.connect()
    claim = func.pg_try_advisory_lock if role == "server" else func.pg_try_advisory_lock_shared
    if not connection.execute(select(claim(SERVER_LOCK))).scalar():
        connection.close()
        engine.dispose()
        raise StoreError(
            "another server uses this database, and limits and budgets are counted within one process; stop it, give "
            "this one its own store.url, or give all of them the same redis.url"
        )
    connection.commit()  # the lock is the session's, not the transaction's
    return ServerClaim(connection)
