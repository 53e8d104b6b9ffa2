"""What makes two requests the same: everything that their answers depend on, and who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dragoman.core import Apart

if TYPE_CHECKING:
    from dragoman.access.principal import Principal
    from dragoman.config.caching import Cache
    from dragoman.routing.call import Call
    from dragoman.routing.plan import Plan

_encode = msgspec.json.Encoder().encode


def sharer(principal: Principal, scope: str) -> str:
    """Who shares answers with a key: names of keys and of what they belong to never meet."""
    if scope == "organisation" and principal.organisation:
        return f"organisation:{principal.organisation}"
    if scope == "team" and principal.team:
        return f"team:{len(principal.organisation)}:{principal.organisation}{principal.team}"
    return f"key:{principal.key_id}"


def is_one_answer(call: Call, raw: bytes) -> bool:
    """Whether a request is of a kind whose answer can be kept: read here, and one."""
    if call.surface is None or call.reading is None or call.body is None:
        return False
    return call.body.asks_for_one(raw)


def apart_of(call: Call, plan: Plan, principal: Principal, config: Cache) -> Apart:
    """What the answer to a request depends on beside its body, whoever asks among that."""
    whose = whose_of(principal, config, call.knobs.cache_wish.namespace)
    guarded_by = b"" if call.guarding is None else call.guarding.identity
    return apart_from_body(call, plan, whose, guarded_by)


def apart_from_body(call: Call, plan: Plan, whose: bytes, guarded_by: bytes) -> Apart:
    """What the answer to a request depends on beside its body.

    :param whose: who asks, and what divides what that one asks.
    :param guarded_by: the guardrails that its answer passes.
    """
    at, surface = call.at, call.surface
    assert at is not None and surface is not None  # noqa: S101 - a request that is one answer has both
    way = (
        call.endpoint,
        surface.spoken,
        at.model,
        at.stream,
        at.array,
        at.action,
        call.policy,
        call.wants_cost,
        [header for header in call.headers if header not in call.trace],
    )
    return Apart([whose, plan.answers_as, guarded_by, _encode(way)])


def whose_of(principal: Principal, config: Cache, namespace: str) -> bytes:
    """Who asks, and the namespace."""
    return f"{sharer(principal, config.scope)}\0{namespace}".encode()
