"""What the gateway relies on of granian, most of it said nowhere: held to on a real worker, and on the gateway's own.

A change of granian's that breaks one of these breaks the gateway. ``server.relay: pump`` is the way round the first.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.client import Client, Response, get
from tests.gateway.gateway import Gateway, config_for, free_port
from tests.gateway.upstream import (
    DONE,
    LAST_CHUNK,
    Upstream,
    answer,
    chat_answer,
    chunk,
    event,
    expect,
    hold,
    role_event,
    send,
    stream,
    stream_head,
)

PATIENCE_S = 20.0
PIECES = 2000


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where the program around granian listens."""
    port = free_port()
    command = [sys.executable, "-m", "tests.server.contract", str(port)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2]) as process:
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s:
            try:
                get(port, "/said")
                break
            except ConnectionError:
                time.sleep(0.02)
        yield port
        process.terminate()
        assert process.wait(PATIENCE_S) == 0


def said(port: int, name: str) -> Any:
    """What a path has said, once it has."""
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        told = get(port, "/said").json
        if name in told:
            return told[name]
        time.sleep(0.02)
    raise AssertionError(f"{name} was not said")


@pytest.fixture
def held(port: int) -> Iterator[int]:
    """While the event loop does nothing."""
    get(port, "/hold")
    yield port
    get(port, "/release")


def test_a_stream_is_sent_by_any_thread_in_order_without_the_loop(held: int) -> None:
    response = get(held, "/stream")
    assert response.complete
    assert response.body == b"".join(b"%d," % number for number in range(PIECES))
    assert not any("Err" in kind for kind in said(held, "taken"))


def test_a_whole_answer_is_given_by_any_thread_without_the_loop(held: int) -> None:
    response = get(held, "/whole")
    assert (response.status, response.headers["x-a"], response.body) == (201, "b", b"whole")


def test_a_request_is_begun_without_the_loop(held: int) -> None:
    assert get(held, "/said").status == 200


def test_bytes_for_a_client_that_has_left_are_refused_by_an_error(port: int) -> None:
    with Client(port) as client:
        client.ask("GET", "/gone")
        client.read_head()
        client.abort()
    kind, raised = said(port, "gone")
    assert "Err" in kind
    assert raised == "RSGIProtocolClosed"


@pytest.mark.parametrize("within", ["", "?answer"])
def test_a_client_s_leaving_is_told(port: int, within: str) -> None:
    with Client(port) as client:
        client.ask("GET", f"/leaves{within}")
        time.sleep(0.2)
        client.abort()
    assert said(port, "left") is said(port, "left_again") is True


@pytest.mark.parametrize("size", [1, 300_000])
def test_a_body_is_awaited_without_the_loop(held: int, size: int) -> None:
    with Client(held) as client:
        client.ask("POST", "/body", b"x" * size)
        assert client.read().status == 200
    length, _, done, cancelled, cancel = said(held, "body")
    assert (length, done, cancelled, cancel) == (size, True, False, False)


def test_a_body_that_is_given_up_wakes_as_cancelled_without_the_loop(held: int) -> None:
    with Client(held) as client:
        client.send(b"POST /cancelled HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n12")
        assert client.read().status == 408
    assert said(held, "cancel") == [True, True, False]
    assert said(held, "raised") == "CancelledError"


HEAD = b"POST /pieces HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"


def test_a_body_in_pieces_ends_with_an_empty_one_and_then_stops(held: int) -> None:
    with Client(held) as client:
        client.send(HEAD + chunk(b"12") + chunk(b"345") + LAST_CHUNK)
        assert client.read().status == 200
    assert said(held, "sizes")[0] == 5
    assert said(held, "after") == "stop"


def test_a_body_that_breaks_off_has_an_empty_piece_and_does_not_stop(held: int) -> None:
    with Client(held) as client:
        client.send(HEAD + chunk(b"12") + b"nonsense\r\n")
        client.closed()
    assert said(held, "sizes") == [2, 1]
    assert said(held, "after") == 0


def test_only_the_first_answer_counts(port: int) -> None:
    response = get(port, "/twice")
    assert (response.status, response.body, response.complete) == (200, b"first", True)
    assert said(port, "twice") == "RSGIProtocolError"


def test_headers_come_one_by_one_and_bad_ones_are_not_sent(port: int) -> None:
    with Client(port) as client:
        client.send(b"GET /%68eaders HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nX-A: 2\r\nX-B: \xff\r\n\r\n")
        response = client.read()
    assert said(port, "pairs") == [["host", "x"], ["x-a", "1"], ["x-a", "2"]]
    assert said(port, "path") == "/headers"
    assert response.headers["x-good"] == "1"
    assert response.headers.keys() <= {"x-good", "server", "content-length", "date"}


@pytest.mark.parametrize("path", ["/nothing", "/raises"])
def test_a_request_that_is_not_answered_is_a_500(port: int, path: str) -> None:
    response = get(port, path)
    assert (response.status, response.body) == (500, b"")


# The gateway's own worker, both ways of sending.


@pytest.fixture(scope="module", params=["direct", "pump"])
def relaying(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Gateway, Upstream]]:
    with Upstream() as upstream:
        config = config_for(upstream.base_url, server={"relay": request.param})
        with Gateway(config, tmp_path_factory.mktemp(str(request.param))) as gateway:
            yield gateway, upstream


def chat(gateway: Gateway, **fields: Any) -> Response:
    with Client(gateway.port) as client:
        client.chat(**fields)
        return client.read()


def test_a_long_stream_arrives_in_order(relaying: tuple[Gateway, Upstream]) -> None:
    gateway, upstream = relaying
    texts = [f"<{number}>" for number in range(PIECES)]
    upstream.reply(expect, stream(texts))
    response = chat(gateway, stream=True)
    assert response.text == "".join(texts)
    assert response.body.endswith(DONE)
    assert response.complete


def test_a_paced_stream_arrives_as_it_is_sent(relaying: tuple[Gateway, Upstream]) -> None:
    """Each event is waited for by the provider until the client has had the one before."""
    gateway, upstream = relaying
    seen = threading.Semaphore(0)

    def step(connection: Any) -> None:
        connection.send(stream_head() + chunk(role_event()))
        for number in range(20):
            connection.send(chunk(event(f"<{number}>")))
            assert seen.acquire(timeout=PATIENCE_S)
        connection.send(b"".join(map(chunk, [event(finish_reason="stop"), DONE])) + LAST_CHUNK)

    upstream.reply(expect, step)
    with Client(gateway.port) as client:
        client.chat(stream=True)
        texts = []
        for _, block in client.events():
            if b'"<' in block:
                texts.append(block)
                seen.release()
    assert len(texts) == 20


def test_whole_answers_and_errors_too(relaying: tuple[Gateway, Upstream]) -> None:
    gateway, upstream = relaying
    upstream.reply(expect, answer())
    assert chat(gateway).body == chat_answer()
    assert chat(gateway, model="none").status == 404
    assert gateway.get("/readyz").status == 200


def test_a_client_that_leaves_ends_the_provider_s_stream(relaying: tuple[Gateway, Upstream]) -> None:
    gateway, upstream = relaying
    upstream.reply(expect, send(stream_head() + chunk(role_event() + event("Hi"))), hold)
    before = len(upstream.requests)
    with Client(gateway.port) as client:
        client.chat(stream=True)
        client.read_head()
        client.abort()
    (*_, request) = upstream.received(before + 1)
    assert upstream.closed(request.connection.number) is not None
