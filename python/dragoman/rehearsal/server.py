"""Plays plans over RSGI: on its own (``dragoman rehearse``), or mounted by the gateway under a path.

Granian cannot reset a connection, so a cut is made with the length: more bytes are announced than are sent, and the
HTTP library underneath closes the connection. The client sees what it sees of a provider that died: headers, a part of
the body, the end of the file.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes
from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined] # public, but not marked as exported

from dragoman.config.schema import Rehearsal as Settings
from dragoman.rehearsal.plan import Headers, Plan
from dragoman.rehearsal.recording import Recordings
from dragoman.rehearsal.stage import SCRIPT_HEADER, Received, Stage

_LONG_S = 0.5  # a pause worth watching for the client's leaving
_SETTLE_S = 0.02  # a body that ends before the headers are written would be announced as empty, and kept


class Transport(Protocol):
    """What is used of granian's stream."""

    def send_bytes(self, data: bytes) -> Awaitable[None]:
        """Sends a part of the body; raises ``ProtocolClosed`` when the client is gone."""


class Answering(Protocol):
    """What is used of granian's protocol object to answer."""

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        """Answers in one."""

    def response_stream(self, status: int, headers: Headers) -> Transport:
        """Begins an answer in parts."""

    def client_disconnect(self) -> Awaitable[None]:
        """Returns when the client has gone."""


class HttpProtocol(Answering, Protocol):
    """What is used of granian's protocol object."""

    def __call__(self) -> Awaitable[bytes]:
        """The whole body of the request."""


class Scope(Protocol):
    """What is used of granian's scope."""

    proto: str
    method: str
    path: str
    headers: Any


class Rehearsal:
    """The application. Building it reads the recordings, if the settings name a file of them."""

    def __init__(self, settings: Settings) -> None:
        recordings = Recordings.load(Path(settings.recordings)) if settings.recordings else None
        self._stage = Stage(settings, recordings)

    async def __rsgi__(self, scope: Scope, proto: HttpProtocol) -> None:
        """Serves a request as a server of its own."""
        if scope.proto == "http":
            await self.handle(
                Received(scope.method, scope.path, await proto(), scope.headers.get(SCRIPT_HEADER)), proto
            )

    async def handle(self, received: Received, proto: Answering) -> None:
        """Serves a request that has been read; its path is relative to where this is mounted."""
        await play(self._stage.plan(received, time.time()), proto)


async def play(plan: Plan, proto: Answering) -> None:
    """Sends what the plan says when it says so; returns early when the client leaves."""
    if not await _pause(plan.delay_s, proto):
        return
    if plan.in_one:
        proto.response_bytes(plan.status, plan.headers, plan.steps[0].data)
        return
    announced = plan.announced if plan.closes else (None if plan.streams else plan.size)
    headers = plan.headers if announced is None else [*plan.headers, ("content-length", str(announced))]
    transport = proto.response_stream(plan.status, headers)
    loop = asyncio.get_running_loop()
    due_s = loop.time()
    for step in plan.steps:
        due_s += step.delay_s
        if not await _pause(due_s - loop.time(), proto):
            return
        try:
            await transport.send_bytes(step.data)
        except ProtocolClosed:
            return
    if plan.closes:
        await asyncio.sleep(_SETTLE_S)


async def _pause(seconds: float, proto: Answering) -> bool:
    """Waits; false when the client left meanwhile."""
    if seconds <= 0:
        return True
    if seconds < _LONG_S:
        await asyncio.sleep(seconds)
        return True
    try:
        await asyncio.wait_for(_left(proto), seconds)
    except TimeoutError:
        return True
    return False


async def _left(proto: Answering) -> None:
    await proto.client_disconnect()


def run(host: str, port: int, settings: Settings) -> int:
    """Serves the rehearsal alone until it is told to stop; the process's exit status. Raises ``ConfigError``."""
    Rehearsal(settings)  # raises here, before anything listens, what the worker would die of
    server = Granian(
        "dragoman.rehearsal",
        address=host,
        port=port,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        workers=1,
        runtime_mode=RuntimeModes.st,
        loop=Loops.uvloop,
        backlog=2048,
        backpressure=16384,
        websockets=False,
        log_enabled=False,
        workers_kill_timeout=5,
        respawn_failed_workers=True,
    )
    server.serve(target_loader=partial(_application, settings), wrap_loader=False)
    return 0


def _application(settings: Settings) -> Any:
    return Rehearsal(settings)
