"""How tests talk in sessions: what a gateway is configured with, and clients of it."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

import trustme
from tests.gateway.gateway import SECRET, Gateway
from websockets.sync.client import ClientConnection, connect

from dragoman.access.secret import create_secret

KEY = create_secret()
PATIENCE_S = 20
# Who is asked by other guardrails.
OPEN, HOLDS, CALLED, SHOWN, SPIED = (create_secret() for _ in range(5))
KEYS = {"sdk": KEY, "open": OPEN, "holds": HOLDS, "called": CALLED, "shown": SHOWN, "spied": SPIED}
MAIL = "ann.lee@example.com"


def configuration(base_url: str) -> dict[str, Any]:
    about = {"api_key": SECRET, "allow_private": True}
    price = {"input_usd_mtok": 4, "output_usd_mtok": 16, "cached_input_usd_mtok": 1}
    return {
        "providers": {
            "openai": about | {"kind": "openai", "base_url": base_url},
            "gemini": about | {"kind": "gemini", "base_url": base_url.replace("/v1", "/v1beta")},
            "groq": about | {"kind": "groq", "base_url": base_url},
            "away": about | {"kind": "openai", "base_url": "http://127.0.0.1:1/v1"},
        },
        "deployments": {
            "voice": {"provider": "openai", "model": "gpt-realtime", "price": price},
            "live": {"provider": "gemini", "model": "gemini-live-2.5-flash"},
            "none": {"provider": "groq", "model": "llama"},
        },
        "routes": {"spare": {"tiers": [["away/gpt-realtime"], ["voice"]]}},
        "keys": [{"name": "sdk", "secret": KEY}],
    }


def opened(
    gateway: Gateway, path: str = "/v1/realtime?model=voice", key: str = KEY, **headers: str
) -> ClientConnection:
    given = {"Authorization": f"Bearer {key}"} if key else {}
    url = f"ws://127.0.0.1:{gateway.port}{path}"
    return connect(url, additional_headers=given | headers, open_timeout=PATIENCE_S, close_timeout=PATIENCE_S)


def say(session: ClientConnection, *events: dict[str, Any]) -> None:
    for event in events:
        session.send(json.dumps(event))


def rows_of(guarded: Gateway, tag: str, count: int) -> list[Any]:
    """The rows of the sessions that had a tag, once there are so many."""
    until_s = time.monotonic() + PATIENCE_S
    while len(rows := [row for row in guarded.rows(0) if tag in row["tags"]]) < count and time.monotonic() < until_s:
        time.sleep(0.05)
    assert len(rows) == count, rows
    return rows


def pass_on(client: socket.socket, server: socket.socket) -> None:
    """What each of two says to the other, until both have ended."""

    def pipe(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    up = threading.Thread(target=pipe, args=(client, server))
    up.start()
    pipe(server, client)
    up.join(PATIENCE_S)


@contextlib.contextmanager
def secured(behind: int) -> Iterator[tuple[int, ssl.SSLContext]]:
    """TLS before a port: its own port, and what trusts it."""
    authority = trustme.CA()
    given, trusting = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(given)
    authority.configure_trust(trusting)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            client = given.wrap_socket(listener.accept()[0], server_side=True)
            with client, socket.create_connection(("127.0.0.1", behind)) as server:
                pass_on(client, server)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield int(listener.getsockname()[1]), trusting
    finally:
        listener.close()
        thread.join(PATIENCE_S)
