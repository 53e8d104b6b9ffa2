"""Clients that speak HTTP/2 without TLS, where the configuration lets them."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded
from tests.gateway.gateway import Gateway
from tests.gateway.polyglot import KEY
from tests.gateway.speakers import TEXT

PATIENCE_S = 20


class Client:
    """One connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self.state = H2Connection(H2Configuration(header_encoding="utf-8"))
        self.state.initiate_connection()
        self.answers: dict[int, tuple[str, bytes]] = {}

    def send(self, method: str, path: str, *pieces: bytes) -> int:
        """Sends a request, whose body comes in pieces of no declared length."""
        stream = self.state.get_next_available_stream_id()
        about = [(":method", method), (":path", path), (":scheme", "http"), (":authority", "gateway")]
        headers = [*about, ("authorization", f"Bearer {KEY}"), ("content-type", "application/json")]
        self.state.send_headers(stream, headers, end_stream=not pieces)
        for piece in pieces:
            self.state.send_data(stream, piece, end_stream=piece is pieces[-1])
        self.socket.sendall(self.state.data_to_send())
        return stream

    def read(self, stream: int) -> tuple[str, bytes]:
        """The status and body of an answer."""
        ended: set[int] = set()
        while stream not in ended:
            data = self.socket.recv(65536)
            assert data, "the connection was closed"
            for event in self.state.receive_data(data):
                if isinstance(event, ResponseReceived) and event.stream_id and event.headers:
                    self.answers[event.stream_id] = dict(event.headers)[":status"], b""  # type: ignore[call-overload]
                elif isinstance(event, DataReceived) and event.stream_id and event.data:
                    status, body = self.answers[event.stream_id]
                    self.answers[event.stream_id] = status, body + event.data
                    self.state.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
                elif isinstance(event, StreamEnded) and event.stream_id:
                    ended.add(event.stream_id)
            self.socket.sendall(self.state.data_to_send())
        return self.answers[stream]


@pytest.fixture
def client(polyglot: Gateway) -> Iterator[Client]:
    client = Client(polyglot.port)
    yield client
    client.socket.close()


def body(*, stream: bool) -> bytes:
    return json.dumps(
        {"model": "anthropic", "stream": stream, "messages": [{"role": "user", "content": "Hi"}]}
    ).encode()


def test_a_body_without_a_length_is_read(client: Client) -> None:
    whole = body(stream=False)
    status, said = client.read(client.send("POST", "/v1/chat/completions", whole[:9], whole[9:]))
    assert status == "200", said
    assert json.loads(said)["choices"][0]["message"]["content"] == TEXT


def test_streams_share_a_connection(client: Client) -> None:
    streams = [client.send("POST", "/v1/chat/completions", body(stream=True)) for _ in range(5)]
    for stream in streams:
        status, said = client.answers[stream] if stream in client.answers else client.read(stream)
        assert status == "200", said
    while not all(client.answers[stream][1].endswith(b"data: [DONE]\n\n") for stream in streams):
        client.read(client.send("GET", "/healthz"))


def test_a_request_without_a_body(client: Client) -> None:
    status, said = client.read(client.send("GET", "/v1/models"))
    assert (status, json.loads(said)["object"]) == ("200", "list")
