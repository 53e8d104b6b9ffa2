"""Conversations that are kept here, so that a client of Responses can go on from an answer of any provider's.

An id that the gateway made is known to no provider: its conversation is put before the new input. One that a provider
made goes to it as it is, and the conversation is at hand should another provider have to go on from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dragoman.dialects.fields import Unreadable, parse_fields
from dragoman.dialects.openai_responses.items import continued, input_items, response_in

if TYPE_CHECKING:
    from dragoman.access.principal import Principal
    from dragoman.core import RequestBody
    from dragoman.routing.run import Run
    from dragoman.store.responses import Kept, Responses

# How ids of responses begin that were made here.
OWN_PREFIX = "resp_req_"


def tenant_of(principal: Principal) -> str:
    """Who shares stored responses: an organisation, or a key without one, with those that it has made."""
    return principal.organisation or principal.family


def previous_of(kept: Responses, principal: Principal, body: RequestBody) -> Kept | None:
    """What a request goes on from; ``None`` where that is nothing, or nothing that is kept here."""
    raw = body.field("previous_response_id") or b"null"
    try:
        named = msgspec.json.decode(raw, type=str | None)
    except msgspec.DecodeError:
        return None  # the reader says what is wrong with it
    return None if not named else kept.find(tenant_of(principal), named)


def expanded(raw: bytes, previous: Kept) -> bytes:
    """A request with all that it goes on from.

    Raises:
        Unreadable: it is no object.
    """
    return msgspec.json.encode(continued(parse_fields(raw).left, previous.items(), previous.id))


def keep(kept: Responses, run: Run, asked_raw: bytes) -> None:
    """Keep the answer to a request (with all that it went on from), unless its client does not want that."""
    translation, knobs = run.translation, run.knobs
    if translation is None or not kept.keeps_any or (knobs is not None and knobs.no_log):
        return
    try:
        asked = parse_fields(asked_raw).left
        response: dict[str, Any] | None = response_in(translation.last)
    except Unreadable:
        return
    if response is None or asked.get("store") is False or response.get("store") is False:
        return
    kept.put(tenant_of(run.principal), input_items(asked), response, run.end_user)
