from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from tests.audit.conftest import SEALING_KEY

from dragoman.audit.subjects import FILE, MOST_REMEMBERED, SECRET_BYTES, Subject, Subjects
from dragoman.errors import StoreError


def test_a_person_is_the_same_every_time_and_no_other(subjects: Subjects, tmp_path: Path) -> None:
    eve = subjects.of("acme", "eve")
    again = Subjects(tmp_path, SEALING_KEY).of("acme", "eve")
    assert (eve.pseudonym, eve.fingerprint(b"x")) == (again.pseudonym, again.fingerprint(b"x"))
    others = [subjects.of("acme", "bob"), subjects.of("other", "eve"), subjects.of("", "acme\0eve")]
    assert len({one.pseudonym for one in (eve, *others)}) == 4
    assert len({one.fingerprint(b"x") for one in (eve, *others)}) == 4
    assert eve.pseudonym != eve.fingerprint(b"eve")
    assert again.sealer.open(eve.sealer.seal(b"plain", b"about"), b"about") == b"plain"
    assert others[0].sealer.open(eve.sealer.seal(b"plain", b"about"), b"about") is None


def test_no_secret_and_no_name_of_a_hash_is_in_the_file(subjects: Subjects, tmp_path: Path) -> None:
    eve = subjects.of("acme", "eve")
    with subjects._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    both = subjects._read(("acme", "eve"))
    assert both is not None
    assert Subject("acme", "eve", both).pseudonym == eve.pseudonym
    content = (tmp_path / FILE).read_bytes()
    assert not any(secret in content for secret in (both[:SECRET_BYTES], both[SECRET_BYTES:]))
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


def test_who_is_erased_is_another_from_then_on(subjects: Subjects, tmp_path: Path) -> None:
    eve = subjects.of("acme", "eve")
    with subjects._engine.connect() as connection:
        sealed = connection.execute(text("SELECT secrets FROM subjects")).scalar_one()
    assert subjects.erase("acme", "eve")
    assert not subjects.erase("acme", "eve")
    assert subjects.find("acme", "eve") is None
    files = [path.read_bytes() for path in tmp_path.glob(f"{FILE}*")]
    assert not any(bytes(sealed) in content for content in files)
    assert subjects.of("acme", "eve").pseudonym != eve.pseudonym


def test_another_process_s_erasure_is_noticed(subjects: Subjects, tmp_path: Path) -> None:
    server = Subjects(tmp_path, SEALING_KEY)
    server.of("acme", "eve")
    server.of("acme", "bob")
    assert server.forget_erased() == []
    subjects.erase("acme", "eve")
    assert server.forget_erased() == [("acme", "eve")]
    server.close()


def test_holds(subjects: Subjects) -> None:
    for name in ("eve", "bob"):
        subjects.of("acme", name)
    placed = subjects.hold("acme", "eve", "case 1")
    with pytest.raises(StoreError, match="case 1"):
        subjects.erase("acme", "eve")
    assert subjects.erase("acme", "bob")
    whole = subjects.hold("acme", "", "case 2")
    assert [one.id for one in subjects.holds_on("acme", "eve")] == [placed.id, whole.id]
    assert subjects.holds_on("other", "eve") == []
    assert (subjects.release(placed.id), subjects.release(placed.id)) == (True, False)
    assert [one.reason for one in subjects.holds()] == ["case 2"]
    subjects.release(whole.id)
    assert subjects.erase("acme", "eve")


def test_another_sealing_key_opens_nothing(subjects: Subjects, tmp_path: Path) -> None:
    subjects.of("acme", "eve")
    other = Subjects(tmp_path, b"x" * 32)
    with pytest.raises(StoreError, match="another key"):
        other.of("acme", "eve")
    other.close()


def test_a_file_that_is_damaged(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database" * 100)
    with pytest.raises(StoreError, match="cannot be used"):
        Subjects(tmp_path, SEALING_KEY)


def test_what_is_remembered_is_bounded(subjects: Subjects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dragoman.audit.subjects.MOST_REMEMBERED", 3)
    for number in range(10):
        subjects.of("acme", f"{number}")
    assert len(subjects._known) == 3
    assert MOST_REMEMBERED == 10_000
