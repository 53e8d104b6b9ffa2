"""What a key may do in the end: its own fields, within what its organisation, team, user and application grant."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from dragoman.access.roles import permissions_of
from dragoman.config.entities import App, Organisation, Role, Team, User, kind_of, organisation_of

if TYPE_CHECKING:
    from dragoman.access.principal import Principal
    from dragoman.config.entities import Entity, Grants

_LISTS = ("allow", "models", "providers", "mcp_servers", "surfaces", "without_guardrails", "ip_ranges")
_CAPS = ("max_deadline_s", "max_retries", "max_request_usd")
_FLAGS = ("allow_fallbacks", "allow_no_log", "allow_cache_knobs")
_LOSSY = ("", "allow", "meaning", "strict")


class Entities:
    """Who there is, by kind, organisation and name."""

    def __init__(self, entities: Iterable[Entity] = ()) -> None:
        self._known: dict[tuple[str, str, str], Entity] = {
            (kind_of(one), organisation_of(one), one.name): one for one in entities
        }
        self.roles = {(one.organisation, one.name): one for one in self._known.values() if isinstance(one, Role)}

    def find(self, kind: str, organisation: str, name: str) -> Any:
        """One of them, or ``None``."""
        return self._known.get((kind, organisation, name))

    def levels(self, principal: Principal) -> list[Organisation | Team | User | App]:
        """Those that a key is of, the widest first; one that is only a name grants everything."""
        at = principal.organisation
        found = (
            self.find("organisation", at, at),
            self.find("team", at, principal.team),
            self.find("user", at, principal.user),
            self.find("app", at, principal.app),
        )
        return [one for one in found if one is not None]


def within(principal: Principal, entities: Entities) -> Principal | None:
    """A key as it is among the entities; ``None``: one that it is of is disabled."""
    levels = entities.levels(principal)
    if any(level.disabled for level in levels):
        return None
    grants = tuple(level.grants for level in levels)
    permissions = _permissions(principal, levels, entities)
    if not grants and permissions == principal.permissions:
        return principal
    caps: dict[str, Any] = {name: _least(principal, grants, name) for name in _CAPS}
    flags = {name: all(getattr(one, name) for one in (principal, *grants)) for name in _FLAGS}
    lossy = max([principal.lossy, *(one.lossy for one in grants)], key=_LOSSY.index)
    return replace(principal, above=grants, permissions=permissions, lossy=lossy, **caps, **flags)


def _least(principal: Principal, grants: tuple[Grants, ...], name: str) -> float | None:
    given = [getattr(one, name) for one in (principal, *grants)]
    return min((value for value in given if value is not None), default=None)


def _permissions(
    principal: Principal, levels: list[Organisation | Team | User | App], entities: Entities
) -> frozenset[str]:
    """What the key's role allows, as far as its person's or its application's role does."""
    at = principal.organisation
    permissions = permissions_of(principal.role, at, entities.roles)
    for level in levels:
        if isinstance(level, App):
            permissions &= permissions_of(level.role, at, entities.roles)
        elif isinstance(level, User):
            permissions &= permissions_of(role_of(level, principal.team), at, entities.roles)
    return permissions


def role_of(user: User, team: str) -> str:
    """A person's role: in a team the one there, but no less than the organisation's where they have one in neither."""
    return user.teams.get(team, user.role) if team else user.role


def explained(principal: Principal, entities: Entities) -> list[dict[str, Any]]:
    """What each level above a key grants, and the key itself, the widest first."""
    levels = [
        {"level": kind_of(level), "name": level.name, "grants": _told(level.grants)}
        for level in entities.levels(principal)
    ]
    return [*levels, {"level": "key", "name": principal.name, "grants": _told(principal)}]


def _told(grants: Grants | Principal) -> dict[str, Any]:
    return {name: getattr(grants, name) for name in (*_LISTS, *_CAPS, *_FLAGS, "lossy")}
