from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme
from tests.gateway.upstream import black_hole, refusing_port
from tests.realtime.provider import Sessions

from dragoman.errors import (
    RequestError,
    UpstreamAuth,
    UpstreamLimited,
    UpstreamProtocol,
    UpstreamStatus,
    UpstreamTimeout,
    UpstreamTls,
    UpstreamUnreachable,
)
from dragoman.realtime.upstream import connect
from dragoman.routing.plan import Door


@pytest.fixture(scope="module")
def provider() -> Iterator[Sessions]:
    sessions = Sessions()
    yield sessions
    sessions.close()


def door(**fields: Any) -> Door:
    about: dict[str, Any] = {"base_url": "", "headers": [], "allow_private": True, "proxy": "none"}
    return Door(**about | {"ca_pem": None, "pins": []} | fields)


def first_frame(url: str, at: Door, timeout_s: float = 10) -> str:
    async def run() -> str:
        async with await connect(at, url, [("x-a", "b")], "openai", timeout_s) as session:
            return str(await session.recv())

    return asyncio.run(run())


def url_of(provider: Sessions) -> str:
    return provider.base_url.replace("http:", "ws:").replace("https:", "wss:") + "/realtime?model=m"


def test_a_session_is_opened_with_these_headers(provider: Sessions) -> None:
    assert "session.created" in first_frame(url_of(provider), door())
    assert provider.opened[-1][1]["x-a"] == "b"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, UpstreamAuth), (403, UpstreamAuth), (429, UpstreamLimited), (500, UpstreamStatus), (404, UpstreamStatus)],
)
def test_a_status_instead_of_a_session(provider: Sessions, status: int, kind: type[RequestError]) -> None:
    provider.status = status
    try:
        with pytest.raises(kind, match=f"openai answered {status}"):
            first_frame(url_of(provider), door())
    finally:
        provider.status = 0


def test_private_addresses_are_left_alone_unless_allowed(provider: Sessions) -> None:
    with pytest.raises(UpstreamUnreachable, match="allow_private"):
        first_frame(url_of(provider), door(allow_private=False))


def test_nobody_there() -> None:
    with refusing_port() as port, pytest.raises(UpstreamUnreachable, match="cannot be reached"):
        first_frame(f"ws://127.0.0.1:{port}/", door())
    with black_hole() as port, pytest.raises(UpstreamTimeout):
        first_frame(f"ws://127.0.0.1:{port}/", door(), 0.3)


@contextlib.contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port where one client is answered so."""

    def serve() -> None:
        client, _ = listener.accept()
        with client, contextlib.suppress(OSError):
            answer(client)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        thread = threading.Thread(target=serve)
        thread.start()
        yield int(listener.getsockname()[1])
        thread.join(10)


def test_a_certificate_that_nobody_trusts() -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(context)

    def answer(client: socket.socket) -> None:
        context.wrap_socket(client, server_side=True).close()

    with answering(answer) as port, pytest.raises(UpstreamTls, match="CERTIFICATE_VERIFY_FAILED"):
        first_frame(f"wss://localhost:{port}/", door())


def test_something_else_answers() -> None:
    with answering(lambda client: client.sendall(b"SSH-2.0-x\r\n\r\n")) as port:  # noqa: SIM117
        with pytest.raises(UpstreamProtocol, match="does not open a WebSocket"):
            first_frame(f"ws://127.0.0.1:{port}/", door())


@pytest.mark.parametrize("allow_private", [True, False])
@pytest.mark.parametrize("given", ["configuration", "environment"])
def test_a_proxy_is_asked(given: str, allow_private: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(client: socket.socket) -> None:
        asked.append(client.recv(200))
        client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with answering(answer) as port, pytest.raises(UpstreamProtocol):
        proxy = f"http://127.0.0.1:{port}"
        if given == "environment":
            monkeypatch.setenv("http_proxy", proxy)
        named = proxy if given == "configuration" else ""
        first_frame("ws://api.example/v1/realtime", door(proxy=named, allow_private=allow_private))
    assert asked[0].startswith(b"CONNECT api.example:80 ")
