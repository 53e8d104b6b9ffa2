from __future__ import annotations

import threading
from pathlib import Path

import pysqlite3
import pytest
from sqlalchemy import Engine, make_url
from sqlalchemy.exc import OperationalError

from dragoman.errors import StoreError
from dragoman.store.sqlite import (
    OLDEST_VERSION,
    begin_write,
    check_integrity,
    log_path,
    refuse_old_version,
    sqlite_engine,
    sqlite_module,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "t.db"


def opened(path: Path, *, durable: bool = False) -> Engine:
    return sqlite_engine(make_url(f"sqlite:///{path}"), durable=durable)


def pragma(engine: Engine, name: str) -> object:
    with engine.connect() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def test_every_connection_has_our_settings(path: Path) -> None:
    engine = opened(path)
    assert pragma(engine, "journal_mode") == "wal"
    assert pragma(engine, "synchronous") == 1
    assert pragma(engine, "foreign_keys") == 1
    assert pragma(engine, "mmap_size") in (0, None)  # None: compiled without
    assert pragma(engine, "busy_timeout") == 2000
    assert pragma(opened(path, durable=True), "synchronous") == 2


def test_the_module_is_new_enough() -> None:
    assert sqlite_module() is pysqlite3
    assert pysqlite3.sqlite_version_info >= OLDEST_VERSION


@pytest.mark.parametrize("version", [(3, 40, 1), (3, 51, 2), (2, 99, 99)])
def test_an_old_version_is_refused_with_the_way_out(version: tuple[int, ...]) -> None:
    with pytest.raises(StoreError, match="pip install --upgrade pysqlite3"):
        refuse_old_version(version)


@pytest.mark.parametrize("version", [(3, 51, 3), (3, 52, 0), (4, 0, 0)])
def test_a_new_version_passes(version: tuple[int, ...]) -> None:
    refuse_old_version(version)


def test_a_database_that_cannot_keep_a_log_is_refused() -> None:
    engine = sqlite_engine(make_url("sqlite:///:memory:"), durable=False)
    with pytest.raises(StoreError, match="WAL"):
        engine.connect()


def test_a_write_takes_the_lock_at_once_and_readers_read_on(path: Path) -> None:
    engine = opened(path)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x)")
    with engine.connect() as writer, engine.connect() as reader:
        writer.exec_driver_sql("INSERT INTO t VALUES (1)")
        assert reader.exec_driver_sql("SELECT count(*) FROM t").scalar() == 0
        impatient = sqlite_engine(make_url(f"sqlite:///{path}"), durable=False)
        with impatient.connect() as second:
            second.exec_driver_sql("PRAGMA busy_timeout = 0")
            with pytest.raises(OperationalError, match="locked"):
                second.exec_driver_sql("INSERT INTO t VALUES (2)")
        writer.commit()
        assert reader.exec_driver_sql("SELECT count(*) FROM t").scalar() == 1


def test_begin_write_makes_schema_changes_undoable(path: Path) -> None:
    engine = opened(path)
    with engine.connect() as connection:
        begin_write(connection)
        connection.exec_driver_sql("CREATE TABLE t (x)")
        connection.rollback()
        assert connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar() == 0


def filled(path: Path) -> Engine:
    engine = opened(path)
    with engine.begin() as connection:
        for table in ("keys", "meta", "usage"):
            connection.exec_driver_sql(f"CREATE TABLE {table} (x)")
        connection.exec_driver_sql(
            "INSERT INTO usage SELECT randomblob(900) FROM json_each(json_array(1,2,3,4,5,6,7,8))"
        )
    return engine


def test_integrity_of_a_good_file(path: Path) -> None:
    engine = filled(path)
    with engine.connect() as connection:
        assert check_integrity(connection, path, whole_up_to_bytes=1 << 30) == ""
        assert check_integrity(connection, path, whole_up_to_bytes=0) == ""


def test_a_damaged_page_is_found_when_the_file_is_checked_whole(path: Path) -> None:
    filled(path).dispose()
    content = bytearray(path.read_bytes())
    content[-4096:] = b"\xff" * 4096  # the last page holds usage rows
    path.write_bytes(content)
    engine = opened(path)
    with engine.connect() as connection:
        assert check_integrity(connection, path, whole_up_to_bytes=1 << 30) != ""
        assert check_integrity(connection, path, whole_up_to_bytes=0) == ""


def test_the_log_shrinks_once_the_last_reader_is_gone(path: Path) -> None:
    engine = filled(path)
    stop = threading.Event()
    reading = threading.Event()

    def read() -> None:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            connection.exec_driver_sql("SELECT count(*) FROM usage").scalar()
            reading.set()
            stop.wait()
            connection.rollback()

    reader = threading.Thread(target=read)
    reader.start()
    reading.wait()
    for _ in range(40):
        with engine.begin() as connection:
            connection.exec_driver_sql("INSERT INTO usage VALUES (randomblob(1000000))")
    starved = log_path(path).stat().st_size
    stop.set()
    reader.join()
    for _ in range(3):
        with engine.begin() as connection:
            connection.exec_driver_sql("INSERT INTO usage VALUES (randomblob(10))")
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    assert starved > 40_000_000
    assert log_path(path).stat().st_size == 0
