"""The front without the gateway: what Python gets of a request, and how it answers."""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from queue import Queue
from typing import Any

import pytest

from dragoman.core import Adopted, Express, Front, SecretHasher, Upstream
from dragoman.usage.row import FIELDS

PATIENCE_S = 10.0
NOWHERE = "127.0.0.1:1"
BOUNDS = {"connections": 10, "idle_s": PATIENCE_S, "head_bytes": 8192, "bodies_bytes": 90_000, "write_s": PATIENCE_S}
RULES: dict[str, str | float] = {
    "path": "/v1/chat/completions",
    "max_headers": 100,
    "max_body_bytes": 1000,
    "max_json_depth": 100,
    "max_concurrent": 100,
    "outstanding_bytes": 10**6,
    "write_timeout_s": PATIENCE_S,
    "body_timeout_s": PATIENCE_S,
    "body_grace_s": PATIENCE_S,
    "body_min_bytes_s": 1000,
    "shares_probes": False,
    "elsewhere": "/elsewhere/",
}


class Place:
    """A front, and the requests that are Python's."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.upstream = Upstream(self.loop)
        hasher = SecretHasher(b"pepper")
        self.express = Express(
            self.upstream, hasher, headers=([], [], "x-"), body=([], [b"@"]), row=FIELDS, rules=RULES
        )
        self.adopted: Queue[Adopted] = Queue()
        self.clients: list[http.client.HTTPConnection] = []
        self.express.on_adopted(self.adopted.put)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
            self.front = Front(self.upstream, self.express, listener.fileno(), NOWHERE, BOUNDS)

    def ask(self, method: str = "POST", target: str = "/a", body: bytes = b"body") -> http.client.HTTPConnection:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        self.clients.append(client)
        client.request(method, target, body, {"X-One": "1"})
        return client

    def come(self) -> Adopted:
        return self.adopted.get(timeout=PATIENCE_S)

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self.front.close()
        self.express.close()
        self.loop.close()


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place()
    yield made
    made.close()


def test_a_request_is_given_with_its_head_and_body(place: Place) -> None:
    client = place.ask(target="/a/b?c=%20d")
    adopted = place.come()
    scope = adopted.scope
    assert (scope.method, scope.path, scope.query_string, scope.http_version) == ("POST", "/a/b", "c=%20d", "1.1")
    assert dict(scope.headers.items())["x-one"] == "1"
    assert dict(scope.headers.items())["content-length"] == "4"
    assert scope.client == "{}:{}".format(*client.sock.getsockname())
    assert (adopted.body, adopted.trouble, adopted.launched, adopted.is_gone) == (b"body", "", None, False)
    adopted.proto.response_bytes(201, [("x-two", "2"), ("content-length", "99")], b"answer")
    response = client.getresponse()
    assert (response.status, response.read(), response.headers["x-two"]) == (201, b"answer", "2")
    assert response.headers.get_all("content-length") == ["6"]
    adopted.proto.response_bytes(200, [], b"a second one")
    adopted.proto.done()
    client.request("GET", "/again")
    again = place.come()
    assert (again.scope.method, again.body) == ("GET", b"")
    again.proto.response_bytes(204, [], b"")
    assert client.getresponse().read() == b""


def test_a_stream_ends_with_its_transport(place: Place) -> None:
    client = place.ask()
    adopted = place.come()
    transport = adopted.proto.response_stream(200, [("content-type", "text/event-stream")])
    pieces = [b"one", b"", b"two"]
    for piece in pieces:
        assert list(transport.send_bytes(piece).__await__()) == []
    del transport
    response = client.getresponse()
    assert (response.headers["transfer-encoding"], response.read()) == ("chunked", b"onetwo")


@pytest.mark.parametrize("header", [("a", "b\r\nc: d"), ("a b", "c"), ("", "a"), ("a", "\x00")])
def test_a_header_that_cannot_be_written_is_refused(place: Place, header: tuple[str, str]) -> None:
    client = place.ask()
    proto = place.come().proto
    ways: list[Callable[[], Any]] = [
        lambda: proto.response_bytes(200, [header], b""),
        lambda: proto.response_stream(200, [header]),
    ]
    for way in ways:
        with pytest.raises(ValueError, match="cannot be written"):
            way()
    proto.response_bytes(200, [], b"well")
    assert client.getresponse().read() == b"well"


def test_who_leaves_is_noticed(place: Place) -> None:
    client, left = place.ask(), threading.Event()
    proto = place.come().proto
    leaving = proto.client_disconnect()
    assert next(iter(leaving.__await__())) is leaving
    leaving.add_done_callback(lambda future: left.set() if future is leaving else None)
    client.close()
    assert left.wait(PATIENCE_S)
    assert list(leaving.__await__()) == []
    transport = proto.response_stream(200, [])
    with pytest.raises(RuntimeError, match="gone"):
        next(iter(transport.send_bytes(b"a").__await__()))
    again = threading.Event()
    proto.client_disconnect().add_done_callback(lambda _: again.set())
    assert again.wait(PATIENCE_S)


@pytest.mark.parametrize("end", ["done", "err"])
def test_a_request_without_an_answer_is_an_error(place: Place, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", lambda told: raised.append(told.exc_value))
    client = place.ask()
    proto = place.come().proto
    error = KeyError("a bug")
    proto.done() if end == "done" else proto.err(error)
    assert client.getresponse().status == 500
    assert raised == ([] if end == "done" else [error])


def test_requests_of_python_are_counted_until_they_are_done(place: Place) -> None:
    place.express.rule(RULES | {"max_concurrent": 1})
    clients = [place.ask() for _ in range(3)]
    for adopted in [place.come() for _ in clients]:
        adopted.proto.response_bytes(200, [], b"")
        adopted.proto.done()
    assert [client.getresponse().status for client in clients] == [200] * 3


def test_what_is_for_nobody_here_is_relayed(place: Place) -> None:
    """To where nobody listens, so that the connection ends."""
    for client in (place.ask(target="/elsewhere/a"), place.ask(body=b"." * 100_000), place.ask("HEAD")):
        with pytest.raises((http.client.HTTPException, OSError)):
            client.getresponse()
    assert place.adopted.empty()
    assert place.front.client_of("127.0.0.1:1") is None
    assert place.front.client_of("nonsense") is None


def test_after_its_end_it_takes_no_connections(place: Place) -> None:
    client = place.ask()
    adopted = place.come()
    assert place.front.connections == 1
    place.front.close()
    adopted.proto.response_bytes(200, [], b"the last")
    response = client.getresponse()
    assert (response.read(), response.headers["connection"]) == (b"the last", "close")
    with pytest.raises(OSError, match="refused"):
        while True:
            socket.create_connection(("127.0.0.1", place.port), PATIENCE_S).close()


def test_nonsense_is_refused(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with pytest.raises(ValueError, match="behind"):
            Front(place.upstream, place.express, listener.fileno(), "nowhere", BOUNDS)
        with pytest.raises(KeyError):
            Front(place.upstream, place.express, listener.fileno(), NOWHERE, {})
    with pytest.raises(OSError, match="descriptor"):
        Front(place.upstream, place.express, 10**6, NOWHERE, BOUNDS)
