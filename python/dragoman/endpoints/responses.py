"""``/v1/responses/{id}``: stored responses. Those of a provider's own are at the provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import msgspec

from dragoman.dialects.openai_responses.items import listed
from dragoman.endpoints.answers import json_answer
from dragoman.errors import InvalidRequest, MethodNotAllowed, NotFound
from dragoman.routing.stored import OWN_PREFIX, tenant_of

if TYPE_CHECKING:
    from dragoman.endpoints.passthrough import PassThrough
    from dragoman.gateway import Gateway
    from dragoman.server.request import Request
    from dragoman.store.responses import Kept

PREFIX = "/v1/responses/"
MOST_LISTED = 100


class StoredResponses:
    """Get, delete, list the input of, and cancel."""

    always = False

    def __init__(self, gateway: Gateway, passed_through: PassThrough) -> None:
        self.gateway = gateway
        self.passed_through = passed_through

    async def serve(self, request: Request) -> None:
        """Answer from the store, or pass on to the provider that made the id."""
        response_id, _, more = request.path.removeprefix(PREFIX).partition("/")
        if not response_id.startswith(OWN_PREFIX):
            await self.passed_through.serve(request)
            return
        gateway = self.gateway
        tenant = tenant_of(gateway.authenticate(request))
        kept = gateway.responses.find(tenant, response_id)
        if kept is None:
            message = f"Response with id '{response_id}' not found."
            raise NotFound(message, code="response_not_found", param="response_id")
        json_answer(request, self._answer(request, kept, tenant, more), snapshot=gateway.snapshot.number)

    def _answer(self, request: Request, kept: Kept, tenant: str, more: str) -> Any:
        match request.method, more:
            case "GET", "":
                return msgspec.Raw(kept.response)
            case "GET", "input_items":
                return _page(listed(msgspec.json.decode(kept.input), kept.id), request.query)
            case "DELETE", "":
                self.gateway.responses.delete(tenant, kept.id)
                return {"id": kept.id, "object": "response", "deleted": True}
            case "POST", "cancel":
                message = "Only responses that are made in the background can be cancelled; this one is complete."
                raise InvalidRequest(message, param="response_id")
        raise MethodNotAllowed(f"{request.path} does not take {request.method}.")


def _page(items: list[dict[str, Any]], query: str) -> dict[str, Any]:
    """A page of items, newest first unless ``order=asc``, after the one that ``after`` names."""
    asked = parse_qs(query)
    if asked.get("order", ["desc"])[0] != "asc":
        items = items[::-1]
    after = asked.get("after", [""])[0]
    if after:
        place = next((number for number, item in enumerate(items) if item["id"] == after), None)
        if place is None:
            raise InvalidRequest(f"There is no item {after!r}.", param="after")
        items = items[place + 1 :]
    told = asked.get("limit", ["20"])[0]
    if not told.isdigit() or not 1 <= int(told) <= MOST_LISTED:
        raise InvalidRequest(f"The limit is a number from 1 to {MOST_LISTED}.", param="limit")
    page = items[: int(told)]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": len(items) > len(page),
    }
