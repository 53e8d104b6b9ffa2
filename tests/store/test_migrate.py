from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, MetaData, Table, event, inspect, make_url
from sqlalchemy.exc import IntegrityError, OperationalError

from dragoman.errors import StoreError
from dragoman.store import migrate
from dragoman.store.migrate import MIGRATIONS, ensure_current, is_current, run_migrations
from dragoman.store.sqlite import begin_write, sqlite_engine
from dragoman.store.tables import REVISION, metadata


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return sqlite_engine(make_url(f"sqlite:///{tmp_path}/t.db"), durable=False)


def schema(engine: Engine) -> dict[str, object]:
    found: dict[str, object] = {}
    inspector = inspect(engine)
    for table in sorted(inspector.get_table_names()):
        columns = [
            (c["name"], str(c["type"]), c["nullable"], bool(c["primary_key"])) for c in inspector.get_columns(table)
        ]
        indexes = sorted((i["name"], i["column_names"], i["unique"]) for i in inspector.get_indexes(table))
        unique = sorted(tuple(u["column_names"]) for u in inspector.get_unique_constraints(table))
        found[table] = (columns, indexes, unique)
    return found


def test_a_new_database_is_made_at_the_newest_revision(engine: Engine) -> None:
    assert not is_current(engine)
    ensure_current(engine)
    assert is_current(engine)
    ensure_current(engine)
    assert set(inspect(engine).get_table_names()) == set(metadata.tables) | {"alembic_version"}


def test_migrations_end_at_the_same_schema_as_the_tables(engine: Engine, tmp_path: Path) -> None:
    ensure_current(engine)
    other = sqlite_engine(make_url(f"sqlite:///{tmp_path}/other.db"), durable=False)
    with other.connect() as connection:
        begin_write(connection)
        run_migrations(connection, None, REVISION)
        connection.commit()
    assert schema(other) == schema(engine)
    assert is_current(other)


def test_the_partial_index_is_the_same_both_ways(engine: Engine, tmp_path: Path) -> None:
    ensure_current(engine)
    other = sqlite_engine(make_url(f"sqlite:///{tmp_path}/other.db"), durable=False)
    with other.begin() as connection:
        run_migrations(connection, None, REVISION)
    query = "SELECT sql FROM sqlite_master WHERE name = 'keys_name_in_use'"
    found = []
    for one in (engine, other):
        with one.connect() as connection:
            found.append(connection.exec_driver_sql(query).scalar())
    assert found[0] == found[1]
    assert "revoked_at_ms IS NULL" in str(found[0])


def test_the_last_migration_is_the_revision_of_the_tables() -> None:
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(MIGRATIONS), version_locations=[str(MIGRATIONS)])
    assert script.get_current_head() == REVISION


def test_an_interrupted_migration_leaves_nothing(engine: Engine) -> None:
    with engine.connect() as connection:
        begin_write(connection)
        run_migrations(connection, None, REVISION)
        connection.rollback()
    assert inspect(engine).get_table_names() == []


def test_an_older_revision_is_migrated(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_current(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'r0000'")
    asked: list[tuple[str | None, str]] = []

    def record(_connection: Connection, start: str | None, end: str) -> None:
        asked.append((start, end))

    monkeypatch.setattr(migrate, "run_migrations", record)
    ensure_current(engine)
    assert asked == [("r0000", REVISION)]


def test_s18_whatever_a_migration_breaks_off_at_it_leaves_the_old_database(engine: Engine) -> None:
    first = "r0001"
    with engine.connect() as connection:
        begin_write(connection)
        run_migrations(connection, None, first)
        connection.commit()
    before, statements = schema(engine), 0
    while True:
        statements += 1
        left = [statements]

        def break_off(*_: object, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise InterruptedError

        event.listen(engine, "before_cursor_execute", break_off)
        try:
            ensure_current(engine)
            break
        except InterruptedError:
            pass
        finally:
            event.remove(engine, "before_cursor_execute", break_off)
        assert schema(engine) == before, statements
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == first
    assert is_current(engine)
    assert statements > 20


def test_a_newer_database_is_refused(engine: Engine) -> None:
    ensure_current(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'r9999'")
    with pytest.raises(StoreError, match="newer Dragoman"):
        ensure_current(engine)


def test_a_strangers_database_is_refused_and_untouched(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE invoices (x)")
    with pytest.raises(StoreError, match="invoices"):
        ensure_current(engine)
    assert inspect(engine).get_table_names() == ["invoices"]


def test_two_creators_at_once_make_one_database(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom sqlalchemy import make_url\n"
        "from dragoman.store.migrate import ensure_current\nfrom dragoman.store.sqlite import sqlite_engine\n"
        "ensure_current(sqlite_engine(make_url(sys.argv[1]), durable=True))\n"
    )
    url = f"sqlite:///{tmp_path}/t.db"
    running = [subprocess.Popen([sys.executable, "-c", code, url]) for _ in range(4)]
    assert [one.wait() for one in running] == [0, 0, 0, 0]
    assert is_current(sqlite_engine(make_url(url), durable=False))


def test_a_good_database_needs_no_alembic(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom sqlalchemy import make_url\n"
        "from dragoman.store.migrate import ensure_current\nfrom dragoman.store.sqlite import sqlite_engine\n"
        "engine = sqlite_engine(make_url(sys.argv[1]), durable=False)\n"
        "ensure_current(engine)\nensure_current(engine)\n"
        "assert 'alembic' not in sys.modules and 'sqlalchemy.orm' not in sys.modules\n"
    )
    assert subprocess.run([sys.executable, "-c", code, f"sqlite:///{tmp_path}/t.db"], check=False).returncode == 0


def test_a_name_is_free_again_once_its_key_is_revoked(engine: Engine) -> None:
    ensure_current(engine)
    rest = "'', '[]', '', '', '', '', '[]', 0, NULL, NULL, 1, 0, 0, NULL"
    unlimited = "NULL, 'month', NULL, NULL, NULL, NULL, '[]', '[]', NULL, NULL, NULL"
    lists = "'[]', '[]', '[]', '', '', '', '[]'"
    insert = f"INSERT INTO keys VALUES (?, 'n', ?, {rest}, ?, NULL, '', 1, {unlimited}, {lists})"
    with engine.begin() as connection:
        connection.exec_driver_sql(insert, ("a", b"1", 5))
        connection.exec_driver_sql(insert, ("b", b"2", None))
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.exec_driver_sql(insert, ("c", b"3", None))


def test_a_locked_database_is_the_databases_error(engine: Engine) -> None:
    with engine.connect() as connection:
        begin_write(connection)
        impatient = sqlite_engine(engine.url, durable=False)
        with impatient.connect() as other:
            other.exec_driver_sql("PRAGMA busy_timeout = 0")
            with pytest.raises(OperationalError, match="locked"):
                begin_write(other)


def revisions() -> list[str]:
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(MIGRATIONS), version_locations=[str(MIGRATIONS)])
    return [one.revision for one in script.walk_revisions()][::-1]


def row_of(table: Table, number: int) -> dict[str, object]:
    """A row with what a release has to say that knows of no other columns."""
    values: dict[type, object] = {bytes: bytes([number]) * 32, int: number, float: 1.0, bool: True, str: str(number)}
    return {column.name: values[column.type.python_type] for column in table.columns}


@pytest.mark.parametrize("revision", revisions()[:-1])
def test_p18_an_older_release_works_on_beside_a_newer_one(engine: Engine, revision: str) -> None:
    """Its tables as they were, its statements as it makes them, to a database that has been migrated beneath it."""
    with engine.begin() as connection:
        run_migrations(connection, None, revision)
    older = MetaData()
    older.reflect(engine)
    tables = [table for table in older.sorted_tables if table.name != "alembic_version"]
    with engine.begin() as connection:
        for table in tables:
            connection.execute(table.insert(), row_of(table, 1))
    with engine.connect() as connection:
        begin_write(connection)
        run_migrations(connection, revision, REVISION)
        connection.commit()
    with engine.begin() as connection:
        for table in tables:
            connection.execute(table.insert(), row_of(table, 2))
            connection.execute(table.update().values({column.name: column for column in table.columns}))
            found = connection.execute(table.select()).mappings().all()
            assert row_of(table, 1) in [dict(row) for row in found], table.name
            newer = metadata.tables[table.name]
            assert len(connection.execute(newer.select()).all()) == len(found), "the newer reads what the older wrote"
