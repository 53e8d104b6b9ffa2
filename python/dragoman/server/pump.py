"""The way back to the client by way of the event loop, should granian's own ever cease to be safe from any thread.

granian's responses may be written from any thread, which it nowhere promises. A contract test watches over it; were it
to fail, ``server.relay: pump`` puts this between: what the relay writes is handed to the loop, and sent by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from granian._granian import RSGIHTTPProtocol as HTTPProtocol

Headers = list[tuple[str, str]]


class PumpedProtocol:
    """granian's protocol, answered on the loop's thread alone. Await :meth:`delivered` before the request ends."""

    def __init__(self, proto: HTTPProtocol, loop: asyncio.AbstractEventLoop) -> None:
        self._proto = proto
        self._loop = loop
        self._state = State()

    def __call__(self) -> Awaitable[bytes]:
        """The whole body."""
        return self._proto()

    def __aiter__(self) -> Any:
        return self._proto.__aiter__()

    def client_disconnect(self) -> Awaitable[None]:
        """Done when the client has left."""
        return self._proto.client_disconnect()

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        """A whole answer."""
        self._loop.call_soon_threadsafe(self._proto.response_bytes, status, headers, body)

    def response_stream(self, status: int, headers: Headers) -> PumpedTransport:
        """The head of a stream."""
        self._loop.call_soon_threadsafe(self._start, status, headers)
        return PumpedTransport(self._loop, self._state)

    def _start(self, status: int, headers: Headers) -> None:
        self._state.task = self._loop.create_task(_send_all(self._proto, status, headers, self._state))

    async def delivered(self) -> None:
        """Return once granian has it all. The loop was told of it before it was told of this."""
        if self._state.task is not None:
            await self._state.task


class State:
    """What is still to be sent of a stream, and whether anybody reads it."""

    def __init__(self) -> None:
        self.pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.gone = False
        self.task: asyncio.Task[None] | None = None


class PumpedTransport:
    """A stream on its way through the loop. It ends when this is dropped."""

    def __init__(self, loop: asyncio.AbstractEventLoop, state: State) -> None:
        self._loop = loop
        self._state = state

    def send_bytes(self, data: bytes) -> Taken | TakenErr:
        """Queue a piece."""
        if self._state.gone:
            return TakenErr()
        self._loop.call_soon_threadsafe(self._state.pieces.put_nowait, data)
        return Taken()

    def __del__(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._state.pieces.put_nowait, None)


class Taken:
    """The piece has been taken."""


class TakenErr:
    """Nobody reads any more; the relay knows it by the name, as it does granian's own."""


async def _send_all(proto: HTTPProtocol, status: int, headers: Headers, state: State) -> None:
    transport = proto.response_stream(status, headers)
    while (piece := await state.pieces.get()) is not None:
        try:
            await transport.send_bytes(piece)
        except RuntimeError:
            state.gone = True
            return
