from __future__ import annotations

import time
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.audit.conftest import SEALING_KEY, Begin

from dragoman.audit.content import DAY_MS, Contents
from dragoman.audit.erase import Eraser, Person
from dragoman.audit.housekeeping import Housekeeping
from dragoman.audit.record import AuditRecord
from dragoman.audit.subjects import Subjects
from dragoman.config.auditing import Audit
from dragoman.store.engine import Store

SETTINGS = Audit(request_days=10)
PEPPER = bytes(32)
EVE = Person("acme", "eve")
NOW_MS = time.time_ns() // 1_000_000 + 86_400_000  # later than all that tests do


def test_who_was_erased_by_another_process_is_let_go_of(
    begin: Begin, store: Store, subjects: Subjects, contents: Contents, tmp_path: Path
) -> None:
    trail = begin()
    house = Housekeeping(trail, Eraser(store.engine, store.directory, subjects, contents, PEPPER), lambda: SETTINGS)
    told: list[bool] = []
    house.on_erased = lambda: told.append(True)
    before = subjects.of("acme", "eve").pseudonym
    house.look()
    assert told == []
    other = Subjects(tmp_path, SEALING_KEY)
    Eraser(store.engine, store.directory, other, contents, PEPPER).erase(EVE, now_ms=NOW_MS)
    house.look()
    house.look()
    assert told == [True]
    assert subjects.of("acme", "eve").pseudonym != before
    other.close()
    trail.close()


def test_another_server_erases_whom_one_has_erased(
    begin: Begin, store: Store, subjects: Subjects, contents: Contents, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    theirs = Subjects(tmp_path / "other", SEALING_KEY)
    trail = begin()
    house = Housekeeping(trail, Eraser(store.engine, tmp_path, theirs, contents, PEPPER), lambda: SETTINGS)
    told: list[bool] = []
    house.on_erased = lambda: told.append(True)
    eve, bob = theirs.of("acme", "eve"), theirs.of("acme", "bob")
    for person in (eve, bob):
        contents.keep(person, f"req_{person.name}", "prompt", b"x", at_ms=0, days=1)
    contents.flush()
    house.look()
    here = Eraser(store.engine, tmp_path, subjects, contents, PEPPER)
    assert not here.knows(EVE)  # the database knows of no row
    here.erase(EVE, now_ms=NOW_MS)
    house.look()
    assert told == [True]
    assert (theirs.find("acme", "eve"), theirs.find("acme", "bob") is not None) == (None, True)
    assert (contents.find(eve, "req_eve", "prompt"), contents.find(bob, "req_bob", "prompt")) == (None, b"x")
    trail.close()
    logged = b"".join(path.read_bytes() for path in (tmp_path / "audit").rglob("*") if path.is_file())
    assert eve.pseudonym.encode() in logged
    theirs.close()


def test_a_server_that_was_down_erases_them_when_it_starts(
    begin: Begin, store: Store, subjects: Subjects, contents: Contents, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    theirs = Subjects(tmp_path / "other", SEALING_KEY)
    theirs.of("acme", "eve")
    hold = theirs.hold("acme", "eve", "case")
    Eraser(store.engine, tmp_path, subjects, contents, PEPPER).erase(EVE, now_ms=NOW_MS)
    trail = begin()
    for _ in range(2):
        house = Housekeeping(trail, Eraser(store.engine, tmp_path, theirs, contents, PEPPER), lambda: SETTINGS)
        house.look()
        house.look()
        is_known = theirs.find("acme", "eve") is not None
        assert is_known == bool(theirs.holds())  # a hold of that server's is stronger
        theirs.release(hold.id)
    theirs.close()
    trail.close()


def test_what_is_over_goes_unless_it_is_held(
    begin: Begin, store: Store, subjects: Subjects, contents: Contents
) -> None:
    people = [subjects.of("acme", name) for name in ("eve", "bob")]
    old = begin()
    for person in people:
        old.put(AuditRecord(kind="request", at_ms=0, organisation="acme", subject=person.pseudonym))
        contents.keep(person, f"req_{person.name}", "prompt", b"x", at_ms=0, days=1)
    old.put(AuditRecord(kind="request", at_ms=0, key_id="key_1"))
    old.close()
    contents.flush()
    trail = begin()
    house = Housekeeping(trail, Eraser(store.engine, store.directory, subjects, contents, PEPPER), lambda: SETTINGS)
    holds = [subjects.hold("acme", "eve", "case"), subjects.hold("key_1", "", "case")]
    assert house.retain(11 * DAY_MS) == (1, 1)
    for hold in holds:
        subjects.release(hold.id)
    assert house.retain(11 * DAY_MS) == (2, 1)
    trail.close()


def test_a_database_that_is_away_is_logged(
    begin: Begin, store: Store, subjects: Subjects, contents: Contents, caplog: pytest.LogCaptureFixture
) -> None:
    trail = begin()
    house = Housekeeping(trail, Eraser(store.engine, store.directory, subjects, contents, PEPPER), lambda: SETTINGS)
    with store.engine.begin() as connection:
        connection.execute(text("DROP TABLE meta"))
    house.look()
    assert "is not looked after" in caplog.text
    trail.close()
