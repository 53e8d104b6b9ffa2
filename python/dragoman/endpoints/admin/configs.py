"""Sections of the configuration that are stored in the database: for those who run the gateway alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from dragoman.endpoints.admin.operation import Answer, Call, Nothing, Operation, Page, etag_of, missing
from dragoman.endpoints.admin.pages import Cursor, converted, list_type, listed
from dragoman.errors import ConfigError, Conflict, InvalidRequest, NameTaken
from dragoman.store.configs import ConfigVersion, add_config, find_config_version, list_configs

OPERATOR = ("operator",)  # no role has it: keys with admin alone


class ConfigShown(Struct, frozen=True, kw_only=True):
    """A version of what is stored, and whether it counts."""

    object: Literal["config"] = "config"
    version: int
    author: str
    note: str
    created_at_ms: int
    body: str
    in_force: bool


class ConfigBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sections of the configuration, as YAML; they take the place of the file's."""

    body: Annotated[str, Meta(max_length=1_000_000)]
    note: Annotated[str, Meta(max_length=512)] = ""


class Rollback(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which version is to count again."""

    version: Annotated[int, Meta(ge=0)]
    note: Annotated[str, Meta(max_length=512)] = ""


def _list(call: Call) -> Answer:
    def found(after: Cursor) -> Iterator[tuple[Cursor, Any]]:
        before = int(after[0]) if after and after[0].isdigit() else None
        for one in list_configs(call.gateway.store.engine, before=before, limit=call.query.limit + 1):
            yield [str(one.version), ""], _shown(call, one)

    return listed(call.query, found)


def _get(call: Call) -> Answer:
    version = call.gateway.stored_config.version
    found = find_config_version(call.gateway.store.engine, version) if version else None
    if found is None:
        found = ConfigVersion(version=0, author="", note="", created_at_ms=0, body="")
    shown = _shown(call, found)
    return Answer(shown, etag_of(found.version))


def _put(call: Call) -> Answer:
    wanted = converted(call.body, ConfigBody)
    return _store(call, wanted.body, wanted.note)


def _roll_back(call: Call) -> Answer:
    wanted = converted(call.body, Rollback)
    body = ""
    if wanted.version:
        found = find_config_version(call.gateway.store.engine, wanted.version)
        if found is None:
            raise missing("config", str(wanted.version))
        body = found.body
    return _store(call, body, wanted.note or f"back to version {wanted.version}")


def _store(call: Call, body: str, note: str) -> Answer:
    gateway = call.gateway
    call.hold_to(etag_of(gateway.stored_config.version))
    try:
        gateway.loads_config(body)
    except ConfigError as error:
        problems = "; ".join(error.problems[:20])
        raise InvalidRequest(
            f"The configuration cannot be used: {problems}.", code="bad_config", param="body"
        ) from None
    call.record("config.store", note=note)
    try:
        stored = add_config(
            gateway.store.engine, body, author=call.principal.name, note=note, now_ms=time.time_ns() // 1_000_000
        )
    except NameTaken as error:
        raise Conflict(f"{str(error)[:1].upper()}{str(error)[1:]}.", code="changed_meanwhile") from None
    gateway.stored_config.refresh()
    return Answer(_shown(call, stored), etag_of(stored.version))


def _shown(call: Call, one: ConfigVersion) -> ConfigShown:
    return ConfigShown(
        version=one.version,
        author=one.author,
        note=one.note,
        created_at_ms=one.created_at_ms,
        body=one.body,
        in_force=one.version == call.gateway.stored_config.version,
    )


def _operation(verb: str, method: Any, path: str, summary: str, **more: Any) -> Operation:
    return Operation(
        id=f"{verb}_config", method=method, path=path, summary=summary, permissions=OPERATOR, tag="config", **more
    )


OPERATIONS = [
    Operation(
        id="list_configs",
        method="GET",
        path="/config/versions",
        summary="List what was stored, the newest first",
        permissions=OPERATOR,
        run=_list,
        query=Page,
        answer=list_type(ConfigShown),
        tag="config",
    ),
    _operation("get", "GET", "/config", "Read the sections that are stored", run=_get, answer=ConfigShown),
    _operation(
        "store",
        "PUT",
        "/config",
        "Store sections of the configuration; what cannot be used is refused",
        run=_put,
        query=Nothing,
        body=ConfigBody,
        answer=ConfigShown,
    ),
    _operation(
        "roll_back",
        "POST",
        "/config/rollback",
        "Put an earlier version back; 0: the file's sections alone",
        run=_roll_back,
        query=Nothing,
        body=Rollback,
        answer=ConfigShown,
    ),
]
