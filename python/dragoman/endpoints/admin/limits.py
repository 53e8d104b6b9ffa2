"""Limits and budgets by the admin API: those that are stored. An organisation's have names that begin with its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from dragoman.access.roles import may
from dragoman.config.check import is_name
from dragoman.config.limiting import Limit
from dragoman.endpoints.admin.operation import Answer, Call, Deleted, Nothing, Operation, Page, etag_of, missing
from dragoman.endpoints.admin.pages import Cursor, converted, list_type, listed
from dragoman.errors import ConfigError, Forbidden, InvalidRequest
from dragoman.store.limits import list_limits, remove_limit, set_limit

LimitShown = msgspec.defstruct(
    "LimitShown",
    [
        ("object", Literal["limit"]),
        ("name", str),
        ("source", Literal["stored", "file"]),
        *((one.encode_name, one.type) for one in msgspec.structs.fields(Limit)),
    ],
    kw_only=True,
    frozen=True,
)


def _list(call: Call) -> Answer:
    of = call.query.organisation
    if not call.principal.admin:
        call.organisation(of)

    def found(after: Cursor) -> Iterator[tuple[Cursor, Any]]:
        for name, limit in sorted(_all(call).items()):
            is_wanted = of is None or of in limit.applies_to.organisations
            if is_wanted and name > (after[0] if after else "") and _is_seen(call, limit):
                yield [name, ""], _shown(call, name, limit)

    return listed(call.query, found)


def _get(call: Call) -> Answer:
    name = call.params["name"]
    shown = _shown(call, name, _found(call, name))
    return Answer(shown, etag_of(shown))


def _put(call: Call) -> Answer:
    name = call.params["name"]
    limit = converted(call.body, Limit)
    known = _all(call).get(name)
    if known is not None and not _is_seen(call, known):
        raise missing("limit", name)
    call.hold_to("" if known is None else etag_of(_shown(call, name, known)))
    if not is_name(name):
        raise InvalidRequest("name: letters, digits and . _ : / @ + -, the first a letter or digit.", param="name")
    if name in call.gateway.snapshot.config.limits:
        raise Forbidden(f"The configuration has a limit {name!r}, which counts.", code="declared_in_file")
    _check_scope(call, name, limit)
    call.record("limit.set", name=name, limit=msgspec.to_builtins(limit))
    try:
        set_limit(call.gateway.store.engine, name, limit, now_ms=time.time_ns() // 1_000_000)
    except ConfigError as error:
        raise InvalidRequest(f"{'; '.join(error.problems)}.") from None
    call.gateway.limits.refresh()
    shown = _shown(call, name, limit)
    return Answer(shown, etag_of(shown))


def _delete(call: Call) -> Answer:
    name = call.params["name"]
    limit = _found(call, name)
    call.hold_to(etag_of(_shown(call, name, limit)))
    if name in call.gateway.snapshot.config.limits:
        raise Forbidden(f"The limit {name!r} is the configuration's; remove it there.", code="declared_in_file")
    _check_scope(call, name, limit)
    call.record("limit.remove", name=name)
    remove_limit(call.gateway.store.engine, name)
    call.gateway.limits.refresh()
    return Answer(Deleted(object="limit", id=name))


def _all(call: Call) -> dict[str, Limit]:
    return list_limits(call.gateway.store.engine) | dict(call.gateway.snapshot.config.limits)


def _found(call: Call, name: str) -> Limit:
    limit = _all(call).get(name)
    if limit is None or not _is_seen(call, limit):
        raise missing("limit", name)
    return limit


def _is_seen(call: Call, limit: Limit) -> bool:
    principal, to = call.principal, limit.applies_to
    if principal.admin:
        return True
    if to.organisations != (principal.organisation,):
        return False
    return not principal.team or to.teams == (principal.team,)


def _check_scope(call: Call, name: str, limit: Limit) -> None:
    """See that a limit is of those whom whoever sets it is set over."""
    principal = call.principal
    if principal.admin or not may(principal, "limits.write"):
        return
    wanted = {"organisations": (principal.organisation,)} | ({"teams": (principal.team,)} if principal.team else {})
    for field, names in wanted.items():
        if getattr(limit.applies_to, field) != names:
            message = f"applies_to.{field}: must be {list(names)}: you set limits of no others."
            raise Forbidden(message, code="out_of_scope", param=f"applies_to.{field}")
    if not name.startswith(f"{principal.organisation}/"):
        message = f"name: must begin with {principal.organisation}/, as the names of its limits do."
        raise Forbidden(message, code="out_of_scope", param="name")


def _shown(call: Call, name: str, limit: Limit) -> dict[str, Any]:
    source = "file" if name in call.gateway.snapshot.config.limits else "stored"
    return {"object": "limit", "name": name, "source": source, **msgspec.to_builtins(limit)}


def _operation(verb: str, method: Any, summary: str, permission: str, **more: Any) -> Operation:
    return Operation(
        id=f"{verb}_limit",
        method=method,
        path="/limits/{name}",
        summary=summary,
        permissions=(permission,),
        is_slash_free=False,
        tag="limits",
        query=Nothing,
        **more,
    )


OPERATIONS = [
    Operation(
        id="list_limits",
        method="GET",
        path="/limits",
        summary="List limits and budgets",
        permissions=("limits.read",),
        run=_list,
        query=Page,
        answer=list_type(LimitShown),
        tag="limits",
    ),
    _operation("get", "GET", "Read one limit", "limits.read", run=_get, answer=LimitShown),
    _operation("set", "PUT", "Set a limit or a budget", "limits.write", run=_put, body=Limit, answer=LimitShown),
    _operation("remove", "DELETE", "Remove a limit", "limits.write", run=_delete, answer=Deleted),
]
