from __future__ import annotations

from sqlalchemy import select

from dragoman.store.engine import Store
from dragoman.store.replies import KEPT_MS, UNDERWAY, UNDERWAY_MS, Replies
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
