"""What a key may do in the end, and why: every level above it, and which of them refuses an alias."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from dragoman.access.principal import Principal, alias_pattern
from dragoman.access.rights import explained
from dragoman.access.roles import PERMISSIONS, is_within, may
from dragoman.endpoints.admin.operation import Answer, Call, Nothing, Operation, missing
from dragoman.errors import InvalidRequest, RequestError

_NARROWED = ("allow", "models", "providers", "mcp_servers", "surfaces", "without_guardrails", "ip_ranges")
_IN_FORCE = (
    *("max_deadline_s", "max_retries", "max_request_usd", "allow_fallbacks", "allow_no_log", "allow_cache_knobs"),
    *("lossy", "budget_usd", "budget_per", "requests_per_minute", "tokens_per_minute", "max_concurrent"),
)


class Asked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose rights, and for what."""

    key: str = ""
    alias: str = ""
    mcp_server: str = ""


class Level(Struct, frozen=True, kw_only=True):
    """What one level grants."""

    level: Literal["organisation", "team", "user", "app", "key"]
    name: str
    grants: dict[str, Any]


class Decided(Struct, frozen=True, kw_only=True):
    """Whether an alias may be used."""

    alias: str
    allowed: bool
    refused_by: str | None
    deployments: list[str]


class Called(Struct, frozen=True, kw_only=True):
    """Whether the tools of a server may be called."""

    mcp_server: str
    allowed: bool
    refused_by: str | None


class Effective(Struct, frozen=True, kw_only=True):
    """What holds for a key."""

    object: Literal["effective"] = "effective"
    key: str
    name: str
    tenant: str
    organisation: str
    team: str
    user: str
    app: str
    role: str
    permissions: list[str]
    levels: list[Level]
    all_of: dict[str, list[list[str]]]
    """Lists of patterns of which a request needs one of each."""
    caps: dict[str, Any]
    decision: Decided | None
    mcp_decision: Called | None


def _effective(call: Call) -> Answer:
    keys = call.gateway.keys
    principal = call.principal if call.query.key in ("", call.principal.key_id) else keys.by_id(call.query.key)
    if principal is None or not _is_seen(call, principal):
        raise missing("key", call.query.key)
    levels = explained(principal, keys.entities)
    if principal.parent is not None:
        levels.insert(-1, explained(principal.parent, keys.entities)[-1])
    body = Effective(
        key=principal.key_id,
        name=principal.name,
        tenant=principal.tenant,
        organisation=principal.organisation,
        team=principal.team,
        user=principal.user,
        app=principal.app,
        role=principal.role,
        permissions=sorted(PERMISSIONS if principal.admin else principal.permissions),
        levels=[Level(**level) for level in levels],
        all_of={name: _narrow(levels, name) for name in _NARROWED},
        caps={name: getattr(principal, name) for name in _IN_FORCE},
        decision=_decided(call, principal, levels) if call.query.alias else None,
        mcp_decision=_called(call.query.mcp_server, levels) if call.query.mcp_server else None,
    )
    return Answer(body)


def _is_seen(call: Call, principal: Principal) -> bool:
    if principal.key_id == call.principal.key_id:
        return True
    if not may(call.principal, "keys.read"):
        return False
    return is_within(call.principal, principal.organisation, (principal.team,) if principal.team else ())


def _narrow(levels: list[dict[str, Any]], name: str) -> list[list[str]]:
    """What each level lists, those that leave everything open aside."""
    lists = [list(level["grants"][name]) for level in levels]
    return [one for one in lists if one and "*" not in one]


def _refusing(levels: list[dict[str, Any]], grant: str, asked: str, field: str) -> str | None:
    """The level that does not grant something, if one does not."""
    if len(asked) > 512:
        raise InvalidRequest(f"{field}: at most 512 characters.", param=field)
    for level in levels:
        patterns = tuple(level["grants"][grant])
        if "*" not in patterns and alias_pattern(patterns).fullmatch(asked) is None:
            return f"{level['level']} {level['name']}"
    return None


def _called(mcp_server: str, levels: list[dict[str, Any]]) -> Called:
    refusing = _refusing(levels, "mcp_servers", mcp_server, "mcp_server")
    return Called(mcp_server=mcp_server, allowed=refusing is None, refused_by=refusing)


def _decided(call: Call, principal: Principal, levels: list[dict[str, Any]]) -> Decided:
    alias = call.query.alias
    refusing = _refusing(levels, "allow", alias, "alias")
    if refusing is not None:
        return Decided(alias=alias, allowed=False, refused_by=refusing, deployments=[])
    try:
        plan = call.gateway.snapshot.plan(alias, (), principal)
    except RequestError as error:
        return Decided(alias=alias, allowed=False, refused_by=error.error_code, deployments=[])
    names = {member.deployment.name for tier in plan.tiers for member in tier.members.values()}
    return Decided(alias=alias, allowed=True, refused_by=None, deployments=sorted(names))


class Permissions(Struct, frozen=True, kw_only=True):
    """Every permission, and what it is for."""

    object: Literal["permissions"] = "permissions"
    permissions: dict[str, str]


OPERATIONS = [
    Operation(
        id="get_effective",
        method="GET",
        path="/effective",
        summary="Say what a key may do in the end, and which level says so",
        permissions=(),
        run=_effective,
        query=Asked,
        answer=Effective,
        tag="keys",
    ),
    Operation(
        id="list_permissions",
        method="GET",
        path="/permissions",
        summary="List the permissions that roles are made of",
        permissions=(),
        run=lambda _: Answer(Permissions(permissions=PERMISSIONS)),
        query=Nothing,
        answer=Permissions,
        tag="roles",
    ),
]
