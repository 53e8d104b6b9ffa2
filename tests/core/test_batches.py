"""Streams that are read event by event, and whole answers that are left to the caller, from a provider's own socket."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.gateway.upstream import Upstream, answer, chunk, event, expect, finish, pause, send, stream_head

from dragoman.core import Outcome, Reply, Target, Terms, event_stream_message
from dragoman.core import Upstream as Pool
from dragoman.driver import Driver

PATIENCE_S = 20


class Client:
    """A client's side of the server, which takes down what it is sent."""

    def __init__(self) -> None:
        self.head: tuple[int, list[tuple[str, str]]] | None = None
        self.sent = b""

    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> Client:
        self.head = (status, headers)
        return self

    def send_bytes(self, data: bytes) -> None:
        self.sent += data


class Read:
    """One attempt, read to its end on the upstream thread."""

    def __init__(self, target: Target, lane: str, *, heartbeat_s: float = 10.0, begin: bool = False) -> None:
        self.client = Client()
        self.batches: list[list[tuple[str, bytes]]] = []
        self.begun: list[bool] = []
        self.outcome: Outcome | None = None
        self.error: BaseException | None = None
        self.ended = threading.Event()
        client: Any = self.client
        self.reply = Reply(client, "127.0.0.1:1")
        terms = Terms(lane, "POST", [("x-own", "1")], (5.0, 5.0, 10.0, heartbeat_s))
        self.exchange = target.send(self.reply, "/x", b"{}", [], terms)
        self.begin = begin
        watcher: Any = self
        loop: Any = None
        Driver(self.run(), watcher, loop).start()
        assert self.ended.wait(PATIENCE_S)
        assert self.error is None, self.error

    async def run(self) -> None:
        while (batch := await self.exchange.next_batch()) is not None:
            self.batches.append(batch)
            if self.begin:
                self.begun.append(self.exchange.begin("text/plain"))
                for _, data in batch:
                    self.reply.send(data)
        self.outcome = await self.exchange

    def done(self) -> None:
        self.ended.set()

    def err(self, error: BaseException) -> None:
        self.error = error
        self.ended.set()

    @property
    def frames(self) -> list[tuple[str, bytes]]:
        return [frame for batch in self.batches for frame in batch]

    @property
    def failure(self) -> str:
        assert self.outcome is not None
        return self.outcome.failure


@pytest.fixture
def target(upstream: Upstream) -> Iterator[Target]:
    loop = asyncio.new_event_loop()
    options: Any = {"connect_timeout_s": 2.0, "allow_private": True, "http2": False, "proxy": "none"}
    options |= {"ca_pem": None, "pins": []}
    pool = Pool(loop)  # its thread ends with it
    yield pool.target(f"http://127.0.0.1:{upstream.port}", [], options)
    del pool
    loop.close()


def head(content_type: str) -> bytes:
    return (
        f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\nx-ratelimit-left: 3\r\n\r\n"
    ).encode()


def last() -> bytes:
    return b"0\r\n\r\n"


def test_events_come_with_their_names_and_comments_do_not(upstream: Upstream, target: Target) -> None:
    said = b": hello\n\nevent: a\ndata: 1\n\ndata: 2\n\n"
    upstream.reply(expect, send(head("text/event-stream") + chunk(said) + last()))
    read = Read(target, "events:sse")
    assert read.frames == [("a", b"1"), ("", b"2")]
    assert (read.failure, read.client.head) == ("", None)


def test_messages_and_lines_are_cut_as_they_are(upstream: Upstream, target: Target) -> None:
    message = event_stream_message("chunk", b'{"n":1}')
    upstream.reply(
        expect, send(head("application/vnd.amazon.eventstream") + chunk(message[:9]) + chunk(message[9:])), send(last())
    )
    upstream.reply(expect, send(head("application/x-ndjson") + chunk(b'{"n":1}\n{"n"') + chunk(b":2}\n") + last()))
    assert Read(target, "events:eventstream").frames == [("chunk", b'{"n":1}')]
    assert Read(target, "events:ndjson").frames == [("", b'{"n":1}'), ("", b'{"n":2}')]


def test_an_answer_is_begun_from_here_with_what_the_provider_says_of_its_limits(
    upstream: Upstream, target: Target
) -> None:
    upstream.reply(expect, send(head("text/event-stream") + chunk(b"data: 1\n\n") + last()))
    read = Read(target, "events:sse", begin=True)
    assert read.begun == [True]
    assert read.client.sent == b"1"
    assert read.client.head is not None
    status, headers = read.client.head
    told = dict(headers)
    assert (status, told["content-type"], told["x-own"], told["x-ratelimit-left"]) == (200, "text/plain", "1", "3")
    assert read.reply.taken()


def test_a_stream_that_is_cut_gives_what_came_before(upstream: Upstream, target: Target) -> None:
    upstream.reply(expect, send(head("text/event-stream") + chunk(b"data: 1\n\n")), finish)
    read = Read(target, "events:sse")
    assert read.frames == [("", b"1")]
    assert read.failure == "cut"


def test_a_broken_message_is_a_fault_of_the_provider_s(upstream: Upstream, target: Target) -> None:
    bad = bytearray(event_stream_message("chunk", b"{}"))
    bad[-1] ^= 1
    upstream.reply(expect, send(head("application/vnd.amazon.eventstream") + chunk(bytes(bad)) + last()))
    assert Read(target, "events:eventstream").failure == "protocol"


def test_silence_is_told(upstream: Upstream, target: Target) -> None:
    upstream.reply(expect, send(stream_head() + chunk(event("a"))), pause(0.3), send(last()))
    read = Read(target, "events:sse", heartbeat_s=0.05)
    assert [] in read.batches
    assert len(read.frames) == 1


def test_an_error_where_a_stream_was_asked_for(upstream: Upstream, target: Target) -> None:
    upstream.reply(expect, answer(b'{"error":{"message":"slow down","code":"rate_limit_exceeded"}}'))
    upstream.reply(expect, answer(b'{"error":{"message":"no"}}', 400))
    assert Read(target, "events:sse").failure == "reported"
    refused = Read(target, "events:sse")
    assert refused.outcome is not None
    assert (refused.failure, refused.outcome.status) == ("status", 400)
    assert b"no" in refused.outcome.body


def test_a_whole_answer_of_any_shape_is_left_to_the_caller(upstream: Upstream, target: Target) -> None:
    upstream.reply(expect, answer(b'{"anything":[1]}'))
    upstream.reply(expect, answer(b""))
    read = Read(target, "json")
    assert read.outcome is not None
    assert (read.failure, read.outcome.body, read.batches) == ("", b'{"anything":[1]}', [])
    assert Read(target, "json").failure == "protocol"
