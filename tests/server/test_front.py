"""What a client sees of its connection: answers whole, in order and its own, however the requests were sent.

None of it names what serves them: it holds for any server that may stand in front.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.gateway.client import Client
from tests.gateway.desk import PATIENCE_S, Desk
from tests.gateway.upstream import chunk, event, expect, head, hold, role_event, send, stream_head, until
from tests.server.front import (
    Asking,
    bodiless,
    check_all,
    check_over,
    chunked,
    everything,
    expecting,
    health,
    listing,
    mixture,
    nowhere,
    plain,
    speak,
    stranger,
    streamed,
    unframed,
)

PAUSE_S = 0.003
BEGINS = send(stream_head() + chunk(role_event() + event("One")))
KINDS: dict[str, Callable[[], Asking]] = {
    "plain": plain,
    "streamed": streamed,
    "chunked": chunked,
    "a stream for chunks": lambda: chunked(stream=True),
    "expecting": expecting,
    "models": listing,
    "health": health,
    "nowhere": nowhere,
    "nowhere, with a body": lambda: nowhere(b"{}"),
    "without a key": stranger,
    "HEAD": bodiless,
    "over 64 KB": lambda: plain(70_000),
    "over 1 MB": lambda: plain(1_100_000),
    "over 1 MB, streamed": lambda: streamed(1_100_000),
    "over 1 MB in chunks": lambda: chunked(1_100_000, pieces=40),
}


# One after the other on one connection.


@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_goes_on_after_any_request(desk: Desk, kind: str) -> None:
    with desk.client() as client:
        for asking in (plain(), plain(), KINDS[kind](), plain(), KINDS[kind](), streamed(), plain()):
            client.send(asking.data)
            asking.check(client)
        check_over(client)


@pytest.mark.parametrize("seed", range(3))
def test_a_connection_takes_all_kinds_in_any_order(desk: Desk, seed: int) -> None:
    askings = [kind() for kind in KINDS.values()] * 2 + [plain() for _ in range(5)]
    random.Random(seed).shuffle(askings)
    with desk.client() as client:
        for asking in askings:
            client.send(asking.data)
            asking.check(client)
        check_over(client)


def test_a_client_is_told_to_go_on_wherever_it_asks(desk: Desk) -> None:
    with desk.client() as client:
        for before in (health(), plain(), chunked(), plain()):
            client.send(before.data)
            before.check(client)
            asking = expecting()
            head_, _, body = asking.data.partition(b"\r\n\r\n")
            client.send(head_ + b"\r\n\r\n")
            assert client.read_head().status == 100
            client.send(body)
            asking.check(client)


def test_connections_do_not_mix(desk: Desk) -> None:
    """Many clients at once, plain and other requests in turns; each gets its own."""

    def work(seed: int) -> None:
        with desk.client() as client:
            for asking in mixture(random.Random(seed), 12):
                client.send(asking.data)
                asking.check(client)
            check_over(client)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))


# Several at once.


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_pipelined_requests_of_a_kind_are_answered_in_order(desk: Desk, kind: str, count: int) -> None:
    askings = [KINDS[kind]() for _ in range(count)]
    with desk.client() as client:
        client.send(b"".join(asking.data for asking in askings))
        check_all(client, askings)
        check_over(client)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "plain"])
def test_pipelined_requests_of_two_kinds_are_answered_in_order(desk: Desk, kind: str) -> None:
    for askings in (
        [plain(), KINDS[kind](), plain()],
        [KINDS[kind](), plain(), plain(), KINDS[kind]()],
        [plain(), plain(), KINDS[kind]()],
    ):
        with desk.client() as client:
            client.send(b"".join(asking.data for asking in askings))
            check_all(client, askings)
            check_over(client)


def test_the_second_is_not_answered_before_the_first(desk: Desk) -> None:
    gate = threading.Event()
    desk.play(expect, until(gate), speak)
    askings = [plain(), health(), plain()]
    with desk.client() as client:
        client.send(b"".join(asking.data for asking in askings))
        desk.received()
        client.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.read_head()
        client.socket.settimeout(PATIENCE_S)
        gate.set()
        check_all(client, askings)


# In pieces.


def cuts(data: bytes) -> list[int]:
    """Where to cut: about the ends of lines and of the whole, and here and there."""
    ends = [place for place in range(1, len(data)) if data[place - 1 : place + 1] == b"\r\n"]
    near = {place + by for place in [*ends, 1, len(data) - 1] for by in (-1, 0, 1, 2)}
    return sorted(place for place in near | set(range(1, len(data), 11)) if 0 < place < len(data))


@pytest.mark.parametrize("kind", ["plain", "chunked", "models"])
def test_a_request_cut_anywhere_is_one_request(desk: Desk, kind: str) -> None:
    for place in cuts(KINDS[kind]().data):
        asking = KINDS[kind]()
        with desk.client() as client:
            client.send(asking.data[:place])
            time.sleep(PAUSE_S)
            client.send(asking.data[place:])
            asking.check(client)
            check_over(client)


def test_two_requests_cut_anywhere_are_two(desk: Desk) -> None:
    for number, place in enumerate(cuts(plain().data * 2)):
        askings = [plain(), streamed() if number % 2 else plain()]
        data = b"".join(asking.data for asking in askings)
        with desk.client() as client:
            client.send(data[:place])
            time.sleep(PAUSE_S)
            client.send(data[place:])
            check_all(client, askings)
            check_over(client)


@pytest.mark.parametrize("kind", ["plain", "streamed", "chunked", "nowhere"])
def test_a_request_may_come_byte_by_byte(desk: Desk, kind: str) -> None:
    asking = KINDS[kind]()
    with desk.client() as client:
        for place in range(len(asking.data)):
            client.send(asking.data[place : place + 1])
        asking.check(client)
        check_over(client)


@pytest.mark.parametrize("size", [0, 30_000, 200_000, 1_100_000])
def test_a_body_may_come_after_its_head_and_in_pieces(desk: Desk, size: int) -> None:
    with desk.client() as client:
        for asking in (plain(size), streamed(size), chunked(size, pieces=5), plain(size)):
            head_, _, body = asking.data.partition(b"\r\n\r\n")
            client.send(head_ + b"\r\n\r\n")
            time.sleep(PAUSE_S)
            step = max(len(body) // 20, 7)
            for start in range(0, len(body), step):
                client.send(body[start : start + step])
                time.sleep(PAUSE_S)
            asking.check(client)
        check_over(client)


@pytest.mark.parametrize("seed", range(8))
def test_any_requests_in_any_pieces_are_answered_in_order_and_whole(desk: Desk, seed: int) -> None:
    chance = random.Random(seed)
    askings = mixture(chance, chance.randint(3, 15))
    data = b"".join(asking.data for asking in askings)
    places = sorted(chance.sample(range(1, len(data)), min(chance.choice([0, 3, 40]), len(data) - 1)))
    with desk.client() as client:
        for start, end in zip([0, *places], [*places, len(data)], strict=True):
            client.send(data[start:end])
            if chance.random() < 0.2:
                time.sleep(PAUSE_S)
        check_all(client, askings)
        check_over(client)


# The end of a connection.


CLOSING: dict[str, Callable[..., Asking]] = {
    "plain": plain,
    "streamed": streamed,
    "chunked": chunked,
    "a stream for chunks": lambda **headers: chunked(stream=True, **headers),
    "nowhere": nowhere,
}


@pytest.mark.parametrize("value", ["close", "Close", "x-other, close"])
@pytest.mark.parametrize("kind", CLOSING)
def test_a_connection_is_closed_where_the_client_wants_it(desk: Desk, kind: str, value: str) -> None:
    asking = CLOSING[kind](connection=value)
    with desk.client() as client:
        client.send(plain().data + asking.data + plain().data)
        client.read()
        response = asking.check(client)
        assert response.headers["connection"].lower() == "close"
        assert everything(client) == []
    assert len(desk.requests()) == (1 if kind == "nowhere" else 2)


def test_a_connection_that_goes_on_does_not_say_otherwise(desk: Desk) -> None:
    with desk.client() as client:
        for asking in (plain(), plain(connection="keep-alive"), streamed(), nowhere(), chunked(), bodiless()):
            client.send(asking.data)
            assert asking.check(client).headers.get("connection", "keep-alive").lower() == "keep-alive"


def test_an_answer_without_content_has_no_body(desk: Desk) -> None:
    desk.play(expect, send(head(204)))
    with desk.client() as client:
        for _ in range(2):
            client.send(unframed("GET", "/v1/files/one"))
            response = client.read_head()
            assert response.status == 204
            assert response.headers.keys().isdisjoint({"transfer-encoding", "content-length"})
            asking = health()
            client.send(asking.data)
            assert asking.check(client).body == b'{"status":"ok"}'
        check_over(client)


@pytest.mark.parametrize("kinds", [("plain", "chunked"), ("streamed", "a stream for chunks")])
def test_answers_have_the_same_headers_however_they_were_asked_for(desk: Desk, kinds: tuple[str, str]) -> None:
    answers = []
    for kind in [*kinds, *kinds]:
        with desk.client() as client:
            asking = KINDS[kind]()
            client.send(asking.data)
            answers.append(asking.check(client))
    # Only granian says who it is.
    names = [sorted({*response.headers} - {"server"}) for response in answers[2:]]
    assert names[0] == names[1]


# A client that leaves.


def last(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The row of the one request that was not served, which may be written before those of others."""
    [row] = [row for row in rows if row["status"] != 200]
    return row


LEAVINGS: dict[str, Callable[[Client], None]] = {
    "reset": lambda client: client.abort(),
    "closed": lambda client: client.socket.close(),
    "half closed": lambda client: client.socket.shutdown(socket.SHUT_WR),
}


@pytest.mark.parametrize("how", LEAVINGS)
@pytest.mark.parametrize("kind", ["plain", "chunked"])
def test_a_client_may_leave_anywhere_in_its_request(desk: Desk, kind: str, how: str) -> None:
    """Nothing comes of what was not sent whole, on a new connection as on one that has been used.

    One that half closes may be told so; granian says 500 within a small body, which should be a 400 and is let pass.
    """
    asked = 0
    for number, place in enumerate([0, *cuts(KINDS[kind]().data)]):
        with desk.client() as client:
            if number % 2:
                first = plain()
                client.send(first.data)
                first.check(client)
                asked += 1
            client.send(KINDS[kind]().data[:place])
            LEAVINGS[how](client)
            if how == "half closed":
                assert all(response.status >= 400 for response in everything(client))
    desk.at_rest()
    assert len(desk.requests()) == asked


@pytest.mark.parametrize("how", ["reset", "closed"])
@pytest.mark.parametrize("kind", ["plain", "streamed", "chunked", "expecting"])
@pytest.mark.parametrize("before", [[], ["plain"], ["plain", "chunked", "plain"]], ids=len)
def test_a_client_that_leaves_while_the_provider_thinks(desk: Desk, before: list[str], kind: str, how: str) -> None:
    with desk.client() as client:
        for asking in (KINDS[name]() for name in before):
            client.send(asking.data)
            asking.check(client)
        desk.play(expect, hold)
        client.send(KINDS[kind]().data)
        request = desk.received(len(before) + 1)[-1]
        left_s = time.monotonic()
        LEAVINGS[how](client)
        assert desk.given_up(request) - left_s < 3
    row = last(desk.rows(len(before) + 1))
    assert (row["status"], row["error_code"]) == (499, "client_closed_request")


@pytest.mark.parametrize("how", ["reset", "closed"])
@pytest.mark.parametrize("kind", ["streamed", "a stream for chunks"])
@pytest.mark.parametrize("before", [[], ["plain", "streamed"]], ids=len)
def test_a_client_that_leaves_within_its_stream(desk: Desk, before: list[str], kind: str, how: str) -> None:
    with desk.client() as client:
        for asking in (KINDS[name]() for name in before):
            client.send(asking.data)
            asking.check(client)
        desk.play(expect, BEGINS, hold)
        client.send(KINDS[kind]().data)
        for part in client.parts(client.read_head()):
            if b"One" in part:
                break
        request = desk.received(len(before) + 1)[-1]
        left_s = time.monotonic()
        LEAVINGS[how](client)
        assert desk.given_up(request) - left_s < 3
    row = last(desk.rows(len(before) + 1))
    assert (row["status"], row["error_code"], row["stream"]) == (499, "client_closed_request", 1)


@pytest.mark.parametrize("kind", ["plain", "streamed", "chunked"])
def test_a_client_that_will_say_no_more_gets_its_answer_whole_or_none(desk: Desk, kind: str) -> None:
    """A client that half closes may be taken for one that leaves, but not be told a part of its answer."""
    gate = threading.Event()
    desk.play(expect, until(gate), speak)
    asking = KINDS[kind]()
    with desk.client() as client:
        client.send(asking.data)
        desk.received()
        client.socket.shutdown(socket.SHUT_WR)
        gate.set()
        answers = everything(client)
    assert [(response.status, response.complete, response.text) for response in answers] in (
        [],
        [(200, True, asking.said)],
    )


def test_what_a_client_sent_after_what_it_left_is_nobody_else_s(desk: Desk) -> None:
    """It leaves with requests in line. Whether these are still made is open; nobody else notices."""
    gate = threading.Event()
    desk.play(expect, until(gate), speak)
    with desk.client() as client:
        client.send(b"".join(plain().data for _ in range(3)))
        desk.received()
        client.abort()
    desk.play(expect, speak)
    with desk.client() as client:
        asking = plain()
        client.send(asking.data)
        asking.check(client)
        check_over(client)
    gate.set()
    desk.at_rest()


def test_clients_that_say_nothing_are_no_trouble(desk: Desk) -> None:
    for number in range(100):
        client = desk.client()
        LEAVINGS[["reset", "closed"][number % 2]](client)
        client.socket.close()
    asking = plain()
    with desk.client() as client:
        client.send(asking.data)
        asking.check(client)
