"""Organisations, teams, users, apps and roles: listed, made, read, changed and removed, each the same way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from dragoman.access.declared import range_problems
from dragoman.access.roles import PERMISSIONS, ROLES, is_within, permissions_of, unwritable
from dragoman.config.entities import KINDS, App, Entity, Kind, Role, Team, User, organisation_of
from dragoman.endpoints.admin.operation import Answer, Call, Deleted, Operation, Page, Place, etag_of, missing
from dragoman.endpoints.admin.pages import Cursor, converted, list_type, listed
from dragoman.errors import Conflict, Forbidden, InvalidRequest, NameTaken, NotThere, PreconditionFailed, StillUsed
from dragoman.store.entities import change_entity, create_entity, find_entity, list_entities, remove_entity

if TYPE_CHECKING:
    from dragoman.access.principal import Principal

PAGE = 200
BUILT_IN = {name: Role(name=name, title="built in", permissions=tuple(sorted(has))) for name, has in ROLES.items()}


def shown_type(kind: Kind) -> type[msgspec.Struct]:
    """What one is shown as."""
    made = KINDS[kind]
    fields: list[Any] = [("object", Literal[kind])]
    fields += [(one.encode_name, one.type) for one in msgspec.structs.fields(made)]
    return msgspec.defstruct(kind.capitalize(), fields, kw_only=True, frozen=True, namespace={"__doc__": made.__doc__})


def operations(kind: Kind) -> Iterator[Operation]:
    """Those of a kind."""
    path, shown, made = f"/{kind}s", shown_type(kind), KINDS[kind]
    read, write = (f"{kind}s.read",), (f"{kind}s.write",)
    grants = () if kind in ("organisation", "role") else ("grants.write",)
    changed = (*write, *grants, "roles.grant") if kind in ("user", "app") else (*write, *grants)

    def operation(verb: str, method: Any, summary: str, run: Any, **more: Any) -> Operation:
        return Operation(
            id=f"{verb}_{kind}", method=method, summary=summary, run=partial(run, kind), tag=f"{kind}s", **more
        )

    one = f"{path}/{{name}}"
    yield operation(
        "list", "GET", f"List {kind}s", _list, path=path, permissions=read, query=Page, answer=list_type(shown)
    )
    yield operation(
        "create",
        "POST",
        f"Make a {kind}",
        _create,
        path=path,
        permissions=write,
        body=made,
        answer=shown,
        status=201,
    )
    yield operation("get", "GET", f"Read one {kind}", _get, path=one, permissions=read, query=Place, answer=shown)
    yield operation(
        "change",
        "PATCH",
        f"Change some fields of one {kind}",
        _change,
        path=one,
        permissions=changed,
        query=Place,
        body=partial_type(made),
        answer=shown,
    )
    yield operation(
        "delete", "DELETE", f"Remove one {kind}", _delete, path=one, permissions=write, query=Place, answer=Deleted
    )


def partial_type(made: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """A type of which every field may be left out."""
    fields: list[Any] = [
        (one.encode_name, one.type | msgspec.UnsetType, msgspec.UNSET) for one in msgspec.structs.fields(made)
    ]
    return msgspec.defstruct(f"{made.__name__}Change", fields, kw_only=True, forbid_unknown_fields=True)


def _list(kind: Kind, call: Call) -> Answer:
    organisation = call.query.organisation
    if not call.principal.admin:
        organisation = call.organisation(organisation)

    def found(after: Cursor) -> Iterator[tuple[Cursor, Any]]:
        if kind == "role":
            for role in sorted(BUILT_IN.values(), key=lambda one: one.name):
                if ("", role.name) > tuple(after):
                    yield ["", role.name], shown("role", role)
        known: Cursor = [*after, "", ""][:2]
        while page := list_entities(
            call.gateway.store.engine, kind, organisation, after=(known[0], known[1]), limit=PAGE
        ):
            for one in page:
                known = [organisation_of(one), one.name]
                if _is_seen(call.principal, one):
                    yield known, shown(kind, one)

    return listed(call.query, found)


def _create(kind: Kind, call: Call) -> Answer:
    _check_fields(call, kind, call.body)
    if not call.principal.admin and (kind == "organisation" or (call.principal.team and kind != "app")):
        raise Forbidden(f"A {kind} is made by those above.", code="permission_denied")
    fields = dict(call.body)
    if kind != "organisation":
        fields["organisation"] = call.organisation(fields.get("organisation"))
    if kind == "app" and call.principal.team:
        fields.setdefault("team", call.principal.team)
    entity = _made(kind, fields)
    if not is_within(call.principal, organisation_of(entity), teams_of(entity)):
        raise missing("team", getattr(entity, "team", ""))
    _check_granted(call, None, entity)
    call.record(f"{kind}.create", organisation=organisation_of(entity), name=entity.name, fields=sorted(call.body))
    try:
        create_entity(call.gateway.store.engine, entity, now_ms=time.time_ns() // 1_000_000)
    except NameTaken as error:
        raise Conflict(f"{_sentence(error)}.", code="name_taken", param="name") from None
    except NotThere as error:
        raise InvalidRequest(f"{_sentence(error)}.", code="not_found", param=str(error).partition(":")[0]) from None
    call.gateway.keys.refresh()
    return Answer(shown(kind, entity), etag_of(shown(kind, entity)))


def _get(kind: Kind, call: Call) -> Answer:
    entity = _found(kind, call)
    return Answer(shown(kind, entity), etag_of(shown(kind, entity)))


def _change(kind: Kind, call: Call) -> Answer:
    _check_fields(call, kind, call.body)
    before = _found(kind, call, writing=True)
    call.hold_to(etag_of(shown(kind, before)))
    entity = _made(kind, msgspec.to_builtins(before) | call.body)
    for field in ("name", "organisation"):
        if getattr(entity, field, "") != getattr(before, field, ""):
            raise InvalidRequest(f"{field}: cannot be changed; make another.", param=field)
    if not is_within(call.principal, organisation_of(entity), teams_of(entity)):
        raise missing("team", getattr(entity, "team", ""))
    if _is_own(call.principal, kind, before) and {"role", "teams", "grants"} & call.body.keys():
        raise Forbidden("Nobody says what they may do themselves.", code="own_rights")
    _check_granted(call, before, entity)
    call.record(f"{kind}.change", organisation=organisation_of(entity), name=entity.name, fields=sorted(call.body))
    try:
        if not change_entity(call.gateway.store.engine, before, entity, now_ms=time.time_ns() // 1_000_000):
            raise PreconditionFailed("It was changed by another meanwhile; read it again.")
    except NotThere as error:
        raise InvalidRequest(f"{_sentence(error)}.", code="not_found", param=str(error).partition(":")[0]) from None
    call.gateway.keys.refresh()
    return Answer(shown(kind, entity), etag_of(shown(kind, entity)))


def _delete(kind: Kind, call: Call) -> Answer:
    entity = _found(kind, call, writing=True)
    if kind == "organisation" and not call.principal.admin:
        raise Forbidden("An organisation is removed by those who run the gateway.", code="permission_denied")
    call.hold_to(etag_of(shown(kind, entity)))
    call.record(f"{kind}.delete", organisation=organisation_of(entity), name=entity.name)
    try:
        remove_entity(call.gateway.store.engine, kind, organisation_of(entity), entity.name)
    except StillUsed as error:
        raise Conflict(f"{_sentence(error)}.", code="still_used") from None
    call.gateway.keys.refresh()
    return Answer(Deleted(object=kind, id=entity.name))


def shown(kind: Kind, entity: Entity) -> dict[str, Any]:
    """One as it is answered."""
    return {"object": kind, **msgspec.to_builtins(entity)}


def teams_of(entity: Entity) -> tuple[str, ...]:
    """The teams that it is of."""
    if isinstance(entity, Team):
        return (entity.name,)
    if isinstance(entity, App):
        return (entity.team,) if entity.team else ()
    return tuple(entity.teams) if isinstance(entity, User) else ()


def _is_seen(principal: Principal, entity: Entity) -> bool:
    if isinstance(entity, Role) and entity.organisation in ("", principal.organisation):
        return True
    return is_within(principal, organisation_of(entity), teams_of(entity))


def _is_own(principal: Principal, kind: Kind, entity: Entity) -> bool:
    return not principal.admin and kind in ("user", "app", "team") and getattr(principal, kind) == entity.name


def _found(kind: Kind, call: Call, *, writing: bool = False) -> Entity:
    name = call.params["name"]
    if kind == "role" and name in BUILT_IN:
        if writing:
            raise Forbidden(f"The role {name!r} is built in.", code="permission_denied")
        return BUILT_IN[name]
    organisation = name if kind == "organisation" else call.organisation(call.query.organisation)
    engine = call.gateway.store.engine
    entity = find_entity(engine, kind, organisation, name)
    if entity is None and kind == "role" and not writing:
        entity = find_entity(engine, kind, "", name)
    if entity is None or not _is_seen(call.principal, entity):
        raise missing(kind, name)
    if writing and not call.principal.admin and call.principal.team and kind != "app":
        raise Forbidden(f"A {kind} is changed by those above.", code="permission_denied")
    return entity


def _made(kind: Kind, fields: dict[str, Any]) -> Entity:
    entity: Entity = converted(fields, KINDS[kind])
    if isinstance(entity, Role):
        if entity.name in ROLES:
            raise Conflict(f"The role {entity.name!r} is built in.", code="name_taken", param="name")
        unknown = sorted(set(entity.permissions) - PERMISSIONS.keys())
        if unknown:
            message = f"permissions: {unknown[0]!r} is none; GET /admin/v1/permissions lists them."
            raise InvalidRequest(message, param="permissions")
    grants = None if isinstance(entity, Role) else entity.grants
    if grants is not None:
        problems = range_problems(grants.ip_ranges)
        if problems:
            raise InvalidRequest(f"grants.{problems[0]}.", param="grants.ip_ranges")
    return entity


def _check_fields(call: Call, kind: Kind, fields: dict[str, Any]) -> None:
    refused = unwritable(call.principal, kind, fields)
    if refused:
        raise Forbidden(f"You may not write {refused[0]!r} of a {kind}.", code="field_not_allowed", param=refused[0])


def _check_granted(call: Call, before: Entity | None, entity: Entity) -> None:
    """See that nobody gets a permission from somebody without it."""
    principal = call.principal
    if principal.admin:
        return
    if isinstance(entity, Role):
        asked = set(entity.permissions)
    else:
        had = set() if before is None else _roles(before)
        named = _roles(entity) - had - ({"member", "service"} if before is None else set())
        roles = call.gateway.keys.entities.roles
        asked = {one for role in named for one in permissions_of(role, principal.organisation, roles)}
    lacked = sorted(asked - principal.permissions)
    if lacked:
        raise Forbidden(f"You cannot grant {lacked[0]}, which you have not.", code="more_than_own", param="role")


def _roles(entity: Entity) -> set[str]:
    if isinstance(entity, User):
        return {entity.role, *entity.teams.values()}
    return {entity.role} if isinstance(entity, App) else set()


def _sentence(error: Exception) -> str:
    text = str(error)
    return text[:1].upper() + text[1:]


OPERATIONS = [operation for kind in KINDS for operation in operations(kind)]
