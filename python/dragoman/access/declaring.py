"""From what is stored to what is declared: the changes, shown before they are made."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

from dragoman.access.roles import PERMISSIONS, ROLES
from dragoman.config.entities import KINDS, kind_of, organisation_of
from dragoman.errors import ConfigError, StoreError
from dragoman.store.entities import change_entity, create_entity, list_entities, remove_entity
from dragoman.store.limits import list_limits, remove_limit, set_limit

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from dragoman.config.declaration import Declaration
    from dragoman.config.entities import Entity
    from dragoman.config.limiting import Limit

MOST_STORED = 100_000


class Change(Struct, frozen=True, kw_only=True):
    """Something that is to be made, changed or removed."""

    verb: Literal["create", "change", "remove"]
    kind: str
    organisation: str = ""
    name: str
    before: Any = None
    after: Any = None

    @property
    def act(self) -> str:
        """What it is on record as."""
        if self.kind == "limit":
            return "limit.remove" if self.verb == "remove" else "limit.set"
        return f"{self.kind}.{'delete' if self.verb == 'remove' else self.verb}"

    @property
    def lines(self) -> list[str]:
        """It in words: a line, and one for each field that changes."""
        sign = {"create": "+", "change": "~", "remove": "-"}[self.verb]
        of = f" in {self.organisation}" if self.organisation and self.kind != "organisation" else ""
        return [f"{sign} {self.kind} {self.name}{of}", *(f"    {field}" for field in self._fields())]

    def _fields(self) -> Iterator[str]:
        before = {} if self.before is None else flat(self.before)
        after = {} if self.after is None else flat(self.after)
        if self.verb == "remove":
            return
        for field in sorted(before.keys() | after.keys()):
            was, will = before.get(field, "(default)"), after.get(field, "(default)")
            if self.verb == "create" and field not in ("name", "organisation"):
                yield f"{field}: {will}"
            elif self.verb == "change" and was != will:
                yield f"{field}: {was} -> {will}"


def flat(value: Struct) -> dict[str, str]:
    """The fields that are not as they are by default, those of parts with a dot."""
    found = {}
    for one in msgspec.structs.fields(type(value)):
        inner = getattr(value, one.name)
        if isinstance(inner, Struct):
            found.update({f"{one.name}.{name}": text for name, text in flat(inner).items()})
        elif inner != (one.default if one.default_factory is msgspec.NODEFAULT else one.default_factory()):
            found[one.name] = msgspec.json.encode(inner).decode()
    return found


def changes(engine: Engine, declaration: Declaration, *, prune: bool = False) -> list[Change]:
    """What is to be done, in the order in which it can be.

    :param prune: remove what is stored and not declared.

    Raises:
        ConfigError: something declared cannot be.
        StoreError: the database cannot be read.
    """
    _check(declaration)
    wanted = {_key(one): one for one in declaration.entities}
    stored = {_key(one): one for kind in KINDS for one in list_entities(engine, kind, limit=MOST_STORED)}
    found = [_of_entity(stored.get(key), one) for key, one in wanted.items() if stored.get(key) != one]
    limits = list_limits(engine)
    found += [
        _of_limit(name, limits.get(name), limit)
        for name, limit in declaration.limits.items()
        if limits.get(name) != limit
    ]
    if prune:
        found += [_of_limit(name, limit, None) for name, limit in limits.items() if name not in declaration.limits]
        gone = [one for key, one in stored.items() if key not in wanted]
        order = ("app", "user", "team", "role", "organisation")
        gone.sort(key=lambda one: order.index(kind_of(one)))
        found += [_of_entity(one, None) for one in gone]
    return found


def make(engine: Engine, change: Change) -> None:
    """Make a change.

    Raises:
        StoreError: it cannot be made, or what is stored has changed meanwhile.
    """
    now_ms = time.time_ns() // 1_000_000
    if change.kind == "limit":
        if change.after is None:
            remove_limit(engine, change.name)
        else:
            set_limit(engine, change.name, change.after, now_ms=now_ms)
    elif change.before is None:
        create_entity(engine, change.after, now_ms=now_ms)
    elif change.after is None:
        remove_entity(engine, kind_of(change.before), change.organisation, change.name)
    elif not change_entity(engine, change.before, change.after, now_ms=now_ms):
        raise StoreError(f"the {change.kind} {change.name!r} was changed by another meanwhile; try again")


def _check(declaration: Declaration) -> None:
    problems = [
        f"{kind} {name!r}: is declared twice"
        for kind, organisation, name in _twice([_key(one) for one in declaration.entities])
    ]
    for role in declaration.roles:
        if role.name in ROLES:
            problems.append(f"role {role.name!r}: is built in; choose another name")
        unknown = sorted(set(role.permissions) - PERMISSIONS.keys())
        problems += [f"role {role.name!r}: permissions: {name!r} is none" for name in unknown]
    if problems:
        raise ConfigError(problems)


def _twice(keys: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    return sorted({key for key in keys if keys.count(key) > 1})


def _key(one: Entity) -> tuple[str, str, str]:
    return kind_of(one), organisation_of(one), one.name


def _of_entity(before: Entity | None, after: Entity | None) -> Change:
    one = after or before
    assert one is not None  # noqa: S101 - one of both is there
    kind, organisation, name = _key(one)
    return Change(
        verb=_verb(before, after), kind=kind, organisation=organisation, name=name, before=before, after=after
    )


def _of_limit(name: str, before: Limit | None, after: Limit | None) -> Change:
    return Change(verb=_verb(before, after), kind="limit", name=name, before=before, after=after)


def _verb(before: object, after: object) -> Literal["create", "change", "remove"]:
    return "create" if before is None else "change" if after is not None else "remove"
