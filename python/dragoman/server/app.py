"""The application: takes requests from the front or from granian, looks after those in flight, answers what went wrong.

Requests in flight are looked over a few times a second instead of each having timers of its own: a body that is late,
a client that is gone. A client is watched only once its request has lasted a while, since watching costs more than
most requests do.
"""

from __future__ import annotations

import asyncio
import logging
import time
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from granian._granian import RSGIWebsocketProtocol

from dragoman.core import Reply
from dragoman.driver import Driver, OnLoop
from dragoman.endpoints.answers import error_answer
from dragoman.errors import (
    ClientGone,
    Forbidden,
    HeadersTooLarge,
    Internal,
    NotFound,
    Overloaded,
    RequestError,
    ShuttingDown,
    Unauthenticated,
)
from dragoman.routing.arrival import SHORT_BYTES
from dragoman.server.pump import PumpedProtocol
from dragoman.server.request import Request, new_id
from dragoman.server.websocket import ClientSocket

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from granian._granian import RSGIHTTPProtocol as HTTPProtocol
    from granian.rsgi import Scope

    from dragoman.core import Adopted, Front
    from dragoman.driver import Watcher
    from dragoman.endpoints.router import Router
    from dragoman.express import ExpressWay
    from dragoman.gateway import Gateway

log = logging.getLogger("dragoman.server")

LOOK_EVERY_S = 0.2
WATCH_AFTER_S = 0.3


class App:
    """What the worker serves."""

    def __init__(
        self,
        gateway: Gateway,
        router: Router,
        loop: asyncio.AbstractEventLoop,
        *,
        has_sessions: bool = True,
        express: ExpressWay | None = None,
    ) -> None:
        """
        :param express: takes what it can of the requests that come by the front, and gives those here that it cannot.
        """
        self.gateway = gateway
        self.router = router
        self.loop = loop
        self.express = express
        self.front: Front | None = None  # what relays connections to granian
        if express is not None:
            express.core.on_adopted(self._adopt)
        self.has_sessions = has_sessions  # by WebSockets, beside what the router has
        self.in_flight: set[Request] = set()
        self._beside: set[Request] = set()  # of these, those that have come by granian
        self.draining = False
        self.look_at_express()

    def look_at_express(self) -> None:
        """Have requests go the express way, unless each has to be looked at."""
        quarantine = self.gateway.seat.quarantine
        if self.express is not None:
            self.express.pause(self.draining or (quarantine is not None and quarantine.is_careful))

    def begin(self, scope: Scope, proto: HTTPProtocol | RSGIWebsocketProtocol, watcher: Watcher) -> None:
        """Begin to answer one request of granian's."""
        Driver(self(scope, proto), watcher, self.loop).start()

    def _adopt(self, adopted: Adopted) -> None:
        """Begin to answer a request that has come by the front, or go on with it."""
        request = Request.of(adopted)
        coroutine = self._through(request, cast("Scope", adopted.scope), request.proto)
        start = Driver(coroutine, adopted.proto, self.loop).start
        if adopted.launched is None or len(adopted.body or b"") <= SHORT_BYTES:
            start()
        else:  # it may take long, and others' answers come on this thread
            self.in_flight.add(request)
            self.loop.call_soon_threadsafe(start)

    def _client_of(self, scope: Scope) -> str:
        """The client's address.

        Raises:
            Forbidden: it is none of the front's, which alone is to connect to granian.
        """
        if self.front is None:
            return scope.client
        client = self.front.client_of(scope.client)
        if client is None:
            raise Forbidden("This port is the gateway's own: connect to server.port.")
        return client

    def __call__(self, scope: Scope, proto: HTTPProtocol | RSGIWebsocketProtocol) -> Coroutine[Any, None, None]:
        """What answers one request."""
        server = self.gateway.snapshot.config.server
        limits = server.limits
        pumped = None
        if server.relay == "pump" and not isinstance(proto, RSGIWebsocketProtocol):
            pumped = PumpedProtocol(proto, self.loop)
        answering: Any = pumped or proto
        client = scope.client if self.front is None else self.front.client_of(scope.client) or ""
        reply = Reply(answering, client, limits.stream_outstanding_bytes, limits.write_timeout_s)
        started_at_ms = time.time_ns() // 1_000_000
        request = Request(new_id(started_at_ms), answering, reply, started_at_ms)
        through = self._through(request, scope, proto)
        return through if pumped is None else _delivered(through, pumped)

    async def _through(self, request: Request, scope: Scope, proto: HTTPProtocol | RSGIWebsocketProtocol) -> None:
        self.in_flight.add(request)
        if request.adopted is None:
            self._count_beside(request)
        try:
            if isinstance(proto, RSGIWebsocketProtocol):
                await self._serve_socket(request, scope, proto)
            else:
                await self._serve(request, scope)
        except RequestError as error:
            if isinstance(error, Unauthenticated):
                self.gateway.auditor.stranger(request, error)
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
            if request.adopted is None:
                self._count_beside(request)
            quarantine = self.gateway.seat.quarantine
            if quarantine is not None and quarantine.is_careful:
                quarantine.leave(request.id)

    def _count_beside(self, request: Request) -> None:
        """Let the express way know of a request that has come by granian, or is over."""
        if self.express is not None:
            (self._beside.add if request in self.in_flight else self._beside.discard)(request)
            self.express.core.beside(len(self._beside))

    async def _serve(self, request: Request, scope: Scope) -> None:
        self._take(request, scope)
        endpoint = self.router.find(request)
        self._check_room(request, always=endpoint.always)
        await endpoint.serve(request)

    async def _serve_socket(self, request: Request, scope: Scope, proto: RSGIWebsocketProtocol) -> None:
        from dragoman.realtime.session import serve_session

        request.watched = True  # whoever reads from the client sees it leave
        self._take(request, scope)
        if not self.has_sessions:
            raise NotFound(f"There is no session at {request.path}.")
        self._check_room(request, always=False)
        await OnLoop(serve_session(self.gateway, request, ClientSocket(proto, self.loop)))

    def _take(self, request: Request, scope: Scope) -> None:
        """The head of a request."""
        request.method = scope.method
        request.client = scope.client if request.adopted is not None else self._client_of(scope)
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
        most = self.gateway.snapshot.config.server.limits.max_headers
        if len(pairs) > most:
            raise HeadersTooLarge(f"There are over {most} headers (server.limits.max_headers).")

    def _check_room(self, request: Request, *, always: bool) -> None:
        """Whether one more may be served."""
        if self.draining and not always:
            raise ShuttingDown("The gateway is shutting down.", retry_after_s=1)
        elsewhere = 0 if self.express is None else self.express.core.in_flight
        most = self.gateway.snapshot.config.server.limits.max_concurrent
        if len(self.in_flight) + elsewhere > most and not always:
            raise Overloaded("All request slots are taken (server.limits.max_concurrent).", retry_after_s=1)

    def _answer(self, request: Request, error: RequestError) -> None:
        if isinstance(error, ClientGone):
            return
        if isinstance(request.proto, RSGIWebsocketProtocol):  # which was not accepted: a status is all it can be told
            request.proto.close(error.http_status)
            return
        status, headers, body = error_answer(error, request, self.gateway.snapshot.number)
        request.proto.response_bytes(status, headers, body)

    async def look_after(self) -> None:
        """Look over the requests in flight until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            now_s = monotonic()
            self.look_at_express()
            for request in list(self.in_flight):
                if request.stage == "reading":
                    if now_s > request.body_by_s:
                        request.give_up()
                elif not request.watched and now_s - request.arrived_s > WATCH_AFTER_S:
                    request.watched = True
                    Driver(_tell_when_gone(request), None, self.loop).start()

    def sessions(self) -> list[Request]:
        """Those in flight that are WebSockets."""
        return [request for request in list(self.in_flight) if isinstance(request.proto, RSGIWebsocketProtocol)]

    async def drain_sessions(self, deadline_s: float) -> None:
        """Let sessions go on, and end at the deadline those that do, which are told."""
        self.draining = True
        until_s = monotonic() + deadline_s
        while self.sessions() and monotonic() < until_s:
            await asyncio.sleep(0.05)
        for request in self.sessions():
            request.give_up()
        ended_by_s = monotonic() + 1
        while self.sessions() and monotonic() < ended_by_s:
            await asyncio.sleep(0.02)

    async def drain(self, deadline_s: float) -> None:
        """Let the requests in flight finish, and end at the deadline those that have not."""
        self.draining = True
        until_s = monotonic() + deadline_s
        while self.has_requests and monotonic() < until_s:
            await asyncio.sleep(0.05)
        self.abort()
        ended_by_s = monotonic() + 1
        while self.has_requests and monotonic() < ended_by_s:
            await asyncio.sleep(0.02)

    @property
    def has_requests(self) -> bool:
        """Whether any are in flight."""
        return bool(self.in_flight) or (self.express is not None and self.express.core.in_flight > 0)

    def abort(self) -> None:
        """End all requests in flight, each with an error that says why."""
        self.draining = True
        if self.express is not None:
            self.express.core.abort()
        if self.front is not None:
            self.front.stop()
        for request in list(self.in_flight):
            request.stopping = True
            request.give_up()


async def _delivered(through: Coroutine[Any, None, None], pumped: PumpedProtocol) -> None:
    await through
    await OnLoop(pumped.delivered())


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
