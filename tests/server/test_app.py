from __future__ import annotations

import asyncio
import contextlib
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.gateway.gateway import config_for
from tests.gateway.upstream import (
    Upstream,
    answer,
    chunk,
    event,
    expect,
    hold,
    role_event,
    send,
    stream,
    stream_head,
    until,
)
from tests.served import Protocol, Scope, Serve, Served, chat_body

from dragoman.access.secret import create_secret
from dragoman.driver import Driver
from dragoman.server import app as app_module
from dragoman.usage.row import row_of

CHAT = "/v1/chat/completions"


@contextlib.contextmanager
def looked_after(served: Served) -> Iterator[None]:
    """While requests in flight are looked after."""
    task = asyncio.run_coroutine_threadsafe(served.app.look_after(), served.loop)
    try:
        yield
    finally:
        task.cancel()


def waiting(served: Served, upstream: Upstream, **fields: Any) -> tuple[Protocol, threading.Event]:
    """A chat request that the provider has, and does not answer before the event."""
    gate = threading.Event()
    upstream.reply(expect, until(gate), answer())
    before = len(upstream.requests)
    request = served.begin("POST", CHAT, chat_body(**fields))
    upstream.received(before + 1)
    return request, gate


def test_ids_are_unique_and_grow(served: Served) -> None:
    ids = [served.get("/healthz").headers["x-request-id"] for _ in range(200)]
    assert len(set(ids)) == 200
    assert all(re.fullmatch(r"req_[0-9a-f]{28}", one) for one in ids)
    assert [one[:16] for one in ids] == sorted(one[:16] for one in ids)


def test_a_path_that_is_not_there(served: Served) -> None:
    response = served.get("/nowhere")
    assert (response.status, response.code) == (404, "not_found")
    assert response.headers["x-dragoman-snapshot"] == "1"


@pytest.mark.parametrize("count", [10, 11])
def test_headers_have_a_number(serve: Serve, count: int) -> None:
    served = serve({"server": {"limits": {"max_headers": 10}}})
    response = served.get("/v1/models", **{f"x-{number}": "v" for number in range(count - 1)})
    if count <= 10:
        assert response.status == 200
    else:
        assert (response.status, response.code) == (431, "headers_too_large")


def repeated(served: Served, *pairs: tuple[str, str]) -> Protocol:
    """A GET with headers that come more than once."""
    protocol = Protocol(b"", served.thread_loop)
    scope: Any = Scope("GET", "/v1/models", list(pairs))
    proto: Any = protocol
    Driver(served.app(scope, proto), protocol, served.loop).start()
    return protocol.wait()


def test_a_header_that_comes_twice_is_one_list(serve: Serve, upstream: Upstream) -> None:
    one, other = create_secret(), create_secret()
    served = serve(config_for(upstream.base_url, keys=[{"name": "a", "secret": one}, {"name": "b", "secret": other}]))
    assert repeated(served, ("authorization", f"Bearer {one}")).status == 200
    for second in (f"Bearer {other}", f"Bearer {one}", "Bearer wrong", other):
        for pairs in ([f"Bearer {one}", second], [second, f"Bearer {one}"]):
            response = repeated(served, *(("authorization", value) for value in pairs))
            assert (response.status, response.code) == (400, "ambiguous_key")
            assert "dgk_" not in response.body.decode()
    assert repeated(served, ("x-api-key", one), ("accept", "a"), ("accept", "b")).status == 200
    response = repeated(served, ("x-api-key", one), ("authorization", f"Bearer {other}"))
    assert (response.status, response.code) == (400, "ambiguous_key")


def test_only_so_many_at_once(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url, server={"limits": {"max_concurrent": 2}}))
    first, gate = waiting(served, upstream)
    second, other = waiting(served, upstream)
    response = served.chat()
    assert (response.status, response.code) == (503, "overloaded")
    assert (response.headers["retry-after"], response.headers["retry-after-ms"]) == ("1", "1000")
    assert served.get("/healthz").status == served.get("/readyz").status == served.get("/metrics").status == 200
    gate.set()
    assert first.wait().status == 200
    assert served.get("/v1/models").status == 200
    other.set()
    assert second.wait().status == 200
    assert served.app.in_flight == set()


@pytest.mark.parametrize("error", [ValueError("secret-text"), KeyError("k"), RecursionError(), MemoryError()])
def test_a_bug_is_told_without_its_text(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def broken(*_: Any) -> None:
        raise error

    monkeypatch.setattr(served.gateway, "authenticate", broken)
    response = served.chat()
    assert (response.status, response.code) == (500, "internal_error")
    assert b"secret-text" not in response.body
    assert response.headers["x-request-id"] in caplog.text
    assert "Traceback" in caplog.text
    assert response.headers["x-should-retry"] == "false"
    assert served.gateway.metrics.internal_errors == 1
    assert served.app.in_flight == set()


class PanicException(BaseException):
    """As a panic of the extension's arrives: no ``Exception``."""


def test_a_panic_of_the_extension_is_a_bug_like_any_other(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise PanicException("attempt to subtract with overflow")

    monkeypatch.setattr(served.gateway, "read_body", broken)
    response = served.chat()
    assert (response.status, response.code) == (500, "internal_error")
    row = served.row(response)
    assert (row.status, row.error_code, row.fault) == (500, "internal_error", "gateway")
    assert served.gateway.metrics.internal_errors == 1
    monkeypatch.undo()
    assert served.get("/v1/models").status == 200


def test_a_body_that_comes_too_slowly_is_given_up(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url, server={"limits": {"body_timeout_s": 0.1}}))
    with looked_after(served):
        response = served.begin("POST", CHAT, None, content_length="5").wait()
    assert (response.status, response.code) == (408, "request_timeout")
    assert served.row(response).error_code == "request_timeout"


def test_a_body_that_comes_in_time_is_not(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url, server={"limits": {"body_timeout_s": 10}}))
    upstream.reply(expect, answer())
    with looked_after(served):
        request = served.begin("POST", CHAT, None, content_length=str(len(chat_body())))
        time.sleep(0.5)
        request.arrive(chat_body())
        assert request.wait().status == 200


def test_a_client_that_leaves_ends_what_is_done_for_it(served: Served, upstream: Upstream) -> None:
    upstream.reply(expect, hold)
    request = served.begin("POST", CHAT, chat_body())
    upstream.received()
    with looked_after(served):
        time.sleep(app_module.WATCH_AFTER_S + 2 * app_module.LOOK_EVERY_S)
        left_s = time.monotonic()
        request.leave()
        connection = upstream.closed()
    assert connection is not None
    assert connection.closed_s is not None
    assert connection.closed_s - left_s < 5
    request.wait()
    assert request.status == 0
    assert served.app.in_flight == set()


def test_a_client_that_leaves_a_stream(served: Served, upstream: Upstream) -> None:
    upstream.reply(expect, send(stream_head() + chunk(role_event() + event("Hi"))), hold)
    request = served.begin("POST", CHAT, chat_body(stream=True))
    with looked_after(served):
        until_s = time.monotonic() + 20
        while b"Hi" not in request.body and time.monotonic() < until_s:
            time.sleep(0.01)
        request.leave()
        assert upstream.closed() is not None
    request.wait()
    (row,) = map(row_of, served.gateway.writer._recent.values())
    assert (row.status, row.error_code, row.usage_source, row.output_tokens) == (
        499,
        "client_closed_request",
        "counted",
        1,
    )


def test_while_draining_nothing_new_is_begun(served: Served, upstream: Upstream) -> None:
    request, gate = waiting(served, upstream)
    drain = asyncio.run_coroutine_threadsafe(served.app.drain(20), served.loop)
    time.sleep(0.1)
    response = served.chat()
    assert (response.status, response.code) == (503, "shutting_down")
    assert served.get("/readyz").status == 503
    assert not drain.done()
    gate.set()
    assert request.wait().status == 200
    drain.result(20)


def test_at_the_deadline_the_rest_is_ended(served: Served, upstream: Upstream) -> None:
    whole, gate = waiting(served, upstream)
    upstream.reply(expect, send(stream_head() + chunk(role_event() + event("Hi"))), hold)
    streamed = served.begin("POST", CHAT, chat_body(stream=True))
    body = served.begin("POST", CHAT, None, content_length="5")
    until_s = time.monotonic() + 20
    while b"Hi" not in streamed.body and time.monotonic() < until_s:
        time.sleep(0.01)
    served.run(served.app.drain(0.2))
    for request in (whole, body):
        assert (request.wait().status, request.code) == (503, "shutting_down")
        assert served.row(request).error_code == "shutting_down"
    streamed.wait()
    assert b'"shutting_down"' in streamed.body.split(b"\n\n")[-2]
    assert b"[DONE]" not in streamed.body
    assert streamed.complete
    row = served.row(streamed)
    assert (row.error_code, row.fault, row.usage_source) == ("shutting_down", "gateway", "counted")
    gate.set()
    assert served.app.in_flight == set()


def test_a_request_keeps_the_snapshot_that_it_began_with(served: Served, upstream: Upstream) -> None:
    request, gate = waiting(served, upstream)
    served.gateway.replace(served.load(config_for(upstream.base_url, routes={})))
    assert served.chat().status == 404
    gate.set()
    response = request.wait()
    assert (response.status, response.headers["x-dragoman-snapshot"]) == (200, "1")
    assert served.row(response).snapshot == 1
    assert served.get("/readyz").headers["x-dragoman-snapshot"] == "2"


def test_answers_may_go_by_the_loop(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url, server={"relay": "pump"}))
    upstream.reply(expect, stream())
    response = served.chat(stream=True)
    until_s = time.monotonic() + 20
    while not response.complete and time.monotonic() < until_s:
        time.sleep(0.01)
    assert response.body.endswith(b"data: [DONE]\n\n")
