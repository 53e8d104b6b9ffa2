"""Virtual keys by the admin API."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from dragoman.access.granting import excess
from dragoman.access.roles import OWN_KEY_FIELDS, is_within, may, permissions_of, unwritable
from dragoman.access.stored import (
    CreatedKey,
    StoredKey,
    change_key,
    create_key,
    find_key,
    get_key,
    iterate_keys,
    key_of,
    places_missing,
    revoke_key,
    rotate_key,
    switch_key,
)
from dragoman.config.schema import Key
from dragoman.endpoints.admin.entities import partial_type
from dragoman.endpoints.admin.operation import Answer, Call, Deleted, Nothing, Operation, Page, etag_of, missing
from dragoman.endpoints.admin.pages import Cursor, converted, list_type, listed
from dragoman.errors import ConfigError, Conflict, Forbidden, InvalidRequest, NameTaken, PreconditionFailed

DAY_S = 86_400
LEAKED = "leaked"
_NOT_SHOWN = {"secret", "hash"}
_FIELDS = [one for one in msgspec.structs.fields(Key) if one.name not in _NOT_SHOWN]

KeyBody = msgspec.defstruct(
    "KeyBody",
    [(one.name, one.type) if one.required else (one.name, one.type, one.default) for one in _FIELDS],
    kw_only=True,
    frozen=True,
    forbid_unknown_fields=True,
    namespace={"__doc__": "What a virtual key may do, and whose it is."},
)
KeyState = Literal["in force", "disabled", "expired", "revoked"]
KeyShown = msgspec.defstruct(
    "Key",
    [
        ("object", Literal["key"]),
        ("id", str),
        ("prefix", str),
        ("state", KeyState),
        ("parent", str),
        ("disabled_reason", str),
        ("created", str),
        ("last_used", str | None),
        *((one.name, one.type) for one in _FIELDS),
    ],
    kw_only=True,
    frozen=True,
)
KeyChange = msgspec.defstruct(
    "KeyChange",
    [("disabled", bool | msgspec.UnsetType, msgspec.UNSET)],
    bases=(partial_type(KeyBody),),
    kw_only=True,
    forbid_unknown_fields=True,
)
KeyMade = msgspec.defstruct("KeyMade", [("secret", str)], bases=(KeyShown,), kw_only=True, frozen=True)


class KeyPage(Page, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which keys are wanted."""

    team: str = ""
    user: str = ""
    app: str = ""
    revoked: bool = False


class Rotation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a key gets a new secret."""

    overlap_s: Annotated[int, Meta(ge=0, le=30 * DAY_S), "the one before is good so long"] = DAY_S


class Leak(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A secret that was found where it should not be."""

    secret: Annotated[str, Meta(min_length=1, max_length=512)]


def _list(call: Call) -> Answer:
    query, engine = call.query, call.gateway.store.engine
    organisation = query.organisation if call.principal.admin else call.organisation(query.organisation)
    wanted = {"team": query.team, "user": query.user, "app": query.app}
    wanted = {name: value for name, value in wanted.items() if value}
    if organisation is not None:
        wanted["organisation"] = organisation

    def found(after: Cursor) -> Iterator[tuple[Cursor, Any]]:
        known = (int(after[0]), after[1]) if after and after[0].isdigit() else None
        for key in iterate_keys(engine, wanted, after=known, revoked=query.revoked):
            if _is_seen(call, key):
                yield [str(key.created_at_ms), key.id], shown(key)

    return listed(query, found)


def _create(call: Call) -> Answer:
    fields = dict(call.body)
    _check_fields(call, fields)
    key = _placed(call, fields)
    _check_rights(call, None, key)
    return _answer_made(call, "key.create", key)


def _answer_made(call: Call, kind: str, key: Key) -> Answer:
    call.record(kind, organisation=key.organisation, team=key.team, name=key.name, fields=sorted(call.body))
    gateway = call.gateway
    try:
        made = create_key(gateway.store.engine, gateway.pepper, key, now_ms=_now_ms())
    except ConfigError as error:
        raise _wrong(error) from None
    except NameTaken as error:
        raise Conflict(f"There is a key named {key.name!r} already.", code="name_taken", param="name") from error
    gateway.keys.refresh()
    return Answer(_made(made), etag_of(_state(made.key)))


def _get(call: Call) -> Answer:
    key = _found(call)
    return Answer(shown(key), etag_of(_state(key)))


def _change(call: Call) -> Answer:
    before = _found(call, writing=True)
    call.hold_to(etag_of(_state(before)))
    fields = dict(call.body)
    _check_fields(call, fields)
    disabled = fields.pop("disabled", None)
    if disabled not in (None, True, False):
        raise InvalidRequest("disabled: true or false.", param="disabled")
    was = key_of(before)
    key = _placed(call, msgspec.to_builtins(was) | fields, was)
    if key.organisation != was.organisation:
        raise InvalidRequest("organisation: cannot be changed; make another key.", param="organisation")
    if key != was:
        _check_rights(call, was, key)
    call.record("key.change", organisation=key.organisation, key=before.id, fields=sorted(call.body))
    engine, after = call.gateway.store.engine, before
    try:
        if key != was:
            after = change_key(engine, before, key) or _changed_meanwhile()
    except ConfigError as error:
        raise _wrong(error) from None
    except NameTaken:
        raise Conflict(f"There is a key named {key.name!r} already.", code="name_taken", param="name") from None
    if disabled is not None and disabled != (before.disabled_at_ms is not None):
        after = switch_key(engine, before.id, disabled_at_ms=_now_ms() if disabled else None) or _changed_meanwhile()
    call.gateway.keys.refresh()
    return Answer(shown(after), etag_of(_state(after)))


def _revoke(call: Call) -> Answer:
    key = _found(call, writing=True)
    call.hold_to(etag_of(_state(key)))
    call.record("key.revoke", organisation=key.organisation, key=key.id)
    revoke_key(call.gateway.store.engine, key.id, now_ms=_now_ms())
    call.gateway.keys.refresh()
    return Answer(Deleted(object="key", id=key.id))


def _rotate(call: Call) -> Answer:
    key = _found(call, writing=True)
    rotation = converted(call.body, Rotation)
    _check_rights(call, None, key_of(key))  # whoever gets the secret gets what it may
    call.record("key.rotate", organisation=key.organisation, key=key.id, overlap_s=rotation.overlap_s)
    gateway = call.gateway
    made = rotate_key(
        gateway.store.engine, gateway.pepper, key.id, overlap_ms=rotation.overlap_s * 1000, now_ms=_now_ms()
    )
    if made is None:
        raise Conflict("The key is not in force.", code="not_in_force")
    gateway.keys.refresh()
    return Answer(_made(made), etag_of(_state(made.key)))


def _leaked(call: Call) -> Answer:
    """Switch off the key of a secret that was found in the open. Who knows a secret may say so of any key."""
    gateway = call.gateway
    key = find_key(gateway.store.engine, gateway.pepper, converted(call.body, Leak).secret)
    if key is None or key.revoked_at_ms is not None:
        raise missing("key", "of that secret")
    call.record("key.leaked", organisation=key.organisation, key=key.id)
    after = switch_key(gateway.store.engine, key.id, disabled_at_ms=_now_ms(), reason=LEAKED)
    gateway.keys.refresh()
    return Answer(shown(after or key), etag_of(_state(after or key)))


def _found(call: Call, *, writing: bool = False) -> StoredKey:
    key = get_key(call.gateway.store.engine, call.params["id"])
    if key is None or not _is_seen(call, key):
        raise missing("key", call.params["id"])
    if writing and not (may(call.principal, "keys.write") or _is_own(call, key)) and not _may_set_some(call):
        call.demand("keys.write")
    if writing and key.revoked_at_ms is not None:
        raise Conflict("The key is revoked.", code="not_in_force")
    return key


def _may_set_some(call: Call) -> bool:
    return any(may(call.principal, permission) for permission in ("grants.write", "limits.write", "roles.grant"))


def _is_seen(call: Call, key: StoredKey) -> bool:
    principal = call.principal
    if may(principal, "keys.read") or may(principal, "keys.write"):
        return is_within(principal, key.organisation, (key.team,) if key.team else ())
    return _is_own(call, key)


def _is_own(call: Call, key: StoredKey) -> bool:
    principal = call.principal
    if not may(principal, "keys.own") or key.organisation != principal.organisation or key.admin:
        return False
    if key.parent == principal.key_id:
        return True
    return bool(principal.user and key.user == principal.user) or bool(
        principal.app and not principal.user and key.app == principal.app
    )


def _check_fields(call: Call, fields: dict[str, Any]) -> None:
    unknown = sorted(fields.keys() - {one.name for one in _FIELDS} - {"disabled"})
    if unknown:
        raise InvalidRequest(f"{unknown[0]}: a key has no such field.", param=unknown[0])
    refused = unwritable(call.principal, "key", fields)
    if may(call.principal, "keys.own") and not may(call.principal, "keys.write"):
        refused = [field for field in refused if field not in OWN_KEY_FIELDS]
    if refused:
        raise Forbidden(f"You may not write {refused[0]!r} of a key.", code="field_not_allowed", param=refused[0])


def _check_own(call: Call, before: Key | None, key: Key) -> None:
    """See that whoever makes keys of their own gives them to nobody else, and takes no other team's purse."""
    principal = call.principal
    user = call.gateway.keys.entities.find("user", principal.organisation, principal.user)
    teams = ("", principal.team, *(user.teams if user is not None else ()))
    for name, own in (("user", (principal.user,)), ("app", (principal.app,)), ("team", teams)):
        value = getattr(key, name)
        if value not in own and (before is None or value != getattr(before, name)):
            raise missing(name, value)


def _placed(call: Call, fields: dict[str, Any], before: Key | None = None) -> Key:
    """A key where whoever asks may have one."""
    principal = call.principal
    fields["organisation"] = call.organisation(fields.get("organisation"))
    if not principal.admin and principal.team:
        fields.setdefault("team", principal.team)
    if not may(principal, "keys.write"):
        for name in ("user", "app"):
            if getattr(principal, name):
                fields.setdefault(name, getattr(principal, name))
    key = converted(fields, Key)
    if not is_within(principal, key.organisation, (key.team,) if key.team else ()):
        raise missing("team", key.team)
    if not may(principal, "keys.write"):
        _check_own(call, before, key)
    problems = places_missing(call.gateway.store.engine, key)
    if problems:
        raise InvalidRequest(f"{'; '.join(problems)}.", code="not_found", param=problems[0].partition(":")[0])
    return key


def _check_rights(call: Call, before: Key | None, key: Key) -> None:
    """See that nobody gives a key what they have not."""
    principal = call.principal
    if principal.admin:
        return
    more = excess(principal, key)
    if before is not None:  # what it has already, nobody gives it now
        more = [problem for problem in more if problem not in excess(principal, before)]
    if more:
        message = f"A key cannot be allowed more than yours: {more[0]}."
        raise Forbidden(message, code="more_than_own", param=more[0].partition(":")[0])
    if key.role and (before is None or key.role != before.role):
        asked = permissions_of(key.role, principal.organisation, call.gateway.keys.entities.roles)
        lacked = sorted(asked - principal.permissions)
        if lacked:
            message = f"You cannot grant {lacked[0]}, which you have not."
            raise Forbidden(message, code="more_than_own", param="role")


def shown(key: StoredKey) -> dict[str, Any]:
    """A key as it is answered; its secret is known to nobody."""
    now_ms = _now_ms()
    return {
        "object": "key",
        "id": key.id,
        "prefix": key.prefix,
        "state": state_of(key, now_ms),
        "parent": key.parent,
        "disabled_reason": key.disabled_reason,
        "created": _moment(key.created_at_ms),
        "last_used": None if key.last_used_at_ms is None else _moment(key.last_used_at_ms),
        **_fields(key),
    }


def state_of(key: StoredKey, now_ms: int) -> KeyState:
    """Whether a key may be used."""
    if key.revoked_at_ms is not None:
        return "revoked"
    if key.expires_at_ms is not None and key.expires_at_ms <= now_ms:
        return "expired"
    return "in force" if key.disabled_at_ms is None else "disabled"


def _fields(key: StoredKey) -> dict[str, Any]:
    told = msgspec.to_builtins(key_of(key))
    return {one.name: told[one.name] for one in _FIELDS}


def _state(key: StoredKey) -> dict[str, Any]:
    """What a change changes."""
    return {"id": key.id, "prefix": key.prefix, "disabled": key.disabled_at_ms, "revoked": key.revoked_at_ms} | _fields(
        key
    )


def _made(made: CreatedKey) -> dict[str, Any]:
    return shown(made.key) | {"secret": made.secret}


def _moment(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _wrong(error: ConfigError) -> InvalidRequest:
    problem = error.problems[0]
    return InvalidRequest(f"{problem}.", param=problem.partition(":")[0])


def _changed_meanwhile() -> StoredKey:
    raise PreconditionFailed("It was changed by another meanwhile; read it again.")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


_READ = ("keys.read", "keys.write", "keys.own")
_WRITE = ("keys.write", "keys.own")
_CHANGE = (*_WRITE, "grants.write", "limits.write", "roles.grant")
_ONE = "/keys/{id}"


def _operation(verb: str, method: Any, path: str, summary: str, **more: Any) -> Operation:
    return Operation(id=f"{verb}_key", method=method, path=path, summary=summary, tag="keys", **more)


OPERATIONS = [
    Operation(
        id="list_keys",
        method="GET",
        path="/keys",
        summary="List virtual keys",
        permissions=_READ,
        run=_list,
        query=KeyPage,
        answer=list_type(KeyShown),
        tag="keys",
    ),
    _operation(
        "create",
        "POST",
        "/keys",
        "Make a virtual key; its secret is shown this once",
        permissions=_WRITE,
        run=_create,
        body=KeyBody,
        answer=KeyMade,
        status=201,
    ),
    _operation("get", "GET", _ONE, "Read one virtual key", permissions=_READ, run=_get, answer=KeyShown),
    _operation(
        "change",
        "PATCH",
        _ONE,
        "Change some fields of one virtual key",
        permissions=_CHANGE,
        run=_change,
        body=KeyChange,
        answer=KeyShown,
    ),
    _operation("revoke", "DELETE", _ONE, "Revoke a virtual key", permissions=_WRITE, run=_revoke, answer=Deleted),
    _operation(
        "rotate",
        "POST",
        f"{_ONE}/rotate",
        "Give a virtual key a new secret",
        permissions=_WRITE,
        run=_rotate,
        body=Rotation,
        answer=KeyMade,
    ),
    _operation(
        "report_leaked",
        "POST",
        "/keys/leaked",
        "Switch off the key of a secret that was found in the open",
        permissions=(),
        run=_leaked,
        query=Nothing,
        body=Leak,
        answer=KeyShown,
    ),
]
