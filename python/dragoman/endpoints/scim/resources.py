"""Users and groups as SCIM has them (RFC 7643), to and from users and teams."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from dragoman.config.entities import Team, User
from dragoman.endpoints.scim.messages import ScimError

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
EXTERNAL = "scim.externalId"
MEMBER = "member"
Resource = dict[str, Any]
_Made = TypeVar("_Made")


def shown_user(user: User, root: str) -> Resource:
    """A user as a directory sees it."""
    shown: Resource = {
        "schemas": [USER],
        "id": user.name,
        "userName": user.name,
        "active": not user.disabled,
        "displayName": user.title,
        "name": {"formatted": user.title},
        "emails": [{"value": user.email, "type": "work", "primary": True}] if user.email else [],
        "groups": [{"value": team, "display": team} for team in user.teams],
        "meta": {"resourceType": "User", "location": f"{root}/Users/{user.name}"},
    }
    return _with_external(shown, user)


def shown_group(team: Team, members: list[str], root: str) -> Resource:
    """A team as a directory sees it."""
    shown: Resource = {
        "schemas": [GROUP],
        "id": team.name,
        "displayName": team.title or team.name,
        "members": [{"value": name, "display": name, "$ref": f"{root}/Users/{name}"} for name in members],
        "meta": {"resourceType": "Group", "location": f"{root}/Groups/{team.name}"},
    }
    return _with_external(shown, team)


def _with_external(shown: Resource, entity: User | Team) -> Resource:
    external = entity.metadata.get(EXTERNAL)
    return shown if external is None else shown | {"externalId": external}


def read_user(resource: Resource, organisation: str, before: User | None = None) -> User:
    """The user that a directory says; what it says nothing of stays as it was.

    Raises:
        ScimError: it is none, or has another name now.
    """
    name = _text(resource, "userName") or ("" if before is None else before.name)
    if before is not None and name != before.name:
        raise ScimError("userName cannot be changed; make another user.", 400, "mutability")
    fields: dict[str, Any] = {} if before is None else msgspec.to_builtins(before)
    fields |= {"name": name, "organisation": organisation}
    formatted = resource.get("name")
    title = _text(resource, "displayName") or (_full_name(formatted) if isinstance(formatted, dict) else "")
    if title or "displayName" in resource:
        fields["title"] = title[:256]
    if "emails" in resource:
        fields["email"] = _email(resource["emails"])
    if "active" in resource:
        fields["disabled"] = not _flag(resource["active"], "active")
    fields["metadata"] = _metadata(fields.get("metadata", {}), resource)
    return _made(fields, User)


def read_group(resource: Resource, organisation: str, before: Team | None = None) -> Team:
    """The team that a directory says.

    Raises:
        ScimError: it is none.
    """
    title = _text(resource, "displayName") or ("" if before is None else before.title)
    if not title:
        raise ScimError("displayName is missing.", 400, "invalidValue")
    fields: dict[str, Any] = {"name": slug_of(title)} if before is None else msgspec.to_builtins(before)
    fields |= {"organisation": organisation, "title": title[:256]}
    fields["metadata"] = _metadata(fields.get("metadata", {}), resource)
    return _made(fields, Team)


def members_of(resource: Resource) -> list[str] | None:
    """Whom a group is said to have; ``None``: nothing is said.

    Raises:
        ScimError: it is no list of members.
    """
    if "members" not in resource:
        return None
    members = resource["members"] or []
    if not isinstance(members, list) or not all(isinstance(one, dict) for one in members):
        raise ScimError("members is no list of members.", 400, "invalidValue")
    return list(dict.fromkeys(str(one.get("value", "")) for one in members))


def slug_of(title: str) -> str:
    """A team's name for a group's: letters, digits and hyphens."""
    return re.sub(r"[^A-Za-z0-9._:@+-]+", "-", title).strip("-.")[:128].lower()


def with_team(user: User, team: str, *, is_member: bool) -> User:
    """A user in a team, or out of it; a role there stays."""
    if is_member:
        return user if team in user.teams else replace(user, teams=user.teams | {team: MEMBER})
    return replace(user, teams={name: role for name, role in user.teams.items() if name != team})


def _made(fields: dict[str, Any], into: type[_Made]) -> _Made:
    try:
        return msgspec.convert(fields, into)
    except msgspec.ValidationError as error:
        raise ScimError(f"{error}.", 400, "invalidValue") from None


def _text(resource: Resource, name: str) -> str:
    value = resource.get(name)
    if value is not None and not isinstance(value, str):
        raise ScimError(f"{name} is no text.", 400, "invalidValue")
    return value or ""


def _full_name(name: Resource) -> str:
    parts = [name.get(part) for part in ("givenName", "familyName")]
    return str(name.get("formatted") or " ".join(str(part) for part in parts if part))


def _email(emails: Any) -> str:
    found = [one for one in emails if isinstance(one, dict)] if isinstance(emails, list) else []
    found.sort(key=lambda one: one.get("primary") is not True)
    return str(found[0].get("value", "")) if found else ""


def _flag(value: Any, name: str) -> bool:
    if isinstance(value, str) and value.lower() in ("true", "false"):  # as Entra sends it
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise ScimError(f"{name} is neither true nor false.", 400, "invalidValue")
    return value


def _metadata(known: dict[str, str], resource: Resource) -> dict[str, str]:
    external = _text(resource, "externalId")
    return known | {EXTERNAL: external[:512]} if external else known
