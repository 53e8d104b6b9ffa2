"""A client made of a raw socket: it sends any bytes, reads minimally, and leaves as rudely as it is told."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

PATIENCE_S = 30.0


@dataclass
class Response:
    """One response. ``complete`` is false when the connection ended within it."""

    status: int
    headers: dict[str, str]
    body: bytes
    complete: bool

    @property
    def json(self) -> Any:
        """Its body, read."""
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The error that it says."""
        found: dict[str, Any] = self.json["error"]
        return found

    @property
    def events(self) -> list[bytes]:
        """The data of its events, comments left out."""
        return [
            block.removeprefix(b"data: ") for block in self.body.split(b"\n\n") if block and not block.startswith(b":")
        ]

    @property
    def text(self) -> str:
        """The text that a chat stream or a chat answer carries."""
        if not self.headers.get("content-type", "").startswith("text/event-stream"):
            return str(self.json["choices"][0]["message"]["content"])
        said = [json.loads(data) for data in self.events if data != b"[DONE]"]
        choices = [event["choices"][0] for event in said if event.get("choices")]
        return "".join(choice["delta"].get("content") or "" for choice in choices)


class Client:
    """One connection. Use it as a context manager."""

    def __init__(self, port: int, *, receive_buffer: int = 0, source: str = "") -> None:
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE_S)
        try:
            if source:
                self.socket.bind((source, 0))
            self.socket.connect(("127.0.0.1", port))
        except OSError:
            self.socket.close()
            raise
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unread = b""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Sends bytes as they are."""
        self.socket.sendall(data)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> None:
        """Sends a request with its length; underscores in header names stand for hyphens."""
        self.send(request_bytes(method, path, body, **headers))

    def chat(self, **fields: Any) -> None:
        """Sends a chat request; ``headers`` may be among the fields."""
        headers = fields.pop("headers", {})
        self.ask("POST", "/v1/chat/completions", chat_body(**fields), **headers)

    def read_head(self) -> Response:
        """The status and headers of a response; its body is left to be read."""
        while b"\r\n\r\n" not in self._unread:
            if not self._more():
                raise ConnectionError(f"the connection ended in the head: {self._unread!r}")
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return Response(int(first.split(" ")[1]), headers, b"", False)

    def read(self) -> Response:
        """A whole response, or what came of it before the connection ended."""
        response = self.read_head()
        response.body = b"".join(self.parts(response))
        return response

    def parts(self, response: Response) -> Iterator[bytes]:
        """The body as it comes; sets ``complete`` when it has come to its end."""
        if response.headers.get("transfer-encoding") == "chunked":
            yield from self._chunks(response)
            return
        left = int(response.headers.get("content-length", -1))
        while left != 0:
            if not self._unread and not self._more():
                response.complete = left < 0
                return
            part, self._unread = (self._unread, b"") if left < 0 else (self._unread[:left], self._unread[left:])
            left -= len(part) if left > 0 else 0
            yield part
        response.complete = True

    def events(self) -> Iterator[tuple[float, bytes]]:
        """The events of a stream, each with the monotonic time of its coming; comments too."""
        response = self.read_head()
        waiting = b""
        for part in self.parts(response):
            waiting += part
            while b"\n\n" in waiting:
                block, _, waiting = waiting.partition(b"\n\n")
                yield time.monotonic(), block

    def abort(self) -> None:
        """Leaves with a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def closed(self, timeout_s: float = PATIENCE_S) -> bool:
        """Whether the server closes the connection in time; what it still sends is thrown away."""
        self.socket.settimeout(timeout_s)
        try:
            while self.socket.recv(65536):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return True

    def _chunks(self, response: Response) -> Iterator[bytes]:
        while (line := self._line()) is not None:
            size = int(line.split(b";")[0], 16)
            while len(self._unread) < size + 2:
                if not self._more():
                    yield self._unread[:size]
                    return
            data, self._unread = self._unread[:size], self._unread[size + 2 :]
            if size == 0:
                response.complete = True
                return
            yield data

    def _line(self) -> bytes | None:
        while b"\r\n" not in self._unread:
            if not self._more():
                return None
        line, _, self._unread = self._unread.partition(b"\r\n")
        return line

    def _more(self) -> bool:
        with contextlib.suppress(ConnectionError):
            data = self.socket.recv(65536)
            self._unread += data
            return bool(data)
        return False


def chat_body(**fields: Any) -> bytes:
    """The body of a chat request."""
    usual = {"model": "chat", "messages": [{"role": "user", "content": "Hello there."}]}
    return json.dumps(usual | fields).encode()


def request_bytes(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """A request as bytes."""
    named = {"host": "gateway.test", "content-type": "application/json", "content-length": str(len(body))}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chat(port: int, **fields: Any) -> Response:
    """One chat request on a connection of its own, and its response."""
    with Client(port) as client:
        client.chat(**fields)
        return client.read()


def post(port: int, path: str, body: bytes, **headers: str) -> Response:
    """One POST on a connection of its own, and its response."""
    with Client(port) as client:
        client.ask("POST", path, body, **headers)
        return client.read()


def get(port: int, path: str, **headers: str) -> Response:
    """One GET on a connection of its own, and its response."""
    with Client(port) as client:
        client.ask("GET", path, b"", **headers)
        return client.read()
