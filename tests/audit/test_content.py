from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from dragoman.audit.content import DAY_MS, Contents
from dragoman.audit.subjects import Subjects
from dragoman.config.schema import Store as Settings
from dragoman.errors import StoreError
from dragoman.store.engine import Store, open_store

WORDS = b"The gate opens at dawn for whoever knows the word. " * 20


def test_what_is_kept_is_given_to_whoever_has_the_key(contents: Contents, subjects: Subjects) -> None:
    eve, bob = subjects.of("acme", "eve"), subjects.of("acme", "bob")
    contents.keep(eve, "req_1", "prompt", WORDS, at_ms=1, days=30)
    contents.keep(eve, "req_1", "answer", b"", at_ms=1, days=30)
    contents.flush()
    assert contents.find(eve, "req_1", "prompt") == WORDS
    assert contents.find(eve, "req_1", "answer") == b""
    assert contents.find(bob, "req_1", "prompt") is None
    assert contents.find(eve, "req_2", "prompt") is None


def test_it_is_nowhere_to_be_read(contents: Contents, subjects: Subjects, store: Store) -> None:
    contents.keep(subjects.of("acme", "eve"), "req_1", "prompt", WORDS, at_ms=1, days=30)
    contents.flush()
    files = [path.read_bytes() for path in store.directory.glob("dragoman.db*")]
    assert not any(b"gate opens" in content or b"eve" in content for content in files)


def test_rows_that_change_places_open_nothing(contents: Contents, subjects: Subjects, store: Store) -> None:
    eve = subjects.of("acme", "eve")
    contents.keep(eve, "req_1", "prompt", WORDS, at_ms=1, days=30)
    contents.flush()
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE audit_content SET request_id = 'req_2'"))
    assert contents.find(eve, "req_2", "prompt") is None


def test_what_is_over_goes_unless_it_is_held(contents: Contents, subjects: Subjects) -> None:
    people = [subjects.of("acme", "eve"), subjects.of("acme", "bob"), subjects.of("other", "eve")]
    for number, person in enumerate(people):
        contents.keep(person, f"req_{number}", "prompt", WORDS, at_ms=0, days=1)
    contents.flush()
    assert contents.expire(DAY_MS, set()) == 0
    assert contents.expire(DAY_MS + 1, {("acme", people[0].pseudonym), ("other", "")}) == 1
    assert [contents.find(person, f"req_{number}", "prompt") for number, person in enumerate(people)] == [
        WORDS,
        None,
        WORDS,
    ]
    assert contents.expire(DAY_MS + 1, set()) == 2


def test_in_a_backup_that_is_restored_it_cannot_be_read(
    contents: Contents, subjects: Subjects, store: Store, tmp_path: Path
) -> None:
    eve = subjects.of("acme", "eve")
    contents.keep(eve, "req_1", "prompt", WORDS, at_ms=1, days=30)
    contents.flush()
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    backup = tmp_path / "backup"
    backup.mkdir()
    shutil.copy(store.directory / "dragoman.db", backup)
    assert contents.erase("acme", eve.pseudonym) == 1
    subjects.erase("acme", "eve")
    restored = open_store(Settings(data_dir=str(backup)), {}, role="server")
    theirs = Contents(restored.engine)
    with restored.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM audit_content")).scalar() == 1
    assert subjects.find("acme", "eve") is None
    assert theirs.find(subjects.of("acme", "eve"), "req_1", "prompt") is None
    theirs.close()
    restored.close()


def test_a_database_that_refuses(contents: Contents, subjects: Subjects, store: Store) -> None:
    with store.engine.begin() as connection:
        connection.execute(text("DROP TABLE audit_content"))
    eve = subjects.of("acme", "eve")
    contents.keep(eve, "req_1", "prompt", WORDS, at_ms=1, days=30)
    contents.flush()
    assert contents.lost == 1
    with pytest.raises(StoreError, match="read"):
        contents.find(eve, "req_1", "prompt")
    with pytest.raises(StoreError, match="deleted"):
        contents.erase("acme", eve.pseudonym)
