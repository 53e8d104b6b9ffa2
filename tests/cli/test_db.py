from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run

from dragoman.config.schema import Store as Settings
from dragoman.store.engine import engine_of
from dragoman.store.tables import REVISION


def test_a_database_is_checked_and_migrated(run: Run, data: Path) -> None:
    first = run("db", "migrate", "--check", "--data-dir", data)
    assert (first.exit_code, "is empty" in first.output) == (1, True)
    assert not data.exists()  # to look changes nothing
    assert REVISION in run("db", "migrate", "--data-dir", data).output
    again = run("db", "migrate", "--check", "--data-dir", data)
    assert (again.exit_code, REVISION in again.output) == (0, True)


def test_an_older_database_is_told_from_this_version_s(run: Run, data: Path) -> None:
    run("db", "migrate", "--data-dir", data)

    engine = engine_of(Settings(data_dir=str(data)), {})
    assert engine is not None
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'r0001'")
    engine.dispose()
    told = run("db", "migrate", "--check", "--data-dir", data)
    assert (told.exit_code, "at revision r0001" in told.output) == (1, True)


def test_a_database_is_copied_into_another(run: Run, data: Path, tmp_path: Path) -> None:
    run("team", "create", "t", "--data-dir", data)
    target = f"sqlite:///{tmp_path}/other.db"
    done = run("db", "copy", f"sqlite:///{data}/dragoman.db", target)
    assert done.exit_code == 0, done.output
    assert "rows are copied" in done.output
    assert "t" in run("team", "list", "--store-url", target).output
    assert "not empty" in run("db", "copy", f"sqlite:///{data}/dragoman.db", target).output
    assert "there is no database" in run("db", "copy", f"sqlite:///{tmp_path}/none.db", target).output
    assert "mysql is not supported" in run("db", "copy", "mysql://x/y", target).output


def test_a_backup_is_written_beside_a_server(run: Run, data: Path, tmp_path: Path) -> None:
    run("team", "create", "t", "--data-dir", data)
    assert run("db", "backup", tmp_path / "b.db", "--data-dir", data).exit_code == 0
    assert "t" in run("team", "list", "--store-url", f"sqlite:///{tmp_path}/b.db").output
    assert run("db", "backup", tmp_path / "b.db", "--data-dir", data).exit_code == 1
