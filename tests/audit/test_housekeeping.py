from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from tests.audit.conftest import SEALING_KEY, Begin

from dragoman.audit.content import DAY_MS, Contents
from dragoman.audit.erase import erase
from dragoman.audit.housekeeping import Housekeeping
from dragoman.audit.record import AuditRecord
from dragoman.audit.subjects import Subjects
from dragoman.config.auditing import Audit
from dragoman.store.engine import Store

SETTINGS = Audit(request_days=10)


def test_who_was_erased_by_another_process_is_let_go_of(
    begin: Begin, store: Store, subjects: Subjects, contents: Contents, tmp_path: Path
) -> None:
    trail = begin()
    house = Housekeeping(store.engine, trail, subjects, contents, lambda: SETTINGS)
    told: list[bool] = []
    house.on_erased = lambda: told.append(True)
    before = subjects.of("acme", "eve").pseudonym
    house.look()
    assert told == []
    other = Subjects(tmp_path, SEALING_KEY)
    assert erase(store.engine, store.directory, other, contents, tenant="acme", name="eve") is not None
    house.look()
    house.look()
    assert told == [True]
    assert subjects.of("acme", "eve").pseudonym != before
    other.close()
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
    house = Housekeeping(store.engine, trail, subjects, contents, lambda: SETTINGS)
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
    house = Housekeeping(store.engine, trail, subjects, contents, lambda: SETTINGS)
    with store.engine.begin() as connection:
        connection.execute(text("DROP TABLE meta"))
    house.look()
    assert "is not looked after" in caplog.text
    trail.close()
