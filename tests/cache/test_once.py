from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select
from tests.gateway.gateway import config_for
from tests.gateway.upstream import (
    DONE,
    Upstream,
    answer,
    chunk,
    event,
    expect,
    hold,
    refusing_port,
    reset,
    role_event,
    send,
    stream,
    stream_head,
    until,
)
from tests.served import Protocol, Serve, Served, chat_body

from dragoman.access.secret import create_secret
from dragoman.cache.once import GRACE_MS, MOST_BYTES, MOST_KEY_CHARS
from dragoman.store.replies import GENERATED
from dragoman.store.tables import replies

CHAT = "/v1/chat/completions"
PATIENCE_S = 10.0
KEY = {"idempotency_key": "0001"}


@pytest.fixture
def served(serve: Serve, upstream: Upstream) -> Served:
    return serve(config_for(upstream.base_url, route={"retries": 0}))


def asked(upstream: Upstream) -> int:
    return len(upstream.requests)


def eventually(condition: Callable[[], bool]) -> None:
    by_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < by_s
        time.sleep(0.005)


def rows(served: Served) -> list[Any]:
    with served.gateway.store.engine.connect() as connection:
        return list(connection.execute(select(replies)))


def assert_replayed(again: Protocol, first: Protocol) -> None:
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers["x-idempotent-replayed"] == "true"
    assert "x-idempotent-replayed" not in first.headers
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["x-request-id"] != first.headers["x-request-id"]


@pytest.mark.parametrize("streamed", [False, True])
def test_the_same_is_answered_again_and_costs_nothing(served: Served, upstream: Upstream, streamed: bool) -> None:
    upstream.reply(expect, stream() if streamed else answer())
    first, again = served.chat(KEY, stream=streamed), served.chat(KEY, stream=streamed)
    assert asked(upstream) == 1
    assert_replayed(again, first)
    assert again.headers["x-dragoman-cache-id"] == first.headers["x-request-id"]
    assert again.headers["x-dragoman-cost"] == "0.000000000"
    row, replayed = served.row(first), served.row(again)
    assert (row.cache, row.usage_source) == ("", "provider")
    assert (replayed.cache, replayed.usage_source, replayed.attempts) == ("replay", "cache", 0)
    assert (replayed.cost_nanousd, replayed.saved_nanousd) == (0, row.cost_nanousd)
    assert (replayed.status, replayed.output_tokens, replayed.model) == (200, row.output_tokens, row.model)


def test_nothing_of_it_can_be_read_in_the_database(served: Served, upstream: Upstream) -> None:
    upstream.reply(expect, answer())
    served.chat(KEY)
    (row,) = rows(served)
    assert row.id.startswith(GENERATED) and len(row.id) <= 64
    assert b"Hello" not in row.body and b"gpt" not in row.body


def test_without_a_key_it_is_asked_again(served: Served, upstream: Upstream) -> None:
    for _ in range(2):
        upstream.reply(expect, answer())
        assert "x-idempotent-replayed" not in served.chat().headers
    assert asked(upstream) == 2


def test_once_requests_pass_the_express_way_those_with_a_key_do_not(served: Served, upstream: Upstream) -> None:
    upstream.reply(expect, answer())
    served.chat()
    first = served.chat(KEY)
    assert_replayed(served.chat(KEY), first)
    assert asked(upstream) == 2


def test_another_request_may_not_have_the_key(served: Served, upstream: Upstream) -> None:
    upstream.reply(expect, answer())
    served.chat(KEY)
    other = served.chat(KEY, temperature=0.5)
    assert (other.status, other.code, other.json["error"]["param"]) == (
        422,
        "idempotency_key_reused",
        "idempotency-key",
    )
    assert asked(upstream) == 1


def test_the_same_may_be_written_otherwise(served: Served, upstream: Upstream) -> None:
    upstream.reply(expect, answer())
    body = json.loads(chat_body())
    first = served.ask("POST", CHAT, json.dumps(body).encode(), **KEY)
    turned = json.dumps(dict(reversed(body.items())), indent=1).encode()
    assert_replayed(served.ask("POST", CHAT, turned, **KEY), first)


def test_a_key_is_its_tenant_s_and_its_path_s(serve: Serve, upstream: Upstream) -> None:
    ann, bob = create_secret(), create_secret()
    keys = [{"name": "ann", "secret": ann}, {"name": "bob", "secret": bob}]
    served = serve(config_for(upstream.base_url, keys=keys))
    upstream.reply(expect, answer())
    first = served.chat(KEY | {"authorization": f"Bearer {ann}"})
    other = served.chat(KEY | {"authorization": f"Bearer {bob}"}, temperature=0.5)
    assert (first.status, other.status, asked(upstream)) == (200, 200, 2)
    assert "x-idempotent-replayed" not in other.headers
    body = json.dumps({"model": "chat", "prompt": "Hello"}).encode()
    elsewhere = served.ask("POST", "/v1/completions", body, authorization=f"Bearer {ann}", **KEY)
    assert (elsewhere.status, asked(upstream)) == (200, 3)
    assert_replayed(served.chat(KEY | {"authorization": f"Bearer {ann}"}), first)


def test_while_it_is_under_way_it_is_said_so(served: Served, upstream: Upstream) -> None:
    gate = threading.Event()
    upstream.reply(expect, until(gate), answer())
    first = served.begin("POST", CHAT, chat_body(), **KEY)
    eventually(lambda: asked(upstream) == 1)
    meanwhile = served.chat(KEY)
    other = served.chat(KEY, temperature=0.5)
    gate.set()
    assert (meanwhile.status, meanwhile.code) == (409, "idempotency_key_in_use")
    assert meanwhile.headers["retry-after"] == "1"
    assert other.status == 422
    done = first.wait()
    assert_replayed(served.chat(KEY), done)


@pytest.mark.parametrize("streamed", [False, True])
def test_it_goes_on_when_its_client_has_gone(served: Served, upstream: Upstream, streamed: bool) -> None:
    gate = threading.Event()
    head = (send(stream_head()), send(chunk(role_event() + event("Hel")))) if streamed else ()
    rest = (send(chunk(event("lo", finish_reason="stop") + DONE)), send(chunk(b""))) if streamed else (answer(),)
    upstream.reply(expect, *head, until(gate), *rest)
    first = served.begin("POST", CHAT, chat_body(stream=streamed), **KEY)
    eventually(lambda: asked(upstream) == 1 and (not streamed or bool(first.pieces)))
    first.leave()
    time.sleep(1.0)  # longer than anybody takes to see it
    assert served.chat(KEY, stream=streamed).status == 409
    gate.set()
    first.wait()
    again = served.chat(KEY, stream=streamed)
    assert (again.status, again.headers["x-idempotent-replayed"], asked(upstream)) == (200, "true", 1)
    assert (b"lo" if streamed else b"Hello") in again.body
    assert again.body.endswith(DONE) is streamed


def test_a_failure_that_may_have_been_done_is_told_again(served: Served, upstream: Upstream) -> None:
    upstream.reply(expect, reset)
    first = served.chat(KEY)
    upstream.reply(expect, answer())
    again = served.chat(KEY)
    assert first.status == again.status == 502
    assert asked(upstream) == 1
    error = again.json["error"]
    assert {**error, "request_id": ""} == {**first.json["error"], "request_id": ""}
    assert (again.headers["x-idempotent-replayed"], again.headers["x-should-retry"]) == ("true", "false")
    row = served.row(again)
    assert (row.status, row.error_code, row.attempts, row.cost_nanousd) == (502, error["code"], 0, None)


@pytest.mark.parametrize(
    ("status", "body"),
    [(429, b'{"error": {"message": "slow down"}}'), (400, b'{"error": {"message": "no"}}'), (401, b"{}")],
)
def test_what_certainly_was_not_done_may_be_tried_again(
    served: Served, upstream: Upstream, status: int, body: bytes
) -> None:
    upstream.reply(expect, answer(body, status))
    assert served.chat(KEY).status != 200
    assert rows(served) == []
    if status != 401:  # after which the credential rests
        upstream.reply(expect, answer())
        again = served.chat(KEY)
        assert (again.status, asked(upstream)) == (200, 2)
        assert "x-idempotent-replayed" not in again.headers


def test_neither_what_reached_nobody(serve: Serve) -> None:
    with refusing_port() as port:
        served = serve(config_for(f"http://127.0.0.1:{port}/v1", route={"retries": 0}))
        assert [served.chat(KEY).code for _ in range(2)] == ["upstream_unreachable"] * 2


def test_nor_what_is_wrong_itself(served: Served) -> None:
    for _ in range(2):
        wrong = served.chat(KEY, max_tokens=-1)
        assert (wrong.status, wrong.code) == (400, "invalid_value")
    assert served.chat(KEY).status == 200


def test_of_a_stream_that_broke_off_there_is_as_much_again(served: Served, upstream: Upstream) -> None:
    upstream.reply(expect, send(stream_head()), send(chunk(role_event() + event("Hel"))), reset)
    first, again = served.chat(KEY, stream=True), served.chat(KEY, stream=True)
    assert asked(upstream) == 1
    assert_replayed(again, first)
    assert b'"Hel"' in again.body and b'"error"' in again.body


@pytest.mark.parametrize("key", ["", "k" * (MOST_KEY_CHARS + 1)])
def test_a_key_has_a_length(served: Served, upstream: Upstream, key: str) -> None:
    wrong = served.chat({"idempotency_key": key})
    assert (wrong.status, wrong.json["error"]["param"], asked(upstream)) == (400, "idempotency-key", 0)
    upstream.reply(expect, answer())
    assert served.chat({"idempotency_key": "k" * MOST_KEY_CHARS}).status == 200


@pytest.mark.parametrize("why", ["private", "long"])
def test_an_answer_that_is_not_kept_is_not_made_again(served: Served, upstream: Upstream, why: str) -> None:
    headers = KEY | ({"x-dragoman-no-log": "true"} if why == "private" else {})
    upstream.reply(expect, answer(b'{"choices": [{"message": {"content": "%s"}}]}' % (b"x" * (MOST_BYTES + 1),)))
    assert served.chat(headers).status == 200
    again = served.chat(headers)
    assert (again.status, again.code, asked(upstream)) == (409, "idempotency_answer_gone", 1)


def test_the_header_can_say_nothing(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url, store={"idempotency_hours": 0}))
    for _ in range(2):
        upstream.reply(expect, answer())
        assert served.chat(KEY).status == 200
    assert asked(upstream) == 2


def test_beside_the_cache(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url, cache={"mode": "on"}))
    upstream.reply(expect, stream())
    led, again = served.chat(KEY, stream=True), served.chat(KEY, stream=True)
    assert_replayed(again, led)
    assert led.headers["x-dragoman-cache"] == "miss"
    hit = served.chat({"idempotency_key": "0002"}, stream=True)
    assert (hit.headers["x-dragoman-cache"], hit.body) == ("hit", led.body)
    assert_replayed(served.chat({"idempotency_key": "0002"}, stream=True), hit)
    assert asked(upstream) == 1


def test_a_translated_answer_is_told_again_in_its_client_s_dialect(served: Served, upstream: Upstream) -> None:
    for streamed in (False, True):
        upstream.reply(expect, stream() if streamed else answer())
        body = json.dumps(
            {"model": "chat", "max_tokens": 9, "stream": streamed, "messages": [{"role": "user", "content": "Hi"}]}
        ).encode()
        first, again = (served.ask("POST", "/v1/messages", body, idempotency_key=f"t{streamed}") for _ in range(2))
        assert_replayed(again, first)
        assert b'"text"' in again.body
    other = served.ask("POST", "/v1/messages", body.replace(b"Hi", b"Ho"), idempotency_key="tTrue")
    assert (other.status, other.json["type"]) == (422, "error")
    assert asked(upstream) == 2


def test_it_is_on_record_before_it_is_told_again(
    serve: Serve, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve(config_for(upstream.base_url, audit={"mode": "strict"}))
    upstream.reply(expect, answer())
    assert served.chat(KEY).status == 200
    monkeypatch.setattr(served.gateway.auditor.trail, "put_durably", lambda record, told: told(False))
    refused = served.chat(KEY)
    assert (refused.status, refused.code) == (503, "audit_unavailable")
    monkeypatch.undo()
    assert served.chat(KEY).headers["x-idempotent-replayed"] == "true"
    assert asked(upstream) == 1


def test_the_cost_in_an_answer_is_each_one_s_own(served: Served, upstream: Upstream) -> None:
    headers = KEY | {"x_dragoman_include_cost": "true"}
    upstream.reply(expect, answer())
    first, again = served.chat(headers), served.chat(headers)
    assert first.json["usage"]["cost_nanousd"] > 0
    assert again.json["usage"]["cost_nanousd"] == 0


def test_without_a_database_nothing_is_certain(served: Served, upstream: Upstream) -> None:
    with served.gateway.store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE replies RENAME TO elsewhere")
    refused = served.chat(KEY)
    assert (refused.status, refused.code, asked(upstream)) == (503, "store_unavailable", 0)


def test_nor_is_one_made_again_that_took_too_long(served: Served, upstream: Upstream) -> None:
    upstream.reply(expect, hold)
    first = served.chat(KEY | {"x_dragoman_timeout": "0.3"})
    again = served.chat(KEY)
    assert (first.status, again.status, again.code, asked(upstream)) == (504, 504, first.code, 1)
    assert again.headers["x-idempotent-replayed"] == "true"


def test_a_key_is_taken_until_the_deadline_of_its_request(served: Served, upstream: Upstream) -> None:
    """Whoever was to answer by then has died."""
    gate = threading.Event()
    upstream.reply(expect, until(gate), answer())
    first = served.begin("POST", CHAT, chat_body(), x_dragoman_timeout="5", **KEY)
    eventually(lambda: asked(upstream) == 1)
    (row,) = rows(served)
    gate.set()
    began_ms = served.row(first.wait()).started_at_ms
    assert abs(row.expires_at_ms - began_ms - 5_000 - GRACE_MS) < GRACE_MS / 2
