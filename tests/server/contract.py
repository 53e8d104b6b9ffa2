"""A program around granian alone: each path does what the gateway relies on, and ``/said`` tells what came of it.

The loop can be held (``/hold``, ``/release``): what is answered meanwhile has not needed it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import uvloop
from granian import _granian
from granian.http import HTTP1Settings

from dragoman.driver import Driver, ThreadLoop
from dragoman.server.worker import Scheduler

granian: Any = _granian
PATIENCE_S = 20.0
PIECES = 2000


class Contract:
    """The application."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.released = threading.Event()
        self.said: dict[str, Any] = {}

    def begin(self, scope: Any, proto: Any, watcher: Any) -> None:
        """Take one request."""
        Driver(self(scope, proto), watcher, self.loop).start()

    async def __call__(self, scope: Any, proto: Any) -> None:
        """Do what the path names."""
        name = scope.path.strip("/")
        if name == "hold":
            self.released.clear()
            self.loop.call_soon_threadsafe(self.released.wait, PATIENCE_S)
        elif name == "release":
            self.released.set()
        elif name != "said":
            await getattr(self, name)(scope, proto)
            return
        proto.response_bytes(200, [], json.dumps(self.said).encode())

    async def whole(self, _: Any, proto: Any) -> None:
        """A whole answer from a thread of nobody's."""
        await self._elsewhere(lambda: proto.response_bytes(201, [("x-a", "b")], b"whole"))

    async def stream(self, _: Any, proto: Any) -> None:
        """A stream from a thread of nobody's; it ends when the transport is dropped."""

        def work() -> None:
            transport = proto.response_stream(200, [("content-type", "text/plain")])
            kinds = {type(transport.send_bytes(b"%d," % number)).__name__ for number in range(PIECES)}
            self.said["taken"] = sorted(kinds)

        await self._elsewhere(work)

    async def gone(self, _: Any, proto: Any) -> None:
        """A stream whose client leaves."""

        def work() -> None:
            transport = proto.response_stream(200, [])
            transport.send_bytes(b"first")
            until_s = time.monotonic() + PATIENCE_S
            while time.monotonic() < until_s:
                sent = transport.send_bytes(b"more")
                if "Err" in type(sent).__name__:
                    self.said["gone"] = [type(sent).__name__, _raised(sent)]
                    return
                time.sleep(0.01)

        await self._elsewhere(work)

    async def leaves(self, scope: Any, proto: Any) -> None:
        """Whether a client's leaving is told: before an answer, or within one."""
        transport = proto.response_stream(200, []) if "answer" in scope.query_string else None
        await proto.client_disconnect()
        self.said["left"] = True
        await proto.client_disconnect()
        self.said["left_again"] = True
        del transport

    async def body(self, _: Any, proto: Any) -> None:
        """The whole body, and the futures' ways."""
        future = proto()
        first = future.done()
        body = await future
        self.said["body"] = [len(body), first, future.done(), future.cancelled(), future.cancel()]
        proto.response_bytes(200, [], b"")

    async def cancelled(self, _: Any, proto: Any) -> None:
        """A body that is waited for no longer."""
        future = proto()
        threading.Timer(
            0.2, lambda: self.said.update(cancel=[future.cancel(), future.cancelled(), future.cancel()])
        ).start()
        try:
            await future
        except asyncio.CancelledError:
            self.said["raised"] = "CancelledError"
        proto.response_bytes(408, [], b"")

    async def pieces(self, _: Any, proto: Any) -> None:
        """A body in pieces: what comes at its end, or where it breaks off."""
        stream, sizes = proto.__aiter__(), []
        while piece := await stream.__anext__():
            sizes.append(len(piece))
        self.said["sizes"] = [sum(sizes), len(sizes)]
        try:
            self.said["after"] = len(await stream.__anext__())
        except StopAsyncIteration:
            self.said["after"] = "stop"
        proto.response_bytes(200, [], b"")

    async def twice(self, _: Any, proto: Any) -> None:
        """Answers after the first: a whole one does nothing, a stream raises."""
        transport = proto.response_stream(200, [])
        transport.send_bytes(b"first")
        proto.response_bytes(500, [], b"second")
        try:
            proto.response_stream(500, [])
        except RuntimeError as error:
            self.said["twice"] = type(error).__name__

    async def headers(self, scope: Any, proto: Any) -> None:
        """Every pair of the request; of the answer's, those that may be sent."""
        self.said["pairs"] = [list(pair) for pair in scope.headers.items()]
        self.said["path"] = scope.path
        proto.response_bytes(200, [("x-good", "1"), ("x-bad", "a\r\nset-cookie: c"), ("x bad", "1"), ("x-é", "1")], b"")

    async def nothing(self, _: Any, proto: Any) -> None:
        """No answer at all."""

    async def raises(self, _: Any, proto: Any) -> None:
        """A bug."""
        raise ValueError("a bug")

    async def _elsewhere(self, work: Callable[[], None]) -> None:
        threading.Thread(target=work).start()


def _raised(sent: Any) -> str:
    try:
        next(iter(sent.__await__()))
    except RuntimeError as error:
        return type(error).__name__
    return "nothing"


async def main(port: int) -> None:
    """Serve until told to stop."""
    loop = asyncio.get_running_loop()
    thread_loop = ThreadLoop(loop)
    signal = granian.WorkerSignal()
    ended = asyncio.Event()
    signal.add_cb(lambda: loop.call_soon_threadsafe(ended.set))
    worker = granian.RSGIWorker(
        1,
        (granian.ListenerSpec("127.0.0.1", port, 128), None),
        None,
        threads=1,
        blocking_threads=1,
        py_threads=1,
        backpressure=128,
        http_mode="1",
        http1_opts=HTTP1Settings(header_read_timeout=10_000, max_buffer_size=65536),
    )
    app: Any = Contract(loop)
    worker.serve_str(Scheduler(app, thread_loop), thread_loop, signal)
    loop.add_signal_handler(15, signal.set)
    await ended.wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
