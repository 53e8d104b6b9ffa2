from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

from tests.served import Protocol

from dragoman.server.pump import PumpedProtocol

PIECES = [b"%d," % number for number in range(500)]


class Noting(Protocol):
    """A protocol that notes on which threads it is used."""

    def __init__(self) -> None:
        super().__init__(b"")
        self.threads: set[int] = set()

    def response_bytes(self, *arguments: Any) -> None:
        self.threads.add(threading.get_ident())
        super().response_bytes(*arguments)

    def response_stream(self, *arguments: Any) -> Any:
        self.threads.add(threading.get_ident())
        return super().response_stream(*arguments)


async def ended(protocol: Protocol) -> None:
    async with asyncio.timeout(20):
        while not protocol.complete:
            await asyncio.sleep(0.01)


def test_a_whole_answer_is_given_on_the_loop() -> None:
    async def work() -> None:
        protocol = Noting()
        proto: Any = protocol
        pumped = PumpedProtocol(proto, asyncio.get_running_loop())
        await asyncio.to_thread(pumped.response_bytes, 201, [("a", "b")], b"body")
        await ended(protocol)
        assert (protocol.status, protocol.headers, protocol.body) == (201, {"a": "b"}, b"body")
        assert protocol.threads == {threading.get_ident()}

    asyncio.run(work())


def test_pieces_come_in_order_whatever_thread_sends_them() -> None:
    async def work() -> None:
        protocol = Noting()
        proto: Any = protocol
        pumped = PumpedProtocol(proto, asyncio.get_running_loop())

        def relay() -> list[str]:
            transport = pumped.response_stream(200, [])
            return [type(transport.send_bytes(piece)).__name__ for piece in PIECES]

        answers = await asyncio.to_thread(relay)
        gc.collect()
        await ended(protocol)
        assert protocol.body == b"".join(PIECES)
        assert not any("Err" in name for name in answers)
        assert protocol.threads == {threading.get_ident()}

    asyncio.run(work())


def test_it_is_delivered_once_all_has_been_sent() -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        for stream in (False, True):
            protocol = Noting()
            proto: Any = protocol
            pumped = PumpedProtocol(proto, loop)

            def relay(pumped: PumpedProtocol = pumped, stream: bool = stream) -> asyncio.Future[None]:
                if stream:
                    transport = pumped.response_stream(200, [])
                    transport.send_bytes(b"body")
                    del transport
                else:
                    pumped.response_bytes(200, [], b"body")
                return asyncio.run_coroutine_threadsafe(pumped.delivered(), loop)  # type: ignore[return-value]

            await asyncio.wrap_future(await asyncio.to_thread(relay))
            assert protocol.body == b"body"

    asyncio.run(work())


def test_a_body_is_read_through_it() -> None:
    async def work() -> None:
        proto: Any = Protocol(b"body")
        pumped = PumpedProtocol(proto, asyncio.get_running_loop())
        assert await pumped() == b"body"
        assert await pumped.__aiter__().__anext__() == b"body"
        proto.leave()
        await pumped.client_disconnect()

    asyncio.run(work())


def test_it_ends_when_it_is_dropped_and_not_before() -> None:
    async def work() -> None:
        protocol = Noting()
        proto: Any = protocol
        transport: Any = PumpedProtocol(proto, asyncio.get_running_loop()).response_stream(200, [])
        transport.send_bytes(b"a")
        await asyncio.sleep(0.05)
        assert (protocol.body, protocol.complete) == (b"a", False)
        del transport
        await ended(protocol)

    asyncio.run(work())


def test_a_client_that_has_left_is_told_by_the_kind_of_answer() -> None:
    async def work() -> None:
        protocol = Noting()
        proto: Any = protocol
        transport = PumpedProtocol(proto, asyncio.get_running_loop()).response_stream(200, [])
        protocol.left = True
        transport.send_bytes(b"a")
        await asyncio.sleep(0.05)
        assert "Err" in type(transport.send_bytes(b"b")).__name__

    asyncio.run(work())
