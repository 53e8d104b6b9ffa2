"""Organisations, teams, users, apps and roles, in the database.

A change counts up the generation of the keys, in the same transaction: keys are what they are by these.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, and_, delete, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from dragoman.config.entities import KINDS, App, Entity, Kind, Organisation, Team, User, kind_of, organisation_of
from dragoman.errors import NameTaken, NotThere, StillUsed, StoreError
from dragoman.store.generation import count_up
from dragoman.store.tables import entities, keys

KEYS_GENERATION = "keys_generation"
_decoders = {kind: msgspec.json.Decoder(made) for kind, made in KINDS.items()}


def read_entities(connection: Connection, *where: ColumnElement[bool]) -> Iterator[Entity]:
    """All that are stored, or those of which something holds."""
    query = select(entities.c.kind, entities.c.body).where(*where)
    ordered = query.order_by(entities.c.kind, entities.c.organisation, entities.c.name)
    for kind, body in connection.execute(ordered):
        yield _decoders[kind].decode(bytes(body))


def list_entities(
    engine: Engine, kind: Kind, organisation: str | None = None, *, after: tuple[str, str] = ("", ""), limit: int = 1000
) -> list[Entity]:
    """Those of a kind, in order of organisation and name.

    :param organisation: of one; ``None``: of all.
    :param after: the organisation and the name of the last that is known already.

    Raises:
        StoreError: the database cannot be read.
    """
    at = entities.c
    later = (at.organisation > after[0]) | ((at.organisation == after[0]) & (at.name > after[1]))
    query = select(at.body).where(at.kind == kind, later).order_by(at.organisation, at.name).limit(limit)
    if organisation is not None:
        query = query.where(at.organisation == organisation)
    try:
        with engine.connect() as connection:
            return [_decoders[kind].decode(bytes(body)) for body in connection.execute(query).scalars()]
    except SQLAlchemyError as error:
        raise _unreadable(error) from error


def find_entity(engine: Engine, kind: Kind, organisation: str, name: str) -> Entity | None:
    """One of them, or ``None``. Raises ``StoreError``."""
    try:
        with engine.connect() as connection:
            return next(read_entities(connection, _is(kind, organisation, name)), None)
    except SQLAlchemyError as error:
        raise _unreadable(error) from error


def create_entity(engine: Engine, entity: Entity, *, now_ms: int) -> None:
    """Store a new one.

    Raises:
        NameTaken: there is one of that name already.
        NotThere: what it is to be in is not there.
        StoreError: the database does not take it.
    """
    kind, organisation = kind_of(entity), organisation_of(entity)
    row = {"kind": kind, "organisation": organisation, "name": entity.name, "body": msgspec.json.encode(entity)}
    try:
        with engine.begin() as connection:
            _check_places(connection, entity)
            connection.execute(insert(entities).values(row | {"created_at_ms": now_ms, "changed_at_ms": now_ms}))
            count_up(connection, KEYS_GENERATION)
    except IntegrityError as error:
        raise NameTaken(f"there is {_article(kind)} {kind} named {entity.name!r} already") from error
    except DBAPIError as error:
        raise StoreError(f"the {kind} cannot be stored: {error.orig}") from error


def change_entity(engine: Engine, before: Entity, entity: Entity, *, now_ms: int) -> bool:
    """Put one in the place of another of its name. False: that is not there, or was changed meanwhile.

    Raises:
        NotThere: what it is to be in is not there.
        StoreError: the database does not take it.
    """
    kind = kind_of(entity)
    values = {"body": msgspec.json.encode(entity), "changed_at_ms": now_ms}
    named = _is(kind, organisation_of(before), before.name) & (entities.c.body == msgspec.json.encode(before))
    try:
        with engine.begin() as connection:
            _check_places(connection, entity)
            changed = connection.execute(update(entities).where(named).values(values)).rowcount
            if changed:
                count_up(connection, KEYS_GENERATION)
    except DBAPIError as error:
        raise StoreError(f"the {kind} cannot be changed: {error.orig}") from error
    return bool(changed)


def remove_entity(engine: Engine, kind: Kind, organisation: str, name: str) -> bool:
    """Remove one. False: there is none of that name.

    Raises:
        StillUsed: something is in it yet, such as a key that is not revoked.
        StoreError: the database does not do it.
    """
    try:
        with engine.begin() as connection:
            _check_unused(connection, kind, organisation, name)
            removed = connection.execute(delete(entities).where(_is(kind, organisation, name))).rowcount
            if removed:
                count_up(connection, KEYS_GENERATION)
    except DBAPIError as error:
        raise StoreError(f"the {kind} cannot be removed: {error.orig}") from error
    return bool(removed)


def missing_places(connection: Connection, organisation: str, **names: str) -> list[str]:
    """What is named and is not there: ``team``, ``user``, ``app`` or ``role``, and the organisation."""
    wanted: list[tuple[str, str]] = [("organisation", organisation), *names.items()]
    return [
        f"{kind}: there is no {kind} {name!r}{f' in {organisation}' if organisation and kind != 'organisation' else ''}"
        for kind, name in wanted
        if name and not _exists(connection, entities.c.kind == kind, entities.c.name == name, _in(kind, organisation))
    ]


def _in(kind: str, organisation: str) -> ColumnElement[bool]:
    at = entities.c.organisation
    return at.in_([organisation, ""]) if kind == "role" else at == organisation


def _check_places(connection: Connection, entity: Entity) -> None:
    if isinstance(entity, Organisation):
        _check_tenant(connection, "team", entity.name)
        return
    if isinstance(entity, Team) and not entity.organisation:
        _check_tenant(connection, "organisation", entity.name)
    names = [{"team": entity.team}] if isinstance(entity, App) else [{}]
    if isinstance(entity, User):
        names = [{"team": team} for team in entity.teams] or [{}]
    missing = [problem for named in names for problem in missing_places(connection, entity.organisation, **named)]
    if missing:
        raise NotThere("; ".join(dict.fromkeys(missing)))


def _check_tenant(connection: Connection, other: Kind, name: str) -> None:
    """A team of no organisation is a tenant by its name, as an organisation is: two of a name would be one."""
    if _exists(connection, _is(other, name if other == "organisation" else "", name)):
        raise NameTaken(f"there is {_article(other)} {other} named {name!r}, of no organisation; choose another name")


def _check_unused(connection: Connection, kind: Kind, organisation: str, name: str) -> None:
    in_force: ColumnElement[bool] = keys.c.revoked_at_ms.is_(None) & (keys.c.organisation == organisation)
    if kind == "role" and not organisation:
        in_force = keys.c.revoked_at_ms.is_(None)
    if connection.execute(select(keys.c.id).where(in_force, keys.c[kind] == name).limit(1)).first():
        raise StillUsed(f"the {kind} {name!r} has keys that are not revoked")
    inside = [one for one in read_entities(connection, *_may_hold(kind, organisation)) if _is_in(one, kind, name)]
    if inside:
        raise StillUsed(f"the {kind} {name!r} is that of the {kind_of(inside[0])} {inside[0].name!r}")


def _may_hold(kind: Kind, organisation: str) -> list[ColumnElement[bool]]:
    return [] if kind == "role" and not organisation else [entities.c.organisation == organisation]


def _is_in(one: Entity, kind: Kind, name: str) -> bool:
    """Whether an entity of the same organisation refers to another."""
    teams = one.teams if isinstance(one, User) else {one.team: ""} if isinstance(one, App) else {}
    if kind == "role":
        return name in teams.values() or (isinstance(one, User | App) and one.role == name)
    return not isinstance(one, Organisation) if kind == "organisation" else kind == "team" and name in teams


def _is(kind: str, organisation: str, name: str) -> ColumnElement[bool]:
    at = entities.c
    return and_(at.kind == kind, at.organisation == organisation, at.name == name)


def _exists(connection: Connection, *where: ColumnElement[bool]) -> bool:
    return connection.execute(select(entities.c.name).where(*where).limit(1)).first() is not None


def _article(kind: str) -> str:
    return "an" if kind[0] in "aeiou" and kind != "user" else "a"


def _unreadable(error: SQLAlchemyError) -> StoreError:
    return StoreError(f"who there is cannot be read: {error.orig if isinstance(error, DBAPIError) else error}")
