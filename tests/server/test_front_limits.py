"""What the server does with those that are slow, idle, too many or too large, and with all of them when it stops."""

from __future__ import annotations

import contextlib
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from tests.gateway.client import Client, Response
from tests.gateway.desk import PATIENCE_S, Desk, error_of
from tests.gateway.gateway import Gateway, config_for
from tests.gateway.upstream import (
    DONE,
    LAST_CHUNK,
    Connection,
    Upstream,
    chunk,
    event,
    expect,
    pause,
    role_event,
    send,
    stream_head,
    until,
)
from tests.server.front import (
    HASTE,
    MAX_BODY,
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    Asking,
    body_of,
    check_all,
    check_over,
    chunked,
    everything,
    expecting,
    health,
    listing,
    nowhere,
    plain,
    posted,
    speak,
    streamed,
    told,
    unframed,
)

Start = Callable[..., Gateway]
EXPECTING = {"expect": "100-continue"}
KINDS: dict[str, Callable[[], Asking]] = {
    "nothing": health,
    "plain": plain,
    "streamed": streamed,
    "chunked": chunked,
    "models": listing,
    "nowhere": nowhere,
}


def used(desk: Desk, kind: str, stack: contextlib.ExitStack) -> Client:
    """A connection that was used for a request of this kind, or for none."""
    client = stack.enter_context(desk.client())
    if kind != "nothing":
        asking = KINDS[kind]()
        client.send(asking.data)
        asking.check(client)
    return client


# The slow and the idle.


def test_a_connection_that_is_idle_is_closed_without_a_word(brisk: Desk) -> None:
    with contextlib.ExitStack() as stack:
        for client in [used(brisk, kind, stack) for kind in KINDS]:
            assert everything(client) == []


@pytest.mark.parametrize("given", [b"P", b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n", b"\r\n"])
def test_a_head_that_does_not_come_to_its_end_is_given_up(brisk: Desk, given: bytes) -> None:
    with contextlib.ExitStack() as stack:
        clients = []
        for kind in KINDS:
            clients.append(used(brisk, kind, stack))
            clients[-1].send(given)
        for client in clients:
            assert [response.status for response in everything(client)] in ([], [408])


def test_a_head_that_drips_is_given_up(brisk: Desk) -> None:
    with contextlib.ExitStack() as stack:
        clients = []
        for kind in KINDS:
            clients.append(used(brisk, kind, stack))
            clients[-1].send(b"GET /healthz HTTP/1.1\r\nx-slow: ")
        until_s = time.monotonic() + PATIENCE_S
        while clients and time.monotonic() < until_s:
            time.sleep(0.05)
            clients = [client for client in clients if takes(client)]
        assert clients == []


def takes(client: Client) -> bool:
    """Whether one byte more is taken."""
    with contextlib.suppress(ConnectionError):
        client.send(b"a")
        return True
    return False


def test_time_that_the_provider_takes_is_not_the_client_s(brisk: Desk) -> None:
    """Neither within an answer nor before the next request is such a connection idle."""
    brisk.play(expect, pause(HASTE["header_timeout_s"] * 1.3), speak)
    with contextlib.ExitStack() as stack:
        clients = {kind: stack.enter_context(brisk.client()) for kind in ("plain", "streamed", "chunked")}
        for _ in range(2):
            asked = [(client, KINDS[kind]()) for kind, client in clients.items()]
            for client, asking in asked:
                client.send(asking.data)
            for client, asking in asked:
                asking.check(client)
        for client in clients.values():
            assert everything(client) == []


def test_a_body_that_stops_is_given_up(brisk: Desk) -> None:
    asked = [plain(5_000), streamed(), plain(1_000_000), expecting(5_000), chunked(5_000)]
    with contextlib.ExitStack() as stack:
        clients = []
        for kind in ("nothing", "plain"):
            for asking in asked:
                clients.append(used(brisk, kind, stack))
                clients[-1].send(asking.data[:-60])
        for client in clients:
            response = final(client)
            assert (response.status, error_of(response)) == (408, "request_timeout")
    assert len(brisk.requests()) == len(asked)


def final(client: Client) -> Response:
    """An answer, after those that only say to go on."""
    response = client.read_head()
    while response.status == 100:
        response = client.read_head()
    response.body = b"".join(client.parts(response))
    return response


def test_a_body_below_the_slowest_pace_is_given_up_and_one_above_it_served(desk: Desk) -> None:
    """The pace counts after a grace of five seconds."""
    with contextlib.ExitStack() as stack:
        fast, served = plain(200_000), stack.enter_context(desk.client())
        served.send(fast.data[:-10])
        slow: dict[Client, Iterator[int]] = {}
        for asking in (plain(1_000), chunked(1_000), expecting(1_000), plain(300_000)):
            head, end, body = asking.data.partition(b"\r\n\r\n")
            client = stack.enter_context(desk.client())
            client.send(head + end + body[:20])
            slow[client] = iter(body[20:])
        until_s = time.monotonic() + PATIENCE_S
        while slow and time.monotonic() < until_s:
            time.sleep(0.05)
            for client in [client for client in slow if is_answered(client)]:
                response = client.read()
                assert (response.status, error_of(response)) == (408, "request_timeout")
                del slow[client]
            for client, rest in slow.items():
                client.send(bytes([next(rest)]))
        assert slow == {}
        served.send(fast.data[-10:])
        fast.check(served)
    assert len(desk.requests()) == 1


def is_answered(client: Client) -> bool:
    """Whether an answer has come; not one that only says to go on."""
    if select.select([client.socket], [], [], 0)[0]:
        client._more()
    client._unread = client._unread.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    return bool(client._unread)


# The too many and the too large.


def test_connections_above_the_largest_number_wait(gateway: Start, upstream: Upstream) -> None:
    """Those that are served, in whichever way, count once each; none is dropped."""
    upstream.reply(expect, speak)
    started = gateway(config_for(upstream.base_url, server={"limits": {"max_connections": 4}}))
    with contextlib.ExitStack() as stack:
        served = [stack.enter_context(Client(started.port)) for _ in range(4)]
        for client, kind in zip(served, ("plain", "chunked", "streamed", "chunked"), strict=True):
            for _ in range(2):
                asking = KINDS[kind]()
                client.send(asking.data)
                asking.check(client)
        above = [(stack.enter_context(Client(started.port)), KINDS[kind]()) for kind in ("plain", "chunked")]
        for client, asking in above:
            client.send(asking.data)
        assert select.select([client.socket for client, _ in above], [], [], 0.5)[0] == []
        for leaving, (client, asking) in zip(served, above, strict=False):
            leaving.socket.close()
            asking.check(client)
        for client in [*served[2:], *(client for client, _ in above)]:
            asking = plain()
            client.send(asking.data)
            asking.check(client)


def sized(size: int) -> tuple[bytes, str]:
    """A chat of exactly so many bytes, and what is said to it."""
    content = "x" * (size - len(body_of("")))
    return body_of(content), told(content)


@pytest.mark.parametrize("over", [-1, 0, 1])
@pytest.mark.parametrize("way", ["length", "chunks", "expected"])
def test_a_body_has_a_largest_size(desk: Desk, way: str, over: int) -> None:
    body, said = sized(MAX_BODY + over)
    if way == "chunks":
        data = unframed(transfer_encoding="chunked") + chunk(body[:-1]) + chunk(body[-1:]) + LAST_CHUNK
    else:
        data = posted(body, **(EXPECTING if way == "expected" else {}))
    with desk.client() as client:
        asking = plain()
        client.send(asking.data)
        asking.check(client)
        with contextlib.suppress(ConnectionError):
            client.send(data[: -len(body)] if way == "expected" else data)
        response = client.read_head()
        if response.status == 100:
            client.send(body)
            response = client.read_head()
        response.body = b"".join(client.parts(response))
        if over <= 0:
            assert (response.status, response.text) == (200, said)
            check_over(client)
        else:
            assert (response.status, error_of(response)) == (413, "body_too_large")
    assert len(desk.requests()) == (2 if over <= 0 else 1)


def test_a_length_that_is_too_large_is_refused_unread(desk: Desk) -> None:
    for length in (MAX_BODY + 1, 10**12):
        for fields in ({}, EXPECTING):
            with desk.client() as client:
                client.send(unframed(content_length=str(length), **fields))
                (response,) = everything(client)
            assert (response.status, error_of(response)) == (413, "body_too_large")


@pytest.mark.parametrize(
    ("count", "statuses"), [(MAX_HEADERS, (200,)), (MAX_HEADERS + 1, (400, 431)), (5000, (400, 431))]
)
@pytest.mark.parametrize("kind", ["plain", "chunked"])
def test_headers_have_a_largest_number(desk: Desk, kind: str, count: int, statuses: tuple[int, ...]) -> None:
    asking = KINDS[kind]()
    had = asking.data.partition(b"\r\n\r\n")[0].count(b"\r\n")
    more = b"".join(b"x-%d: v\r\n" % number for number in range(count - had))
    check_with(desk, asking, more, statuses)


@pytest.mark.parametrize(
    ("size", "statuses"),
    [(MAX_HEADER_BYTES - 256, (200,)), (MAX_HEADER_BYTES + 256, (400, 431)), (100_000, (400, 431))],
)
@pytest.mark.parametrize("kind", ["plain", "chunked"])
def test_headers_have_a_largest_size(desk: Desk, kind: str, size: int, statuses: tuple[int, ...]) -> None:
    asking = KINDS[kind]()
    had = len(asking.data.partition(b"\r\n\r\n")[0]) + 4
    check_with(desk, asking, b"x-long: " + b"v" * (size - had - 10) + b"\r\n", statuses)


def check_with(desk: Desk, asking: Asking, more: bytes, statuses: tuple[int, ...]) -> None:
    """With more headers it is answered with one of these; the first of a connection, and after another."""
    first, end, rest = asking.data.partition(b"\r\n")
    before = plain()
    for data, askings in ((b"", []), (before.data, [before])):
        with desk.client() as client:
            with contextlib.suppress(ConnectionError):
                client.send(data + first + end + more + rest)
            check_all(client, askings)
            response = client.read()
            assert response.status in statuses
            if statuses == (200,):
                assert response.text == asking.said
                check_over(client)
            else:
                with contextlib.suppress(OSError):
                    client.socket.shutdown(socket.SHUT_WR)
                assert client.closed()
    assert len(desk.requests()) == (3 if statuses == (200,) else 1)


# The end of all.


BEGINS = send(stream_head() + chunk(role_event() + event("One")))
ENDS = send(chunk(event(" two") + event(finish_reason="stop") + DONE) + LAST_CHUNK)


def in_use(started: Gateway, stack: contextlib.ExitStack) -> Client:
    """A connection that was used, so that whoever accepts connections has it."""
    client, first = stack.enter_context(Client(started.port)), health()
    client.send(first.data)
    first.check(client)
    return client


def test_a_stop_lets_answers_that_were_begun_come_to_their_end(gateway: Start, upstream: Upstream) -> None:
    started = gateway(config_for(upstream.base_url, server={"drain_s": 20.0}))
    gate = threading.Event()

    def slowly(connection: Connection) -> None:
        assert connection.request is not None
        streams = connection.request.json.get("stream")
        for step in (BEGINS, until(gate), ENDS) if streams else (until(gate), speak):
            step(connection)

    upstream.reply(expect, slowly)
    with contextlib.ExitStack() as stack:
        idle = [in_use(started, stack) for _ in range(2)]
        wholes = [(in_use(started, stack), asking) for asking in (plain(), chunked(), expecting())]
        streams = [(in_use(started, stack), asking) for asking in (streamed(), chunked(stream=True))]
        for client, asking in [*wholes, *streams]:
            client.send(asking.data)
        upstream.received(5)
        heads = [client.read_head() for client, _ in streams]
        started.signal(signal.SIGTERM)
        for client in idle:
            assert everything(client) == []
        gate.set()
        for client, asking in wholes:
            asking.check(client)
        for (client, _), response in zip(streams, heads, strict=True):
            response.body = b"".join(client.parts(response))
            assert (response.complete, response.text) == (True, "One two")
            assert response.body.endswith(DONE)
        for client, _ in [*wholes, *streams]:
            assert everything(client) == []
        assert started.wait() == 0
    assert [row["status"] for row in started.settled(5)] == [200] * 5


def test_a_stop_lets_uploads_that_were_begun_come_to_their_end(gateway: Start, upstream: Upstream) -> None:
    """Those that were told to go on have certainly been begun. Of others nobody knows: they are served, or told."""
    upstream.reply(expect, speak)
    started = gateway(config_for(upstream.base_url, server={"drain_s": 20.0}))
    with contextlib.ExitStack() as stack:
        idle = in_use(started, stack)
        begun = [(in_use(started, stack), asking) for asking in (expecting(300_000), chunked(300_000, **EXPECTING))]
        perhaps = [(in_use(started, stack), asking) for asking in (plain(300_000), plain(300), chunked(300_000))]
        for client, asking in [*begun, *perhaps]:
            client.send(asking.data[:-40])
        assert [client.read_head().status for client, _ in begun] == [100, 100]
        started.signal(signal.SIGTERM)
        assert everything(idle) == []
        for client, asking in [*begun, *perhaps]:
            with contextlib.suppress(ConnectionError):
                client.send(asking.data[-40:])
        for client, asking in begun:
            asking.check(client)
            assert everything(client) == []
        for client, asking in perhaps:
            for response in everything(client):
                assert response.complete
                assert response.text == asking.said if response.status == 200 else response.status == 503
        assert started.wait() == 0
    assert sum(row["status"] == 200 for row in started.rows(2)) >= 2
