"""What the gateway does when a client leaves, stops, or sends more than it may: C1 to C7 and C21.

Each test is named after its row in the catalogue of faults and runs on real sockets. What is sent is the business of
``test_faults_input.py``.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time

import pytest
from tests.gateway.client import chat_body, get
from tests.gateway.desk import BEARER, KEY, MAX_BODY, OUTSTANDING, PATIENCE_S, Desk, error_of
from tests.gateway.upstream import (
    DONE,
    LAST_CHUNK,
    Connection,
    answer,
    chunk,
    event,
    expect,
    hold,
    role_event,
    send,
    stream,
    stream_head,
)

BEGINS = send(stream_head() + chunk(role_event() + event("One")))


def test_c01_a_client_that_leaves_before_its_turn_is_not_sent_for(desk: Desk) -> None:
    desk.play(expect, answer(b"{}", 503, retry_after_ms="900"))
    with desk.client() as client:
        client.chat(model="patient", headers=BEARER)
        desk.received()
        client.abort()
    (row,) = desk.rows(1)
    assert (row["status"], row["error_code"], row["attempts"]) == (499, "client_closed_request", 1)
    assert len(desk.requests()) == 1


@pytest.mark.parametrize("streamed", [False, True])
def test_c02_a_client_that_leaves_before_the_first_token(desk: Desk, streamed: bool) -> None:
    desk.play(expect, hold)
    with desk.client() as client:
        client.chat(stream=streamed, headers=BEARER)
        (request,) = desk.received()
        time.sleep(0.2)
        left_s = time.monotonic()
        client.abort()
    assert desk.given_up(request) - left_s < 3
    (row,) = desk.rows(1)
    assert (row["status"], row["error_code"], row["fault"]) == (499, "client_closed_request", "client")
    assert (row["usage_source"], row["output_tokens"]) == ("counted", 0)
    assert row["input_tokens"] > 5


TEXTS = ["One", " two", " three"]


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("how", ["reset", "finish"])
def test_c03_and_edge_41_a_client_that_leaves_within_its_stream(desk: Desk, count: int, how: str) -> None:
    sent = b"".join(chunk(event(text)) for text in TEXTS[:count])
    desk.play(expect, send(stream_head() + chunk(role_event()) + sent), hold)
    with desk.client() as client:
        client.chat(stream=True, headers=BEARER)
        response = client.read_head()
        for part in client.parts(response):
            response.body += part
            if all(json.dumps(text).encode() in response.body for text in TEXTS[:count]):
                break
        (request,) = desk.received()
        left_s = time.monotonic()
        if how == "reset":
            client.abort()
        else:
            client.socket.close()
    assert desk.given_up(request) - left_s < 3
    (row,) = desk.rows(1)
    assert (row["status"], row["error_code"]) == (499, "client_closed_request")
    assert (row["usage_source"], row["output_tokens"], row["stream"]) == ("counted", count, 1)


def test_c03_and_edge_50_streams_that_are_left_leave_nothing(desk: Desk) -> None:
    desk.play(expect, BEGINS, hold)
    files = desk.gateway.open_files
    for _ in range(150):
        with desk.client() as client:
            client.chat(stream=True, headers=BEARER)
            client.read_head()
            client.abort()
    rows = desk.rows(150)
    assert {row["error_code"] for row in rows} == {"client_closed_request"}
    desk.at_rest()
    until_s = time.monotonic() + PATIENCE_S
    while desk.gateway.open_files > files + 8 and time.monotonic() < until_s:
        time.sleep(0.1)
    assert desk.gateway.open_files <= files + 8


def test_c04_many_leave_at_once_and_others_are_served(desk: Desk) -> None:
    desk.play(expect, BEGINS, hold)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(desk.client()) for _ in range(200)]
        for client in clients:
            client.chat(stream=True, headers=BEARER)
        for client in clients:
            client.read_head()
        desk.play(expect, answer())
        for client in clients:
            client.abort()
        assert desk.chat().status == 200
    rows = desk.rows(201)
    assert sorted({row["status"] for row in rows}) == [200, 499]


class Flood:
    """A provider that streams for as long as somebody takes it, and counts what was taken."""

    def __init__(self) -> None:
        self.sent = 0
        self.ended = threading.Event()

    def __call__(self, connection: Connection) -> None:
        connection.socket.settimeout(PATIENCE_S)
        piece = chunk(event("x" * 4000))
        connection.send(stream_head() + chunk(role_event()))
        try:
            while self.sent < 200_000_000:
                connection.send(piece)
                self.sent += len(piece)
        finally:
            self.ended.set()


def test_c05_a_reader_that_stops_stops_the_provider_and_is_gone_after_a_while(desk: Desk) -> None:
    flood = Flood()
    desk.play(expect, flood)
    before = desk.gateway.resident_bytes
    with desk.client(receive_buffer=4096) as client:
        client.chat(stream=True, headers=BEARER)
        client.read_head()
        assert flood.ended.wait(PATIENCE_S)
        assert desk.gateway.resident_bytes - before < 32 * 1024 * 1024
        assert client.closed()
    # What the kernel's buffers hold on both sides of the gateway, beside what it may owe by itself.
    assert flood.sent < OUTSTANDING + 24 * 1024 * 1024
    (row,) = desk.rows(1)
    assert (row["status"], row["error_code"]) == (499, "client_closed_request")


def test_c05_a_slow_reader_gets_it_all(desk: Desk) -> None:
    texts = [f"{number:05d}" * 100 for number in range(2000)]
    desk.play(expect, stream(texts))
    with desk.client(receive_buffer=4096) as client:
        client.chat(stream=True, headers=BEARER)
        response = client.read_head()
        for number, part in enumerate(client.parts(response)):
            response.body += part
            if number % 200 == 0:
                time.sleep(0.05)
    assert response.text == "".join(texts)
    assert response.body.endswith(DONE)
    assert desk.rows(1)[0]["error_code"] == ""


def test_c06_headers_that_do_not_come_are_given_up(desk: Desk) -> None:
    with desk.client() as client:
        client.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n")
        assert client.closed()


def test_c06_headers_that_drip_are_given_up(desk: Desk) -> None:
    with desk.client() as client:
        client.send(b"GET /healthz HTTP/1.1\r\nhost: x\r\n")
        until_s = time.monotonic() + PATIENCE_S
        with pytest.raises(ConnectionError):
            while time.monotonic() < until_s:
                client.send(b"a")
                time.sleep(0.1)


def head_of(length: int, *, chunked: bool = False) -> bytes:
    framing = "transfer-encoding: chunked" if chunked else f"content-length: {length}"
    return f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n{framing}\r\n\r\n".encode()


@pytest.mark.parametrize(("length", "chunked"), [(100, False), (MAX_BODY, False), (0, True)])
def test_c06_a_body_that_stops_is_given_up(desk: Desk, length: int, chunked: bool) -> None:
    with desk.client() as client:
        client.send(head_of(length, chunked=chunked) + (chunk(b"12345") if chunked else b"12345"))
        response = client.read()
        # Of a chunked body the server may go on waiting for the rest, until the client leaves.
        assert chunked or client.closed()
    assert (response.status, error_of(response)) == (408, "request_timeout")
    (row,) = desk.rows(1)
    assert (row["status"], row["error_code"], row["fault"]) == (408, "request_timeout", "client")
    assert desk.requests() == []


def test_c06_a_body_that_drips_is_given_up(desk: Desk) -> None:
    with desk.client() as client:
        client.send(head_of(1000))
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                client.send(b" ")
                time.sleep(0.05)
        assert client.read().status == 408


def test_c06_a_body_that_comes_in_time_is_read(desk: Desk) -> None:
    body = chat_body()
    with desk.client() as client:
        client.send(head_of(len(body)))
        for start in range(0, len(body), 20):
            client.send(body[start : start + 20])
            time.sleep(0.05)
        assert client.read().status == 200


def padded(size: int) -> bytes:
    """A chat request of exactly so many bytes."""
    return chat_body(user="x" * (size - len(chat_body(user=""))))


@pytest.mark.parametrize(("size", "status"), [(MAX_BODY - 1, 200), (MAX_BODY, 200), (MAX_BODY + 1, 413)])
@pytest.mark.parametrize("chunked", [False, True])
def test_c07_a_body_has_a_largest_size(desk: Desk, size: int, status: int, chunked: bool) -> None:
    body = padded(size)
    assert len(body) == size
    with desk.client() as client:
        client.send(head_of(size, chunked=chunked))
        with contextlib.suppress(ConnectionError):
            client.send(chunk(body[:100]) + chunk(body[100:]) + LAST_CHUNK if chunked else body)
        response = client.read()
    assert response.status == status
    (row,) = desk.rows(1)
    assert row["status"] == status
    if status == 413:
        assert error_of(response) == row["error_code"] == "body_too_large"
        assert desk.requests() == []


def test_c07_a_length_that_is_too_large_is_refused_unread(desk: Desk) -> None:
    with desk.client() as client:
        client.send(head_of(10**12))
        response = client.read()
        assert client.closed()
    assert (response.status, error_of(response)) == (413, "body_too_large")


def test_c07_an_endless_body_is_refused_as_soon_as_it_is_too_large(desk: Desk) -> None:
    sent = 0
    with desk.client() as client:
        client.send(head_of(0, chunked=True))
        with contextlib.suppress(ConnectionError):
            while sent < 100_000_000:
                client.send(chunk(b" " * 4096))
                sent += 4096
        with contextlib.suppress(ConnectionError):
            assert client.read().status == 413
    assert sent < 20_000_000
    assert desk.rows(1)[0]["error_code"] == "body_too_large"


def test_c07_a_length_that_lies(desk: Desk) -> None:
    body = chat_body()
    with desk.client() as client:
        client.send(head_of(len(body) + 10) + body)
        client.socket.shutdown(socket.SHUT_WR)
        client.closed()
    (row,) = desk.rows(1)
    assert (row["status"], row["error_code"]) == (499, "client_closed_request")
    (response, *others) = desk.raw(head_of(len(body) - 10) + body)
    assert response.status == 400
    assert [other.status for other in others] in ([], [400])
    assert desk.requests() == []


def test_c21_idle_connections_do_not_keep_others_out(desk: Desk) -> None:
    before = desk.gateway.resident_bytes
    with contextlib.ExitStack() as stack:
        for number in range(500):
            client = stack.enter_context(desk.client())
            if number % 2:
                client.ask("GET", "/healthz")
                assert client.read().status == 200
        assert desk.chat().status == 200
        assert desk.gateway.resident_bytes - before < 64 * 1024 * 1024


def test_c21_connections_come_and_go(desk: Desk) -> None:
    for _ in range(500):
        assert get(desk.port, "/healthz").status == 200
    files = desk.gateway.open_files
    for _ in range(200):
        desk.client().socket.close()
    until_s = time.monotonic() + PATIENCE_S
    while desk.gateway.open_files > files and time.monotonic() < until_s:
        time.sleep(0.05)
    assert desk.gateway.open_files <= files + 2


@pytest.mark.parametrize(("count", "status"), [(50, 200), (51, 431)])
def test_headers_have_a_largest_number(desk: Desk, count: int, status: int) -> None:
    named = {f"x-{number}": "v" for number in range(count - 4)}  # with host, type, length and key
    assert desk.chat(headers=named).status == status


@pytest.mark.parametrize(("size", "status"), [(14 * 1024, 200), (17 * 1024, 431)])
def test_headers_have_a_largest_size(desk: Desk, size: int, status: int) -> None:
    with desk.client() as client, contextlib.suppress(ConnectionError):
        client.chat(headers=BEARER | {"x-long": "v" * size})
        assert client.read_head().status == status


def test_c02_a_client_that_leaves_between_the_head_and_the_first_token(desk: Desk) -> None:
    desk.play(expect, send(stream_head() + chunk(role_event())), hold)
    with desk.client() as client:
        client.chat(stream=True, headers=BEARER)
        (request,) = desk.received()
        client.abort()
    assert desk.given_up(request) > 0
    assert desk.rows(1)[0]["status"] == 499
