"""A client's WebSocket: granian's, used from the event loop.

granian's futures may be done on any thread, and know nothing of the loop, so each is awaited by a driver of its own.
It sends no code when it closes (as of 2.8), so a client learns why from a frame, where its protocol has one for that.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, Future
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, TypeVar

from dragoman.driver import Driver

if TYPE_CHECKING:
    from granian._granian import RSGIWebsocketProtocol

T = TypeVar("T")
Frame = str | bytes
CLOSE, BYTES = 0, 1  # kinds of granian's messages


class ClientSocket:
    """One client's."""

    def __init__(self, proto: RSGIWebsocketProtocol, loop: AbstractEventLoop) -> None:
        self._proto = proto
        self._loop = loop
        self._transport: Any = None
        self._closed = False
        self.is_accepted = False  # whether the handshake is over

    async def accept(self) -> None:
        """Finish the handshake, if it is not."""
        if not self.is_accepted:
            self._transport = await self._on_loop(self._proto.accept())
            self.is_accepted = True

    async def receive(self) -> Frame | None:
        """The next frame; ``None`` once the client has left."""
        if self._closed:
            return None
        try:
            message = await self._on_loop(self._transport.receive())
        except RuntimeError:  # granian's, of a connection that broke
            return None
        return None if int(message.kind) == CLOSE else message.data

    async def send(self, frame: Frame) -> bool:
        """Send a frame, and wait until the connection has taken it. False: the client has left."""
        if self._closed:
            return False
        send = self._transport.send_str if isinstance(frame, str) else self._transport.send_bytes
        try:
            await self._on_loop(send(frame))
        except RuntimeError:
            return False
        return True

    def close(self, code: int) -> None:
        """End it: with a status of HTTP before it is accepted, with a WebSocket's code (RFC 6455, 7.4) after.

        granian closes the connection once nobody holds its end any more.
        """
        if not self._closed:
            self._closed = True
            self._proto.close(code)
            self._transport = None

    async def _on_loop(self, awaited: Awaitable[T]) -> T:
        future: Future[T] = self._loop.create_future()
        Driver(_tell(awaited, future, self._loop), None, self._loop).start()
        return await future


async def _tell(awaited: Awaitable[T], future: Future[T], loop: AbstractEventLoop) -> None:
    try:
        result = await awaited
    except BaseException as error:  # noqa: BLE001 - raised where the future is awaited
        loop.call_soon_threadsafe(_settle, future, None, error)
    else:
        loop.call_soon_threadsafe(_settle, future, result, None)


def _settle(future: Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():  # nobody waits for it any more
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
