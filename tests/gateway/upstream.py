"""A provider made of a raw socket, which does to the gateway what it is told.

It listens on a free loopback port. What it does is a list of steps, small functions of the connection::

    upstream.reply(expect, send(head(200)), send(event("Hel")), pause(0.1), reset)

Each ``reply`` is played for one request, in the order in which requests come, on whatever connection; the last one is
played again for every request after it. ``on_connect`` is played as soon as a connection is made, before any request.
A connection is kept alive after a reply unless a step ends it.

What comes is recorded: ``requests`` with their bytes, ``connections`` with when and by whom each was closed. Times are
seconds of the monotonic clock. Every wait has an end; a test that waits in vain fails by its own assertion.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

PATIENCE_S = 30.0
LARGEST_REQUEST = 64 * 1024 * 1024


class Ended(Exception):
    """The connection is over, by whoever's doing: nothing more is played on it."""


@dataclass
class Request:
    """One request as it was received."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: Connection

    @property
    def json(self) -> Any:
        """Its body, read."""
        return json.loads(self.body)


@dataclass
class Connection:
    """One connection: its socket, and what became of it."""

    number: int
    socket: socket.socket
    opened_s: float
    received: bytearray = field(default_factory=bytearray)
    unread: bytearray = field(default_factory=bytearray)
    closed_s: float | None = None
    closed_by: str = ""  # "peer", "upstream"
    request: Request | None = None  # the one that is being answered

    def over(self, by: str) -> None:
        """Notes the end, once."""
        if self.closed_s is None:
            self.closed_s, self.closed_by = time.monotonic(), by

    def receive(self, timeout_s: float = PATIENCE_S) -> bytes:
        """Some bytes; raises ``Ended`` when the peer has gone, or keeps silent for longer."""
        self.socket.settimeout(timeout_s)
        try:
            data = self.socket.recv(65536)
        except (OSError, ValueError):
            data = b""
        if not data:
            self.over("peer")
            raise Ended
        self.received += data
        return data

    def send(self, data: bytes) -> None:
        """All of it; raises ``Ended`` when the peer has gone."""
        self.socket.settimeout(PATIENCE_S)
        try:
            self.socket.sendall(data)
        except (OSError, ValueError):
            self.over("peer")
            raise Ended from None

    def watch(self, seconds: float) -> None:
        """Waits; raises ``Ended`` as soon as the peer goes."""
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            if isinstance(self.socket, ssl.SSLSocket) and self.socket.pending():
                self.unread += self.receive()
            ready, _, _ = select.select([self.socket], [], [], left_s)
            if ready:
                self.unread += self.receive()

    def read_head(self) -> bytes:
        """Up to and including the empty line."""
        while b"\r\n\r\n" not in self.unread:
            self.unread += self.receive()
        head, _, rest = bytes(self.unread).partition(b"\r\n\r\n")
        self.unread[:] = rest
        return head

    def read_exactly(self, count: int) -> bytes:
        """So many bytes."""
        while len(self.unread) < count:
            self.unread += self.receive()
        data = bytes(self.unread[:count])
        del self.unread[:count]
        return data

    def read_line(self) -> bytes:
        """Up to the end of a line."""
        while b"\r\n" not in self.unread:
            self.unread += self.receive()
        line, _, rest = bytes(self.unread).partition(b"\r\n")
        self.unread[:] = rest
        return line


Step = Callable[[Connection], None]


class Upstream:
    """The provider. Use it as a context manager."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, on_connect: Iterable[Step] = ()) -> None:
        self._tls = tls
        self._on_connect = tuple(on_connect)
        self._replies: list[tuple[Step, ...]] = []
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.connections: list[Connection] = []
        self.requests: list[Request] = []
        self.closing = False

    def __enter__(self) -> Upstream:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE_S)
        self._listener.close()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    @property
    def base_url(self) -> str:
        """What a provider's ``base_url`` is set to."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/v1"

    def reply(self, *steps: Step) -> None:
        """What is done for the next request that has no reply yet."""
        self._replies.append(steps)

    def restart(self, tls: ssl.SSLContext) -> None:
        """Presents another certificate to whoever connects from now on; no session of before is resumed."""
        self._tls = tls

    def received(self, requests: int = 1, timeout_s: float = PATIENCE_S) -> list[Request]:
        """The requests, once there are so many."""
        return self._wait(lambda: len(self.requests) >= requests and self.requests, timeout_s) or []

    def closed(self, connection: int = 0, timeout_s: float = PATIENCE_S) -> Connection | None:
        """The connection, once it is closed; ``None`` when it is not in time."""

        def found() -> Connection | None:
            if len(self.connections) <= connection or self.connections[connection].closed_s is None:
                return None
            return self.connections[connection]

        closed: Connection | None = self._wait(found, timeout_s)
        return closed

    @property
    def open_connections(self) -> int:
        """Connections that nobody has closed."""
        return sum(connection.closed_s is None for connection in self.connections)

    def _wait(self, ready: Callable[[], Any], timeout_s: float) -> Any:
        with self._changed:
            self._changed.wait_for(ready, timeout_s)
            return ready() or None

    def _start(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.closing:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(len(self.connections), accepted, time.monotonic())
            with self._changed:
                self.connections.append(connection)
                self._changed.notify_all()
            self._start(self._serve, connection)

    def _serve(self, connection: Connection) -> None:
        try:
            if self._tls is not None:
                connection.socket.settimeout(PATIENCE_S)
                connection.socket = self._tls.wrap_socket(connection.socket, server_side=True)
            for step in self._on_connect:
                step(connection)
            while True:
                self._play(connection)
        except Ended:
            pass
        except OSError:
            connection.over("peer")
        finally:
            connection.over("upstream")
            connection.socket.close()
            with self._changed:
                self._changed.notify_all()

    def _play(self, connection: Connection) -> None:
        head = connection.read_head()
        request = _parse(head, connection)
        with self._changed:
            position = len(self.requests)
            self.requests.append(request)
            self._changed.notify_all()
        steps = self._replies[min(position, len(self._replies) - 1)] if self._replies else (expect, answer())
        for step in steps:
            step(connection)


def _parse(head: bytes, connection: Connection) -> Request:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = [*first.split(" "), "", ""][:3]
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    request = Request(method, path, headers, b"", connection)
    connection.request = request
    return request


def expect(connection: Connection) -> None:
    """Reads the request's body. Without this step it is left unread."""
    request = connection.request
    assert request is not None
    if request.headers.get("transfer-encoding") == "chunked":
        parts = []
        while size := int(connection.read_line().split(b";")[0], 16):
            parts.append(connection.read_exactly(size))
            connection.read_line()
        connection.read_line()
        request.body = b"".join(parts)
    else:
        request.body = connection.read_exactly(min(int(request.headers.get("content-length", 0)), LARGEST_REQUEST))


def send(data: bytes) -> Step:
    """Sends bytes."""
    return lambda connection: connection.send(data)


def pace(parts: Iterable[bytes], gap_s: float) -> Step:
    """Sends parts with a pause before each."""
    kept = list(parts)

    def step(connection: Connection) -> None:
        for part in kept:
            connection.watch(gap_s)
            connection.send(part)

    return step


def pause(seconds: float) -> Step:
    """Does nothing for a while."""
    return lambda connection: connection.watch(seconds)


def until(gate: threading.Event) -> Step:
    """Does nothing until the test opens the gate."""

    def step(_: Connection) -> None:
        gate.wait(PATIENCE_S)

    return step


def hold(connection: Connection) -> None:
    """Does nothing until the peer goes."""
    connection.watch(PATIENCE_S)


def reset(connection: Connection) -> None:
    """Ends the connection with a RST."""
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.over("upstream")
    connection.socket.close()
    raise Ended


def finish(connection: Connection) -> None:
    """Ends the connection with a FIN, having read whatever was sent (else the kernel would make it a RST)."""
    connection.over("upstream")
    connection.socket.setblocking(False)
    with contextlib.suppress(OSError, ValueError):
        while connection.socket.recv(65536):
            pass
    raise Ended


def half_close(connection: Connection) -> None:
    """Says that nothing more is sent, and goes on reading."""
    with contextlib.suppress(OSError):
        connection.socket.shutdown(socket.SHUT_WR)


def answer(body: bytes | None = None, status: int = 200, **headers: str) -> Step:
    """A whole answer with its length; a chat completion unless another body is given."""
    content = chat_answer() if body is None else body
    return send(
        head(status, content_length=str(len(content)), **({"content_type": "application/json"} | headers)) + content
    )


def head(status: int = 200, **headers: str) -> bytes:
    """A status line and headers; underscores in names stand for hyphens."""
    lines = [f"HTTP/1.1 {status} X"] + [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def stream_head(**headers: str) -> bytes:
    """The headers of a chunked event stream."""
    return head(200, content_type="text/event-stream", transfer_encoding="chunked", **headers)


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"


def chat_answer(text: str = "Hello.", *, prompt: int = 9, completion: int = 3, **fields: Any) -> bytes:
    """A whole chat completion."""
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    whole = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [choice],
        "usage": usage,
    }
    return json.dumps(whole | fields).encode()


def event(content: str | None = None, *, finish_reason: str | None = None, **fields: Any) -> bytes:
    """One event of a chat stream."""
    delta = {} if content is None else {"content": content}
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    whole = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(whole | fields).encode() + b"\n\n"


def role_event() -> bytes:
    """The event that begins a chat stream."""
    choice = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
    whole = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(whole).encode() + b"\n\n"


def usage_event(prompt: int = 9, completion: int = 3) -> bytes:
    """The event that says the usage."""
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return event(choices=[], usage=usage)


DONE = b"data: [DONE]\n\n"


def stream(texts: Iterable[str] = ("Hel", "lo", "."), *, gap_s: float = 0.0) -> Step:
    """A whole, well-formed chat stream."""
    parts = [role_event(), *map(event, texts), event(finish_reason="stop"), usage_event(), DONE]

    def step(connection: Connection) -> None:
        connection.send(stream_head())
        for part in parts:
            if gap_s:
                connection.watch(gap_s)
            connection.send(chunk(part))
        connection.send(LAST_CHUNK)

    return step


@contextlib.contextmanager
def refusing_port() -> Iterator[int]:
    """A port that refuses connections, and that nobody else can take meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield int(bound.getsockname()[1])


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """A port that answers no SYN: it listens, accepts nobody, and its queue is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = int(listener.getsockname()[1])
        unanswered = 0
        while unanswered < 3:  # one may only have been slow
            filler = stack.enter_context(socket.socket())
            filler.settimeout(0.3)
            try:
                filler.connect(("127.0.0.1", port))
            except TimeoutError:
                unanswered += 1
            else:
                unanswered = 0
        yield port
