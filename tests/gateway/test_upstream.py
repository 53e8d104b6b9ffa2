"""The tools of these tests, tested against each other: a fault that is not played proves nothing."""

from __future__ import annotations

import socket
import time

import pytest
from tests.gateway.client import Client, chat, request_bytes
from tests.gateway.upstream import (
    DONE,
    LAST_CHUNK,
    Upstream,
    answer,
    black_hole,
    chunk,
    event,
    expect,
    finish,
    half_close,
    hold,
    pace,
    pause,
    refusing_port,
    reset,
    role_event,
    send,
    stream,
    stream_head,
    usage_event,
)


def test_replies_are_played_in_order_and_the_last_again(upstream: Upstream) -> None:
    upstream.reply(expect, answer(b'{"n":1}'))
    upstream.reply(expect, answer(b'{"n":2}', 429, retry_after="7"))
    with Client(upstream.port) as client:
        seen = []
        for _ in range(3):
            client.chat()
            seen.append(client.read())
    assert [(one.status, one.body, one.complete) for one in seen] == [
        (200, b'{"n":1}', True),
        (429, b'{"n":2}', True),
        (429, b'{"n":2}', True),
    ]
    assert seen[1].headers["retry-after"] == "7"
    assert len(upstream.connections) == 1
    assert [request.json["model"] for request in upstream.received(3)] == ["chat"] * 3


def test_a_stream_is_whole_and_paced(upstream: Upstream) -> None:
    upstream.reply(expect, stream(["a", "b"], gap_s=0.02))
    with Client(upstream.port) as client:
        client.chat(stream=True)
        events = list(client.events())
    assert [data for _, data in events][-1] == DONE.strip()
    assert len(events) == 6
    assert events[-1][0] - events[0][0] > 0.09


def test_a_reset_is_a_reset_and_a_finish_is_none(upstream: Upstream) -> None:
    upstream.reply(expect, send(stream_head() + chunk(event("a"))), pause(0.05), reset)
    upstream.reply(expect, send(stream_head() + chunk(event("a"))), finish)
    with Client(upstream.port) as client:
        client.chat()
        client.read_head()
        with pytest.raises(ConnectionResetError):
            while client.socket.recv(4096):
                pass
    cut = chat(upstream.port)
    assert (cut.text, cut.complete) == ("a", False)


def test_a_half_closed_upstream_still_listens(upstream: Upstream) -> None:
    upstream.reply(expect, answer(), half_close, hold)
    with Client(upstream.port) as client:
        client.chat()
        assert client.read().complete
        assert client.closed()
        client.send(b"more")
    connection = upstream.closed()
    assert connection is not None
    assert connection.closed_by == "peer"
    assert connection.received.endswith(b"more")


def test_the_time_of_leaving_is_noted(upstream: Upstream) -> None:
    upstream.reply(expect, send(stream_head()), pace([chunk(event("x"))] * 1000, 0.01))
    with Client(upstream.port) as client:
        client.chat()
        client.read_head()
        client.abort()
        left_s = time.monotonic()
    connection = upstream.closed()
    assert connection is not None
    assert connection.closed_s is not None
    assert connection.closed_by == "peer"
    assert connection.closed_s - left_s < 1


def test_an_early_answer_leaves_the_body_unread(upstream: Upstream) -> None:
    upstream.reply(answer(b"{}", 413), finish)
    with Client(upstream.port) as client:
        client.send(request_bytes("POST", "/v1/chat/completions", b"", content_length="1000000")[:-1])
        client.send(b"\n")
        assert client.read().status == 413


def test_chunked_requests_are_read(upstream: Upstream) -> None:
    with Client(upstream.port) as client:
        client.send(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n" + chunk(b"ab") + chunk(b"c") + LAST_CHUNK)
        assert client.read().status == 200
    assert upstream.received()[0].body == b"abc"


def test_greetings_come_before_any_request() -> None:
    with Upstream(on_connect=[send(b"garbage\r\n\r\n"), finish]) as upstream, Client(upstream.port) as client:
        assert client.socket.recv(100) == b"garbage\r\n\r\n"
        assert client.closed()
    assert upstream.requests == []


def test_a_refusing_port_refuses_and_a_black_hole_swallows() -> None:
    with refusing_port() as port, pytest.raises(ConnectionRefusedError):
        Client(port)
    with black_hole() as port, socket.socket() as probe:
        probe.settimeout(0.5)
        with pytest.raises(TimeoutError):
            probe.connect(("127.0.0.1", port))


def test_what_is_said_adds_up(upstream: Upstream) -> None:
    parts = [role_event(), event("a"), usage_event(5, 6), DONE]
    upstream.reply(expect, send(stream_head() + b"".join(map(chunk, parts)) + LAST_CHUNK))
    said = chat(upstream.port, stream=True)
    assert said.complete
    assert said.text == "a"
    assert len(said.events) == 4
