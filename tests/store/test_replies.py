from __future__ import annotations

from sqlalchemy import select

from dragoman.store.engine import Store
from dragoman.store.replies import GENERATED, KEPT_MS, UNDERWAY, UNDERWAY_MS, Replies, forget_generated
from dragoman.store.tables import replies

PEPPER = bytes(range(32))


def test_a_reply_is_given_again(store: Store) -> None:
    kept = Replies(store.engine, PEPPER)
    assert kept.begin("id", "asked", now_ms=0) is None
    kept.end("id", 201, b'{"secret": "dgk_x"}', now_ms=0)
    again = kept.begin("id", "asked", now_ms=1)
    assert again is not None
    assert (again.request, again.status, again.body) == ("asked", 201, b'{"secret": "dgk_x"}')
    with store.engine.connect() as connection:
        assert b"dgk_x" not in bytes(connection.execute(select(replies.c.body)).scalar_one())


def test_one_that_is_under_way_is_told_from_one_that_is_over(store: Store) -> None:
    kept = Replies(store.engine, PEPPER)
    kept.begin("id", "asked", now_ms=0)
    again = kept.begin("id", "asked", now_ms=1)
    assert again is not None and again.status == UNDERWAY
    assert kept.begin("id", "asked", now_ms=UNDERWAY_MS) is None  # whoever was to answer has died


def test_what_failed_may_be_tried_again(store: Store) -> None:
    kept = Replies(store.engine, PEPPER)
    kept.begin("id", "asked", now_ms=0)
    kept.forget("id")
    assert kept.begin("id", "other", now_ms=1) is None


def test_a_day_later_the_key_is_free(store: Store) -> None:
    kept = Replies(store.engine, PEPPER)
    kept.begin("id", "asked", now_ms=0)
    kept.end("id", 200, b"", now_ms=0)
    assert kept.begin("id", "asked", now_ms=KEPT_MS - 1) is not None
    assert kept.begin("id", "asked", now_ms=KEPT_MS) is None


def test_another_pepper_opens_nothing(store: Store) -> None:
    Replies(store.engine, PEPPER).begin("id", "asked", now_ms=0)
    Replies(store.engine, PEPPER).end("id", 200, b"secret", now_ms=0)
    again = Replies(store.engine, bytes(32)).begin("id", "asked", now_ms=1)
    assert again is not None and again.body == b""


def test_how_long_a_key_is_taken_and_an_answer_kept_is_up_to_who_asks(store: Store) -> None:
    kept = Replies(store.engine, PEPPER)
    kept.begin("id", "asked", now_ms=0, underway_ms=5)
    assert kept.begin("id", "asked", now_ms=4) is not None
    assert kept.begin("id", "asked", now_ms=5) is None
    kept.end("id", 200, b"x", now_ms=5, kept_ms=10)
    assert kept.begin("id", "asked", now_ms=14) is not None
    assert kept.begin("id", "asked", now_ms=15) is None


def test_of_what_a_model_said_no_more_may_be_kept_than_that_it_did(store: Store) -> None:
    kept = Replies(store.engine, PEPPER)
    for reply_id in (f"{GENERATED}a", "onceXb"):
        kept.begin(reply_id, "asked", now_ms=0)
        kept.end(reply_id, 200, b"said", now_ms=0)
    with store.engine.begin() as connection:
        forget_generated(connection)
    found = [kept.begin(reply_id, "asked", now_ms=1) for reply_id in (f"{GENERATED}a", "onceXb")]
    assert [(reply.status, reply.body) for reply in found if reply is not None] == [(200, b""), (200, b"said")]
