"""What tests of clients' faults share: a gateway with narrow limits and keys, and what must hold after each test.

Afterwards no attempt is in flight, no secret was said, and every request of the test has one usage row.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.gateway.client import Client, Response, chat
from tests.gateway.gateway import SECRET, Gateway, config_for
from tests.gateway.upstream import Upstream, answer, expect
from tests.telemetry.test_metrics import read

from dragoman.access.secret import create_secret

PATIENCE_S = 30.0
MAX_BODY = 64 * 1024
OUTSTANDING = 64 * 1024
LIMITS = {
    "max_body_bytes": MAX_BODY,
    "max_headers": 50,
    "max_header_bytes": 16 * 1024,
    "header_timeout_s": 1.0,
    "body_timeout_s": 2.0,
    "stream_outstanding_bytes": OUTSTANDING,
    "write_timeout_s": 1.0,
}
KEY = create_secret()
OTHER_KEY = create_secret()
BEARER = {"authorization": f"Bearer {KEY}"}
KEYS = [{"name": "mine", "secret": KEY}, {"name": "other", "secret": OTHER_KEY}]
TIMEOUTS = {"first_byte_s": 20.0, "idle_s": 20.0}


class Desk:
    """The gateway, its provider, and what must hold once a test is through."""

    def __init__(self, gateway: Gateway, upstream: Upstream) -> None:
        self.gateway = gateway
        self.upstream = upstream
        time.sleep(0.002)  # rows are told apart by the millisecond
        self.since_ms = time.time_ns() // 1_000_000 - 1
        self.sent = len(upstream.requests)
        self.play(expect, answer())

    @property
    def port(self) -> int:
        return self.gateway.port

    def client(self, **options: Any) -> Client:
        return Client(self.port, **options)

    def chat(self, **fields: Any) -> Response:
        headers = BEARER | fields.pop("headers", {})
        return chat(self.port, headers=headers, **fields)

    def post(self, body: bytes, **headers: str) -> Response:
        """A chat request of these bytes."""
        with self.client() as client:
            client.ask("POST", "/v1/chat/completions", body, **(BEARER | headers))
            return client.read()

    def raw(self, data: bytes) -> list[Response]:
        """What is answered to these bytes until the connection ends, or nothing more comes."""
        responses = []
        with self.client() as client:
            client.socket.settimeout(3)
            with contextlib.suppress(ConnectionError, TimeoutError):
                client.send(data)
                while True:
                    responses.append(client.read())
        return responses

    def first(self, data: bytes) -> Response:
        """The first of what is answered to these bytes."""
        with self.client() as client:
            client.send(data)
            return client.read()

    def play(self, *steps: Any) -> None:
        """What the provider does next, and ever after."""
        self.upstream._replies.clear()
        self.upstream.reply(*steps)

    def rows(self, count: int) -> list[dict[str, Any]]:
        """This test's usage rows, exactly so many."""
        until_s = time.monotonic() + PATIENCE_S
        while len(rows := self._rows()) < count and time.monotonic() < until_s:
            time.sleep(0.02)
        assert len(rows) == count, rows
        return rows

    def _rows(self) -> list[dict[str, Any]]:
        return [row for row in self.gateway.rows(0) if row["started_at_ms"] > self.since_ms]

    def requests(self) -> list[Any]:
        """What the provider was sent in this test."""
        return self.upstream.requests[self.sent :]

    def received(self, count: int = 1) -> list[Any]:
        """What the provider was sent in this test, once it is so much."""
        return self.upstream.received(self.sent + count)[self.sent :]

    def given_up(self, request: Any) -> float:
        """When the provider's connection of a request was closed by the gateway."""
        connection = self.upstream.closed(request.connection.number)
        assert connection is not None
        assert connection.closed_by == "peer"
        assert connection.closed_s is not None
        return connection.closed_s

    def at_rest(self) -> None:
        """Nothing is in flight, and nothing was said that is secret."""
        until_s = time.monotonic() + PATIENCE_S
        while self._in_flight() and time.monotonic() < until_s:
            time.sleep(0.05)
        assert self._in_flight() == 0
        output = self.gateway.output
        for secret in (SECRET, KEY, OTHER_KEY):
            assert secret not in output
        assert "Traceback" not in output, output
        assert self.gateway.get("/healthz").status == 200

    def _in_flight(self) -> float:
        series = read(self.gateway.get("/metrics").body.decode())
        return sum(value for (name, _), value in series.items() if name == "dragoman_in_flight")


def error_of(response: Response) -> str:
    """The code of an answer that is an error in OpenAI's shape."""
    error = response.error
    assert error.keys() == {"message", "type", "param", "code", "request_id"}
    assert error["request_id"] == response.headers["x-request-id"]
    return str(error["code"])


def running(directory: Path) -> Iterator[tuple[Gateway, Upstream]]:
    """The gateway before one scripted provider; ``patient`` is the route that tries again."""
    with Upstream() as upstream:
        config = config_for(
            upstream.base_url,
            keys=KEYS,
            server={"limits": LIMITS},
            provider={"timeouts": TIMEOUTS},
            route={"retries": 0},
        )
        config["routes"]["patient"] = config["routes"]["chat"] | {"retries": 2}
        with Gateway(config, directory) as gateway:
            yield gateway, upstream
