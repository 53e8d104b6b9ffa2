"""Other protocols on the same port, and whose address it is that requests come from, by whichever way."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.client import Client, Response
from tests.gateway.gateway import Gateway, config_for
from tests.gateway.polyglot import KEY
from tests.gateway.test_http2_clients import Client as Http2Client
from tests.gateway.upstream import Upstream, expect
from tests.realtime.provider import Sessions
from tests.realtime.talking import PATIENCE_S, configuration
from tests.server.front import CHAT, Asking, body_of, chunked, health, plain, question, speak, streamed, told, unframed
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from dragoman.access.secret import create_secret
from dragoman.audit.search import Wanted, search

NEAR = create_secret()  # a key for one address alone
HERE, THERE = "127.0.0.1", "127.0.0.2"
KINDS: dict[str, Callable[..., Asking]] = {
    "plain": plain,
    "streamed": streamed,
    "chunked": chunked,
    "expecting": lambda **headers: plain(expect="100-continue", **headers),
}


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def sessions() -> Iterator[Sessions]:
    sessions = Sessions()
    yield sessions
    sessions.close()


@pytest.fixture(scope="module", params=[False, True], ids=["without HTTP/2", "with HTTP/2"])
def gateway(request: Any, sessions: Sessions, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway for chats and for sessions, which puts on record where they came from."""
    with Upstream() as upstream:
        upstream.reply(expect, speak)
        talking, chatting = configuration(sessions.base_url), config_for(upstream.base_url)
        parts = {part: talking[part] | chatting[part] for part in ("providers", "deployments", "routes")}
        keys = [{"name": "sdk", "secret": KEY}, {"name": "near", "secret": NEAR, "ip_ranges": [f"{HERE}/32"]}]
        more = {
            "keys": keys,
            "server": {"http2": request.param},
            "audit": {"mode": "strict"},
            "admin": {"enabled": False},
        }
        with Gateway(parts | more, tmp_path_factory.mktemp("protocols")) as running:
            yield running


def talk(client: Client, key: str = KEY) -> ClientConnection:
    """A session on a connection that there is."""
    url = "ws://gateway.test/v1/realtime?model=voice"
    return connect(url, sock=client.socket, additional_headers=bearer(key), open_timeout=PATIENCE_S)


def check_talk(session: ClientConnection) -> None:
    """It says what the provider says."""
    assert json.loads(session.recv(PATIENCE_S))["type"] == "session.created"
    session.send(json.dumps({"type": "response.create"}))
    said = [json.loads(session.recv(PATIENCE_S)) for _ in range(3)]
    assert "".join(one.get("delta", "") for one in said) == "Hello."


def asked(client: Client, asking: Asking) -> Response:
    """The answer to a request, which is its own."""
    client.send(asking.data)
    return asking.check(client)


def came_from(gateway: Gateway) -> dict[str, str]:
    """The address on record, by the request."""
    log = gateway.directory / "data" / "audit"
    return {one.record.id: one.record.address for one in search(log, Wanted(fields={"kind": "request"}))}


def recorded(gateway: Gateway, ready: Callable[[dict[str, str]], bool]) -> dict[str, str]:
    """That, once it has what is waited for."""
    until_s = time.monotonic() + PATIENCE_S
    while not ready(found := came_from(gateway)) and time.monotonic() < until_s:
        time.sleep(0.02)
    assert ready(found), found
    return found


# Whose address it is.


@pytest.mark.parametrize("kind", KINDS)
def test_the_address_on_record_is_the_client_s(gateway: Gateway, kind: str) -> None:
    """On new connections and on those in use, from whichever address."""
    for source in (HERE, THERE, HERE):
        with Client(gateway.port, source=source) as client:
            ids = [asked(client, make(**bearer(KEY))).headers["x-request-id"] for make in (KINDS[kind], plain) * 2]
            address = "{}:{}".format(*client.socket.getsockname())
            found = recorded(gateway, lambda found, ids=ids: set(ids) <= found.keys())
        assert [found[one] for one in ids] == [address] * 4
        assert address.startswith(f"{source}:")


@pytest.mark.parametrize("before", [(), ("plain",), ("chunked", "plain")], ids=len)
def test_the_address_of_a_session_on_record_is_the_client_s(gateway: Gateway, before: tuple[str, ...]) -> None:
    with Client(gateway.port, source=THERE) as client:
        for kind in before:
            asked(client, KINDS[kind](**bearer(KEY)))
        address = "{}:{}".format(*client.socket.getsockname())
        with talk(client) as session:
            check_talk(session)
    recorded(gateway, lambda found: list(found.values()).count(address) == len(before) + 2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_for_one_address_is_good_from_there_alone(gateway: Gateway, kind: str) -> None:
    for source in (HERE, THERE, HERE):
        with Client(gateway.port, source=source) as client:
            for before in (health(), KINDS[kind](**bearer(KEY))):
                asked(client, before)
            asking = KINDS[kind](**bearer(NEAR))
            refused = replace(asking, statuses=(401,), said="invalid_api_key")
            asked(client, asking if source == HERE else refused)


def test_a_key_for_one_address_opens_sessions_from_there_alone(gateway: Gateway) -> None:
    with Client(gateway.port, source=HERE) as client, talk(client, NEAR) as session:
        check_talk(session)
    with Client(gateway.port, source=THERE) as client, pytest.raises(InvalidStatus) as raised:
        talk(client, NEAR)
    assert raised.value.response.status_code == 401


def test_what_a_client_says_of_its_address_means_nothing(gateway: Gateway) -> None:
    said = dict.fromkeys(("x_forwarded_for", "x_real_ip", "forwarded", "x_client_ip", "true_client_ip"), HERE)
    for kind in KINDS.values():
        with Client(gateway.port, source=THERE) as client:
            asking = kind(**bearer(NEAR), **said)
            asked(client, replace(asking, statuses=(401,), said="invalid_api_key"))


# Sessions.


@pytest.mark.parametrize("before", [(), ("plain",), ("streamed", "chunked", "plain")], ids=len)
def test_a_session_may_be_opened_on_a_connection_in_use(gateway: Gateway, before: tuple[str, ...]) -> None:
    with Client(gateway.port) as client:
        for kind in before:
            asked(client, KINDS[kind](**bearer(KEY)))
        with talk(client) as session:
            check_talk(session)


def test_a_session_s_frames_may_be_large_and_come_in_pieces(gateway: Gateway, sessions: Sessions) -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x" * 300_000}]}
    sessions.frames.clear()
    with Client(gateway.port) as client, talk(client) as session:
        session.recv(PATIENCE_S)
        text = json.dumps({"type": "conversation.item.create", "item": item})
        session.send([text[start : start + 7_000] for start in range(0, len(text), 7_000)])
        session.send(json.dumps({"type": "response.create"}))
        assert len([session.recv(PATIENCE_S) for _ in range(3)]) == 3
    assert sessions.frames[0]["item"] == item


def test_a_session_s_handshake_may_come_in_pieces(gateway: Gateway) -> None:
    fields = {"connection": "Upgrade", "upgrade": "websocket", "sec_websocket_version": "13"}
    fields |= {"sec_websocket_key": "dGhlIHNhbXBsZSBub25jZQ=="} | bearer(KEY)
    head = unframed("GET", "/v1/realtime?model=voice", **fields)
    for pieces in (2, 7, len(head)):
        step = len(head) // pieces + 1
        with Client(gateway.port) as client:
            for start in range(0, len(head), step):
                client.send(head[start : start + step])
            response = client.read_head()
            assert (response.status, response.headers["sec-websocket-accept"]) == (101, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")


def test_a_session_that_is_left_is_left_at_the_provider(gateway: Gateway, sessions: Sessions) -> None:
    with Client(gateway.port) as client:
        asked(client, plain(**bearer(KEY)))
        session = talk(client)
        session.recv(PATIENCE_S)
        sessions.closed.clear()
        client.socket.shutdown(socket.SHUT_RDWR)
        until_s = time.monotonic() + PATIENCE_S
        while not sessions.closed and time.monotonic() < until_s:
            time.sleep(0.02)
        assert len(sessions.closed) == 1
        session.close()


def test_a_session_refused_leaves_the_gateway_as_it_was(gateway: Gateway) -> None:
    with Client(gateway.port) as client, pytest.raises(InvalidStatus) as raised:
        asked(client, plain(**bearer(KEY)))
        talk(client, "dgk_wrong")
    assert raised.value.response.status_code == 401
    with Client(gateway.port) as client:
        asked(client, plain(**bearer(KEY)))


# HTTP/2.


SPOKEN = pytest.mark.parametrize("gateway", [True], indirect=True, ids=["with HTTP/2"])


@pytest.fixture
def http2(gateway: Gateway) -> Iterator[Http2Client]:
    client = Http2Client(gateway.port)
    yield client
    client.socket.close()


@SPOKEN
def test_http2_is_spoken_whole_and_streamed(gateway: Gateway, http2: Http2Client) -> None:
    for size in (0, 10_000):
        for stream in (False, True):
            content = question(size)
            body = body_of(content, stream=stream)
            status, said = http2.read(http2.send("POST", CHAT, body[:50], body[50:]))
            assert status == "200", said
            whole = Response(200, {"content-type": "text/event-stream" if stream else ""}, said, True)
            assert whole.text == told(content)
    status, said = http2.read(http2.send("GET", "/healthz"))
    assert (status, said) == ("200", b'{"status":"ok"}')
    address = "{}:{}".format(*http2.socket.getsockname())
    recorded(gateway, lambda found: list(found.values()).count(address) == 4)


@SPOKEN
def test_http2_s_first_bytes_may_come_one_by_one(http2: Http2Client) -> None:
    first = http2.state.data_to_send()
    for place in range(len(first)):
        http2.socket.sendall(first[place : place + 1])
    status, said = http2.read(http2.send("GET", "/healthz"))
    assert (status, said) == ("200", b'{"status":"ok"}')


def test_what_only_begins_like_http2_is_http1(gateway: Gateway) -> None:
    """PRI, PUT and the like: the first letters do not tell which it is."""
    for method in ("PUT", "PATCH", "P", "PRI"):
        with Client(gateway.port) as client:
            for place in range(0, 12, 3):
                client.send(f"{method} /nowhere HTTP/1.1\r\nhost: x\r\n\r\n".encode()[place : place + 3])
            client.send(f"{method} /nowhere HTTP/1.1\r\nhost: x\r\n\r\n".encode()[12:])
            assert 400 <= client.read().status < 500


# The port behind.


def ports(pid: int) -> set[int]:
    """Where a process listens."""
    sockets = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.exists() or link.is_symlink()}
    lines = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    listening = [fields for fields in lines if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets]
    return {int(fields[1].rpartition(":")[2], 16) for fields in listening}


def test_nobody_else_is_served_at_the_port_behind(gateway: Gateway) -> None:
    """Whose addresses would be taken for those of clients: it is the front's alone."""
    worker = gateway.processes[-1]
    [behind] = ports(worker) - {gateway.port}
    for kind in KINDS.values():
        with Client(behind) as client:
            asking = kind(**bearer(KEY))
            client.send(asking.data)
            response = client.read()
            assert (response.status, response.json["error"]["code"]) == (403, "forbidden")
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://{HERE}:{behind}/v1/realtime?model=talk", additional_headers=bearer(KEY)).close()
    assert refused.value.response.status_code == 403
