"""The application without its server: requests are handed to it as granian hands them over, and answers taken back.

Nothing else is stood in for: the gateway, its database and its client are real. What is written here of granian is what
``tests/server/test_worker.py`` finds it to do.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from granian._granian import RSGIProtocolClosed as ProtocolClosed
from granian._granian import RSGIProtocolError as ProtocolError

from dragoman.config.load import load_config
from dragoman.driver import ThreadLoop
from dragoman.endpoints.table import build_admin_router, build_router
from dragoman.gateway import Gateway
from dragoman.providers.catalogue import rows
from dragoman.server.app import App
from dragoman.usage.row import UsageRow

PATIENCE_S = 20.0


class Future:
    """A future as granian's are: one callback, called through the loop that it was made with."""

    def __init__(self, loop: Any = None) -> None:
        self.loop = loop
        self.state = "pending"
        self.value: Any = None
        self._callback: Callable[[Any], None] | None = None

    def __await__(self) -> Generator[Any, None, Any]:
        while self.state != "done":
            yield self
        if isinstance(self.value, BaseException):
            raise self.value
        return self.value

    def add_done_callback(self, callback: Callable[[Any], None], *, context: Any = None) -> None:
        """Call back once; at once, where it is done."""
        if self.state == "pending":
            self._callback = callback
        else:
            self._call(callback)

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self.state == "cancelled"

    def cancel(self) -> bool:
        """Give it up."""
        return self._end("cancelled")

    def give(self, value: Any) -> bool:
        """What was waited for, or an error to raise."""
        if self.state == "pending":
            self.value = value
        return self._end("done")

    def _end(self, state: str) -> bool:
        if self.state != "pending":
            return False
        self.state = state
        if self._callback is not None:
            self._call(self._callback)
        return True

    def _call(self, callback: Callable[[Any], None]) -> None:
        if self.loop is None:
            callback(self)
        else:
            self.loop.call_soon(callback, self, context=None)


class Taken:
    """What a transport answers to bytes that it takes: awaited, nothing."""

    def __await__(self) -> Iterator[None]:
        return iter(())


class TakenErr:
    """What a transport answers to bytes when the client has gone: awaited, an error."""

    def __await__(self) -> Iterator[None]:
        raise ProtocolClosed


class Transport:
    """A streamed answer. It ends when it is dropped."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol

    def send_bytes(self, data: bytes) -> Taken | TakenErr:
        """Keep a piece."""
        if self._protocol.left:
            return TakenErr()
        self._protocol.pieces.append(bytes(data))
        return Taken()

    def __del__(self) -> None:
        self._protocol.complete = True


class Protocol:
    """One request's way in and out.

    A body that is ``None`` comes only when :meth:`arrive` says so. An empty piece within a body is where it broke off.
    """

    def __init__(self, body: bytes | list[bytes] | None, loop: Any = None) -> None:
        self.loop = loop
        self.status = 0
        self.headers: dict[str, str] = {}
        self.pieces: list[bytes] = []
        self.complete = False
        self.left = False
        self.ended = threading.Event()
        self.error: BaseException | None = None
        self._body = body
        self._reading: Future | None = None
        self._leaving: list[Future] = []
        self._incoming: list[bytes] | None = None
        self._exhausted = False

    # What the application uses.

    def __call__(self) -> Future:
        """The whole body."""
        self._reading = Future(self.loop)
        if self._body is not None:
            self._reading.give(self._body if isinstance(self._body, bytes) else b"".join(self._body))
        return self._reading

    def __aiter__(self) -> Protocol:
        self._incoming = None if self._body is None else [self._body] if isinstance(self._body, bytes) else self._body
        return self

    def __anext__(self) -> Future:
        if self._exhausted:
            raise StopAsyncIteration
        self._reading = Future(self.loop)
        if self._incoming is not None:
            self._exhausted = not self._incoming
            self._reading.give(self._incoming.pop(0) if self._incoming else b"")
        return self._reading

    def client_disconnect(self) -> Future:
        """Done when the client has left."""
        future = Future(self.loop)
        self._leaving.append(future)
        if self.left:
            future.give(None)
        return future

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """A whole answer; nothing, where one has begun."""
        if self._begin(status, headers):
            self.pieces.append(bytes(body))
            self.complete = True

    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> Transport:
        """The head of a stream."""
        if not self._begin(status, headers):
            raise ProtocolError
        return Transport(self)

    def _begin(self, status: int, headers: list[tuple[str, str]]) -> bool:
        if self.status:
            return False
        self.status, self.headers = status, dict(headers)
        return True

    # The watcher of the request's coroutine.

    def done(self) -> None:
        """It has ended."""
        self.ended.set()

    def err(self, error: BaseException) -> None:
        """It has failed."""
        self.error = error
        self.ended.set()

    # What a test does and sees.

    def arrive(self, data: bytes | BaseException) -> bool:
        """What is being read of the body has come."""
        assert self._reading is not None
        return self._reading.give(data)

    def leave(self) -> None:
        """The client hangs up."""
        self.left = True
        for future in self._leaving:
            future.give(None)

    def wait(self) -> Protocol:
        """Once the application is through with it."""
        assert self.ended.wait(PATIENCE_S), "the request did not end"
        assert self.error is None, self.error
        return self

    @property
    def body(self) -> bytes:
        """The answer's body."""
        return b"".join(self.pieces)

    @property
    def json(self) -> Any:
        """The answer's body, read."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of the error that it says."""
        return str(self.json["error"]["code"])


class Headers:
    """A request's headers, as granian gives them: every pair, names in lower case."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    def items(self) -> list[tuple[str, str]]:
        """All pairs."""
        return list(self._pairs)


class Scope:
    """A request's head."""

    client = "127.0.0.1:1"
    http_version = "1.1"

    def __init__(self, method: str, target: str, headers: list[tuple[str, str]]) -> None:
        self.method = method
        path, _, self.query_string = target.partition("?")
        self.path = unquote(path)
        self.headers = Headers(headers)


class Served:
    """A gateway and its application. Use it as a context manager."""

    def __init__(self, config: dict[str, Any], directory: Path) -> None:
        self.directory = directory
        self.path = directory / "dragoman.json.yaml"
        self.loop = asyncio.new_event_loop()
        self.thread_loop = ThreadLoop(self.loop)
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._config = config
        self.gateway: Gateway
        self.app: App
        self.admin: App

    def __enter__(self) -> Served:
        self._thread.start()
        try:
            self.gateway = Gateway(self.load(self._config), self.loop, {})
        except BaseException:
            self._stop()
            raise
        self.app = App(self.gateway, build_router(self.gateway), self.loop, express=self.gateway.express)
        self.admin = App(self.gateway, build_admin_router(self.gateway), self.loop, has_sessions=False)
        self.gateway.is_draining = lambda: self.app.draining
        self.gateway.loads_config = lambda stored: load_config(self.path, {}, kinds=rows(), stored=stored)
        self.gateway.stored_config.changed = self._replace
        return self

    def _replace(self) -> None:
        gateway = self.gateway
        gateway.replace(gateway.loads_config(gateway.stored_config.text))

    def __exit__(self, *_: object) -> None:
        self.gateway.close()
        self._stop()

    def _stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE_S)
        self.loop.close()

    def load(self, config: dict[str, Any]) -> Any:
        """A configuration, as from a file."""
        store = {"data_dir": str(self.directory / "data")} | config.get("store", {})
        self.path.write_text(json.dumps(config | {"store": store}))
        return load_config(self.path, {}, kinds=rows())

    def begin(self, method: str, target: str, body: bytes | list[bytes] | None = b"", **headers: str) -> Protocol:
        """Hand a request over. Underscores in header names stand for hyphens; a known length is declared."""
        return self._begin(self.app, method, target, body, headers)

    def administer(self, method: str, target: str, body: Any = None, **headers: str) -> Protocol:
        """A request to the admin API, answered; a body that is no bytes is sent as JSON."""
        sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self._begin(self.admin, method, target, sent, headers).wait()

    def _begin(
        self, app: App, method: str, target: str, body: bytes | list[bytes] | None, headers: dict[str, str]
    ) -> Protocol:
        protocol = Protocol(body, self.thread_loop)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, bytes):
            named = {"content-length": str(len(body))} | named
        scope: Any = Scope(method, target, list(named.items()))
        app.begin(scope, protocol, protocol)  # type: ignore[arg-type]
        return protocol

    def ask(self, method: str, target: str, body: bytes | list[bytes] = b"", **headers: str) -> Protocol:
        """A request, answered."""
        return self.begin(method, target, body, **headers).wait()

    def get(self, target: str, **headers: str) -> Protocol:
        """A GET, answered."""
        return self.ask("GET", target, b"", **headers)

    def chat(self, headers: dict[str, str] | None = None, **fields: Any) -> Protocol:
        """A chat request, answered."""
        return self.ask("POST", "/v1/chat/completions", chat_body(**fields), **headers or {})

    def row(self, answer: Protocol) -> UsageRow:
        """The usage row of a request that is over."""
        row = self.gateway.writer.find(answer.headers["x-request-id"])
        assert row is not None
        return row

    def run(self, coroutine: Any) -> Any:
        """The result of a coroutine that needs the loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE_S)


def chat_body(**fields: Any) -> bytes:
    """The body of a chat request."""
    usual = {"model": "chat", "messages": [{"role": "user", "content": "Hello there."}]}
    return json.dumps(usual | fields).encode()


Serve = Callable[[dict[str, Any]], Served]
