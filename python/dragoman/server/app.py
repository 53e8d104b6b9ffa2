"""The RSGI application: takes requests, looks after those in flight, answers what went wrong.

Requests in flight are looked over a few times a second instead of each having timers of its own: a body that is late,
a client that is gone. A client is watched only once its request has lasted a while, since watching costs more than
most requests do.
"""

from __future__ import annotations

import asyncio
import logging
import time
from random import getrandbits
from time import monotonic
from typing import TYPE_CHECKING, Any

from dragoman.core import Reply
from dragoman.driver import Driver, OnLoop
from dragoman.endpoints.answers import error_answer
from dragoman.errors import (
    ClientGone,
    HeadersTooLarge,
    Internal,
    Overloaded,
    RequestError,
    ShuttingDown,
)
from dragoman.server.pump import PumpedProtocol
from dragoman.server.request import Request

if TYPE_CHECKING:
    from granian._granian import RSGIHTTPProtocol as HTTPProtocol
    from granian.rsgi import Scope

    from dragoman.endpoints.router import Router
    from dragoman.gateway import Gateway

log = logging.getLogger("dragoman.server")

LOOK_EVERY_S = 0.2
WATCH_AFTER_S = 0.3


class App:
    """What the worker serves."""

    def __init__(self, gateway: Gateway, router: Router, loop: asyncio.AbstractEventLoop) -> None:
        self.gateway = gateway
        self.router = router
        self.loop = loop
        self.in_flight: set[Request] = set()
        self.draining = False

    async def __call__(self, scope: Scope, proto: HTTPProtocol) -> None:
        """Answer one request."""
        server = self.gateway.snapshot.config.server
        limits = server.limits
        pumped = None if server.relay == "direct" else PumpedProtocol(proto, self.loop)
        answering: Any = pumped or proto
        reply = Reply(answering, scope.client, limits.stream_outstanding_bytes, limits.write_timeout_s)
        started_at_ms = time.time_ns() // 1_000_000
        # The time first: rows are looked up by this id, and an index takes ids that only grow far more easily.
        request = Request(f"req_{started_at_ms:012x}{getrandbits(64):016x}", answering, reply, started_at_ms)
        self.in_flight.add(request)
        try:
            await self._serve(request, scope)
        except RequestError as error:
            self._answer(request, error)
            _forget_frames(error)
        except GeneratorExit:
            raise
        except BaseException:  # a panic of the extension's is no Exception
            log.exception("request %s failed", request.id)
            self.gateway.metrics.internal_errors += 1
            self._answer(request, Internal("The gateway failed on this request; its log says why."))
        finally:
            self.in_flight.discard(request)
        if pumped is not None:
            await OnLoop(pumped.delivered())

    async def _serve(self, request: Request, scope: Scope) -> None:
        request.method = scope.method
        request.path = scope.path
        request.query = scope.query_string
        pairs = scope.headers.items()
        request.headers = dict(pairs)
        request.begin_reading()
        if len(request.headers) < len(pairs):
            request.headers = joined(pairs)
        if "host" not in request.headers and scope.http_version == "2":
            request.headers["host"] = scope.authority or ""
            request.unframed = "content-length" not in request.headers
        endpoint = self.router.find(request)
        if self.draining and not endpoint.always:
            raise ShuttingDown("The gateway is shutting down.", retry_after_s=1)
        limits = self.gateway.snapshot.config.server.limits
        if len(pairs) > limits.max_headers:
            raise HeadersTooLarge(f"There are over {limits.max_headers} headers (server.limits.max_headers).")
        if len(self.in_flight) > limits.max_concurrent and not endpoint.always:
            raise Overloaded("All request slots are taken (server.limits.max_concurrent).", retry_after_s=1)
        await endpoint.serve(request)

    def _answer(self, request: Request, error: RequestError) -> None:
        if isinstance(error, ClientGone):
            return
        status, headers, body = error_answer(error, request, self.gateway.snapshot.number)
        request.proto.response_bytes(status, headers, body)

    async def look_after(self) -> None:
        """Look over the requests in flight until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            now_s = monotonic()
            for request in list(self.in_flight):
                if request.stage == "reading":
                    if now_s > request.body_by_s:
                        request.give_up()
                elif not request.watched and now_s - request.arrived_s > WATCH_AFTER_S:
                    request.watched = True
                    Driver(_tell_when_gone(request), None, self.loop).start()

    async def drain(self, deadline_s: float) -> None:
        """Let the requests in flight finish, and end at the deadline those that have not."""
        self.draining = True
        until_s = monotonic() + deadline_s
        while self.in_flight and monotonic() < until_s:
            await asyncio.sleep(0.05)
        self.abort()
        ended_by_s = monotonic() + 1
        while self.in_flight and monotonic() < ended_by_s:
            await asyncio.sleep(0.02)

    def abort(self) -> None:
        """End all requests in flight, each with an error that says why."""
        self.draining = True
        for request in list(self.in_flight):
            request.stopping = True
            request.give_up()


def joined(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Headers of which some came more than once: these as lists, as RFC 9110 (5.3) reads them."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _forget_frames(error: BaseException | None) -> None:
    """Let go of the frames that an error came through: they hold the request, and its run holds the error.

    Such a ring would keep granian's request, and with it the connection, until the next collection of garbage.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__context__


async def _tell_when_gone(request: Request) -> None:
    await request.proto.client_disconnect()
    if request.stage != "answered":
        request.gone = True
        request.give_up()
