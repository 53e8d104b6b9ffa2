from __future__ import annotations

import pytest
from sqlalchemy import select, text

from dragoman.access.stored import create_key
from dragoman.audit.content import Contents
from dragoman.audit.erase import GENERATION, SAVED_ANSWERS, Eraser, Person
from dragoman.audit.subjects import Subjects
from dragoman.config.schema import Key
from dragoman.config.schema import Store as Settings
from dragoman.errors import StoreError
from dragoman.store.engine import Store
from dragoman.store.meta import read_meta
from dragoman.store.replies import GENERATED, Replies
from dragoman.store.responses import Responses
from dragoman.store.tables import usage, usage_rollups
from dragoman.usage.batch import batch_of
from dragoman.usage.insert import RowInsert
from dragoman.usage.question import Question
from dragoman.usage.report import report_usage
from dragoman.usage.row import UsageRow
from dragoman.usage.write import UsageWriter

EVE = Person("acme", "eve")
NOW_MS = 1_800_000_000_000
PEPPER = bytes(32)


@pytest.fixture
def eraser(store: Store, subjects: Subjects, contents: Contents) -> Eraser:
    return Eraser(store.engine, store.directory, subjects, contents, PEPPER)


def row(number: int, **fields: str) -> UsageRow:
    return UsageRow(
        request_id=f"req_{number}", started_at_ms=1, snapshot=1, endpoint="chat", status=200, cost_nanousd=5, **fields
    )


def test_what_is_left_is_what_it_cost(store: Store, subjects: Subjects, contents: Contents, eraser: Eraser) -> None:
    eve = subjects.of("acme", "eve")
    contents.keep(eve, "req_0", "prompt", b"words", at_ms=1, days=30)
    contents.flush()
    rows = [
        row(0, organisation="acme", end_user="eve", metadata='{"name":"Eve"}'),
        row(1, team="acme", end_user="eve"),
        row(2, organisation="acme", end_user="bob"),
        row(3, organisation="other", end_user="eve"),
    ]
    with store.engine.begin() as connection:
        RowInsert(store.engine.dialect)(connection, batch_of(rows))
    (store.directory / SAVED_ANSWERS).write_bytes(b"answers")
    done = eraser.erase(EVE, now_ms=NOW_MS)
    assert done == (eve.pseudonym, 1, 2, 0)
    with store.engine.connect() as connection:
        found = connection.execute(
            select(usage.c.end_user, usage.c.metadata, usage.c.cost_nanousd).order_by(usage.c.id)
        )
        assert found.all() == [("", "", 5), ("", "", 5), ("bob", "", 5), ("eve", "", 5)]
        assert read_meta(connection, GENERATION) == "1"
    assert not (store.directory / SAVED_ANSWERS).exists()
    assert subjects.find("acme", "eve") is None
    assert not eraser.knows(EVE)


def test_what_was_stored_for_them_is_gone(store: Store, subjects: Subjects, contents: Contents, eraser: Eraser) -> None:
    subjects.of("acme", "eve")
    key = create_key(store.engine, bytes(32), Key(name="k", team="acme"), now_ms=1).key.id
    kept = Responses(store.engine, 30)
    for number, (tenant, end_user) in enumerate(
        (("acme", "eve"), (key, "eve"), ("acme", "bob"), ("other", "eve"), ("key_of_others", "eve"))
    ):
        kept.put(tenant, [], {"id": f"resp_{number}"}, end_user)
    kept.forget_recent()
    done = eraser.erase(EVE, now_ms=NOW_MS)
    assert done.responses == 2
    kept.forget_recent()
    assert kept.find("acme", "resp_0") is None
    assert kept.find(key, "resp_1") is None
    assert kept.find("acme", "resp_2") is not None
    assert kept.find("other", "resp_3") is not None
    kept.close()


def test_answers_that_were_kept_for_a_second_asking_are_gone(store: Store, subjects: Subjects, eraser: Eraser) -> None:
    subjects.of("acme", "eve")
    kept = Replies(store.engine, PEPPER)
    kept.begin(f"{GENERATED}1", "asked", now_ms=NOW_MS)
    kept.end(f"{GENERATED}1", 200, b"words", now_ms=NOW_MS)
    eraser.erase(EVE, now_ms=NOW_MS)
    left = kept.begin(f"{GENERATED}1", "asked", now_ms=NOW_MS)
    assert left is not None and (left.status, left.body) == (200, b"")


def test_a_legal_hold_is_stronger(store: Store, subjects: Subjects, contents: Contents, eraser: Eraser) -> None:
    eve = subjects.of("acme", "eve")
    contents.keep(eve, "req_0", "prompt", b"words", at_ms=1, days=30)
    contents.flush()
    hold = subjects.hold("acme", "", "case 7")
    with pytest.raises(StoreError, match="case 7"):
        eraser.erase(EVE, now_ms=NOW_MS)
    assert contents.find(eve, "req_0", "prompt") == b"words"
    subjects.release(hold.id)
    eraser.erase(EVE, now_ms=NOW_MS)


def test_what_cannot_be_erased_whole_can_be_asked_for_again(
    store: Store, subjects: Subjects, contents: Contents, eraser: Eraser
) -> None:
    subjects.of("acme", "eve")
    with store.engine.begin() as connection:
        connection.execute(text("ALTER TABLE usage RENAME TO elsewhere"))
    with pytest.raises(StoreError, match="not all of it"):
        eraser.erase(EVE, now_ms=NOW_MS)
    assert subjects.find("acme", "eve") is not None
    with store.engine.begin() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO usage"))
    eraser.erase(EVE, now_ms=NOW_MS)


def test_rollups_do_not_name_them_either(store: Store, subjects: Subjects, contents: Contents, eraser: Eraser) -> None:
    subjects.of("acme", "eve")
    rows = [row(number, organisation="acme", key_id="k", end_user=name) for number, name in enumerate(("eve", "bob"))]
    writer = UsageWriter(store.engine, store.directory, Settings())
    writer.start()
    for one in rows:
        writer.put(one)
    writer.close()
    eraser.erase(EVE, now_ms=NOW_MS)
    report = report_usage(store.engine, Question(by=("end_user",)))
    assert {group.values[0] for group in report.groups} == {"", "bob"}
    assert report.whole.requests == 2
    with store.engine.connect() as connection:
        assert "eve" not in connection.execute(select(usage_rollups.c.name)).scalars().all()
