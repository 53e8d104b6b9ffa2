"""The way back to the client by way of the event loop, should granian's own ever cease to be safe from any thread.

granian's responses may be written from any thread, which it nowhere promises. A contract test watches over it; were it
to fail, ``server.relay: pump`` puts this between: what the relay writes is handed to the loop, and sent by it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from granian._granian import RSGIHTTPProtocol as HTTPProtocol

Headers = list[tuple[str, str]]


class PumpedProtocol:
    """granian's protocol, used on the loop's thread alone."""

    def __init__(self, proto: HTTPProtocol, loop: asyncio.AbstractEventLoop) -> None:
        self._proto = proto
        self._loop = loop

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        """A whole answer."""
        self._loop.call_soon_threadsafe(self._proto.response_bytes, status, headers, body)

    def response_stream(self, status: int, headers: Headers) -> PumpedTransport:
        """The head of a stream."""
        return PumpedTransport(self._proto, self._loop, status, headers)


class PumpedTransport:
    """A stream on its way through the loop. It ends when this is dropped."""

    def __init__(self, proto: HTTPProtocol, loop: asyncio.AbstractEventLoop, status: int, headers: Headers) -> None:
        self._loop = loop
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._gone = Gone()
        loop.call_soon_threadsafe(self._start, proto, status, headers)

    def _start(self, proto: HTTPProtocol, status: int, headers: Headers) -> None:
        task = self._loop.create_task(_send_all(proto, status, headers, self._pieces, self._gone))
        self._gone.task = task

    def send_bytes(self, data: bytes) -> Taken | TakenErr:
        """Queue a piece."""
        if self._gone.said:
            return TakenErr()
        self._loop.call_soon_threadsafe(self._pieces.put_nowait, data)
        return Taken()

    def __del__(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._pieces.put_nowait, None)


class Gone:
    """Whether the client has left."""

    said = False
    task: asyncio.Task[None] | None = None


class Taken:
    """The piece has been taken."""


class TakenErr:
    """Nobody reads any more; the relay knows it by the name, as it does granian's own."""


async def _send_all(
    proto: HTTPProtocol, status: int, headers: Headers, pieces: asyncio.Queue[bytes | None], gone: Gone
) -> None:
    transport = proto.response_stream(status, headers)
    while (piece := await pieces.get()) is not None:
        try:
            await transport.send_bytes(piece)
        except RuntimeError:
            gone.said = True
            return
