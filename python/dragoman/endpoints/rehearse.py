"""``/rehearsal/v1/...``: the provider that needs no network, at the address where the gateway's own client finds it.

Only the gateway itself has the key. That way a rehearsed answer takes every step of a real one, the network included.
"""

from __future__ import annotations

import asyncio
import hmac
from typing import TYPE_CHECKING

from dragoman.driver import OnLoop
from dragoman.errors import NotFound

if TYPE_CHECKING:
    from dragoman.gateway import Gateway
    from dragoman.rehearsal.server import Rehearsal
    from dragoman.server.request import Request

PREFIX = "/rehearsal/"
LOOK_EVERY_S = 0.2


class Played:
    """granian's protocol as the rehearsal uses it; whether the client has left, the server's own watch knows."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.response_bytes = request.proto.response_bytes
        self.response_stream = request.proto.response_stream

    async def client_disconnect(self) -> None:
        """Return once the client has left."""
        while not self.request.gone:
            await asyncio.sleep(LOOK_EVERY_S)


class Rehearse:
    """The rehearsal, inside the gateway."""

    always = True

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._rehearsal: Rehearsal | None = None

    async def serve(self, request: Request) -> None:
        """Play the provider."""
        expected = f"Bearer {self.gateway.rehearsal_key}"
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), expected.encode()):
            raise NotFound(f"There is no {request.method} {request.path}.")
        body = await self.gateway.read_body(request)
        request.stage = "sending"
        from dragoman.rehearsal.stage import SCRIPT_HEADER, Received

        path = request.path.removeprefix("/rehearsal")
        received = Received(request.method, path, body, request.headers.get(SCRIPT_HEADER))
        await OnLoop(self.rehearsal().handle(received, Played(request)))

    def rehearsal(self) -> Rehearsal:
        """The rehearsal, loaded on first use."""
        if self._rehearsal is None:
            from dragoman.rehearsal.server import Rehearsal

            self._rehearsal = Rehearsal(self.gateway.snapshot.config.rehearsal)
        return self._rehearsal
