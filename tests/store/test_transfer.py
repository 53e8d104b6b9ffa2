from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, select

from dragoman.access.stored import create_key, load_keys
from dragoman.config.entities import Team
from dragoman.config.schema import Key
from dragoman.config.schema import Store as Settings
from dragoman.errors import StoreError
from dragoman.store.engine import Store, engine_of, open_store
from dragoman.store.entities import create_entity, find_entity
from dragoman.store.migrate import ensure_current
from dragoman.store.tables import REVISION, meta, metadata
from dragoman.store.transfer import ROWS_A_BATCH, back_up, copy_database, revision_of

PEPPER = bytes(range(32))


def filled(engine: Engine) -> None:
    create_key(engine, PEPPER, Key(name="k", team="t", tags=("a",)), now_ms=1)
    create_entity(engine, Team(name="t"), now_ms=1)
    with engine.begin() as connection:
        rows = [{"name": f"n{number}", "value": "v"} for number in range(ROWS_A_BATCH + 5)]
        connection.execute(insert(meta), rows)


def other(directory: Path) -> Engine:
    directory.mkdir(exist_ok=True)
    engine = engine_of(Settings(url=f"sqlite:///{directory}/other.db"), {}, make=True)
    assert engine is not None
    return engine


def test_everything_is_copied(store: Store, tmp_path: Path) -> None:
    filled(store.engine)
    target = other(tmp_path / "o")
    told: list[tuple[str, int]] = []
    copied = copy_database(store.engine, target, lambda table, rows: told.append((table, rows)))
    assert copied["keys"] == copied["entities"] == 1
    assert copied["meta"] > ROWS_A_BATCH
    assert ("meta", ROWS_A_BATCH) in told
    assert load_keys(target, PEPPER).principals == load_keys(store.engine, PEPPER).principals
    assert find_entity(target, "team", "", "t") == Team(name="t")
    for table in metadata.sorted_tables:
        with store.engine.connect() as one, target.connect() as two:
            whole = select(table).order_by(*table.primary_key)
            assert one.execute(whole).all() == two.execute(whole).all(), table.name
    target.dispose()


def test_what_is_there_already_is_not_mixed_with_it(store: Store, tmp_path: Path) -> None:
    filled(store.engine)
    target = other(tmp_path / "o")
    copy_database(store.engine, target, lambda *_: None)
    with pytest.raises(StoreError, match=r"not empty: it has rows in .*keys"):
        copy_database(store.engine, target, lambda *_: None)
    target.dispose()


def test_an_old_database_is_migrated_first(store: Store, tmp_path: Path) -> None:
    empty = other(tmp_path / "o")
    with pytest.raises(StoreError, match="dragoman db migrate"):
        copy_database(empty, store.engine, lambda *_: None)
    assert revision_of(empty) is None
    assert revision_of(store.engine) == REVISION
    empty.dispose()


def test_a_row_that_is_refused_undoes_all(store: Store, tmp_path: Path) -> None:
    filled(store.engine)
    target = other(tmp_path / "o")
    ensure_current(target)
    with target.begin() as connection:
        connection.exec_driver_sql("CREATE TRIGGER no BEFORE INSERT ON meta BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(StoreError, match="no"):
        copy_database(store.engine, target, lambda *_: None)
    with target.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM keys").scalar() == 0
    target.dispose()


def test_a_backup_is_a_database_of_one_moment(store: Store, tmp_path: Path) -> None:
    filled(store.engine)
    file = tmp_path / "backup.db"
    back_up(store.engine, file)
    assert file.stat().st_mode & 0o077 == 0
    create_key(store.engine, PEPPER, Key(name="later"), now_ms=2)
    restored = tmp_path / "restored"
    restored.mkdir()
    file.rename(restored / "dragoman.db")
    opened = open_store(Settings(data_dir=str(restored)), {}, role="server")
    assert [one.name for one in load_keys(opened.engine, PEPPER).principals.values()] == ["k"]
    opened.close()
    with pytest.raises(StoreError, match="there already"):
        back_up(store.engine, restored / "dragoman.db")
    with pytest.raises(StoreError, match="cannot be written"):
        back_up(store.engine, tmp_path / "no" / "such.db")
