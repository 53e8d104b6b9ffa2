"""``GET /v1/requests/{id}``: what a request came to, for the key that sent it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dragoman.endpoints.answers import json_answer
from dragoman.errors import MethodNotAllowed, NotFound

if TYPE_CHECKING:
    from dragoman.gateway import Gateway
    from dragoman.server.request import Request

PREFIX = "/v1/requests/"


class Requests:
    """One request's row."""

    always = False

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def serve(self, request: Request) -> None:
        """Answer with the row, to its own key or an admin's."""
        if request.method != "GET":
            raise MethodNotAllowed(f"{request.path} takes GET.")
        principal = self.gateway.authenticate(request)
        row = self.gateway.writer.find(request.path.removeprefix(PREFIX))
        if row is None or (row.key_id != principal.key_id and not principal.admin):
            raise NotFound("There is no such request, or it is not over yet.", code="request_not_found")
        payload: dict[str, Any] = msgspec.to_builtins(row)
        payload["object"] = "request"
        payload["attempt_log"] = msgspec.json.decode(row.attempt_log or "[]")
        payload["metadata"] = msgspec.json.decode(row.metadata or "{}")
        payload["cost_usd"] = None if row.cost_nanousd is None else f"{row.cost_nanousd / 1e9:.9f}"
        payload["priced"] = row.cost_nanousd is not None
        json_answer(request, payload, snapshot=self.gateway.snapshot.number)
