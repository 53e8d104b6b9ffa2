"""What may be done by the admin API: permissions, the roles that are built in, and who may write which field.

Nothing is allowed that no permission names. A role counts in the organisation that its holder is in, and within a team
if the key is one of a team; what is elsewhere is not refused but not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dragoman.access.principal import Principal
    from dragoman.config.entities import Role

PERMISSIONS = {
    "organisations.read": "see the organisation",
    "organisations.write": "change the organisation",
    "teams.read": "see teams",
    "teams.write": "make, change and remove teams",
    "users.read": "see people",
    "users.write": "add, change and remove people",
    "apps.read": "see applications",
    "apps.write": "make, change and remove applications",
    "keys.read": "see keys",
    "keys.write": "make, change and revoke keys",
    "keys.own": "see, make, change and revoke keys of one's own, or of one's own application",
    "roles.read": "see roles",
    "roles.write": "make, change and remove roles",
    "roles.grant": "say which role a person, an application or a key has",
    "grants.write": "say what may be used",
    "limits.read": "see limits and budgets",
    "limits.write": "set limits and budgets",
    "usage.read": "see what was used and what it cost",
    "audit.read": "search the audit log",
    "audit.content": "read prompts and answers that are kept",
    "requests.explain": "be told how a request would be routed",
}
_ALL = frozenset(PERMISSIONS)
_READ = frozenset(name for name in PERMISSIONS if name.endswith(".read"))
ROLES: dict[str, frozenset[str]] = {
    "owner": _ALL,
    "admin": _ALL - {"organisations.write", "roles.write", "audit.content"},
    "auditor": _READ,
    "member": frozenset({"teams.read", "apps.read", "keys.own"}),
    "viewer": _READ - {"audit.read"},
    "service": frozenset({"keys.own"}),
}
"""Those that every organisation has."""

_KEY_GRANTS = (
    *("allow", "models", "providers", "mcp_servers", "surfaces", "without_guardrails", "ip_ranges", "lossy"),
    *("max_deadline_s", "max_retries", "allow_fallbacks", "allow_no_log", "allow_cache_knobs"),
)
_KEY_LIMITS = (
    *("budget_usd", "budget_per", "max_request_usd"),
    *("requests_per_minute", "tokens_per_minute", "max_concurrent"),
)
_NAMED = ("name", "title", "metadata", "disabled")
_KEY_NAMED = ("name", "organisation", "team", "user", "app", "tags", "expires", "disabled")
_FIELDS: dict[str, dict[str, tuple[str, ...]]] = {
    "organisation": {"organisations.write": _NAMED},
    "team": {"teams.write": (*_NAMED, "organisation"), "grants.write": ("grants",)},
    "user": {
        "users.write": (*_NAMED, "organisation", "email"),
        "roles.grant": ("role", "teams"),
        "grants.write": ("grants",),
    },
    "app": {
        "apps.write": (*_NAMED, "organisation", "team"),
        "roles.grant": ("role",),
        "grants.write": ("grants",),
    },
    "role": {"roles.write": ("name", "organisation", "title", "permissions")},
    "key": {
        "keys.write": _KEY_NAMED,
        "grants.write": _KEY_GRANTS,
        "limits.write": _KEY_LIMITS,
        "roles.grant": ("role",),
    },
}
FIELDS: dict[str, dict[str, str]] = {
    kind: {field: permission for permission, fields in table.items() for field in fields}
    for kind, table in _FIELDS.items()
}
"""Which permission lets a field be written, by kind. A field that is not here, nobody may write."""
OWN_KEY_FIELDS = frozenset((*_KEY_NAMED, *_KEY_GRANTS, *_KEY_LIMITS)) - {"without_guardrails", "allow_no_log"}
"""What ``keys.own`` lets be written of one's own keys; nothing of it can be more than one has."""


def permissions_of(name: str, organisation: str, roles: Mapping[tuple[str, str], Role]) -> frozenset[str]:
    """A role's permissions; none, where there is no such role.

    :param roles: those that are not built in, by organisation and name.
    """
    if name in ROLES:
        return ROLES[name]
    role = roles.get((organisation, name)) or roles.get(("", name))
    return frozenset() if role is None else _ALL.intersection(role.permissions)


def may(principal: Principal, permission: str) -> bool:
    """Whether somebody may do something where they are."""
    return principal.admin or permission in principal.permissions


def is_within(principal: Principal, organisation: str, teams: Iterable[str]) -> bool:
    """Whether what is of an organisation, and of any of these teams, is where somebody may look.

    :param teams: none, for what is the organisation's.
    """
    if principal.admin:
        return True
    if organisation != principal.organisation:
        return False
    return not principal.team or principal.team in set(teams)


def unwritable(principal: Principal, kind: str, fields: Iterable[str]) -> list[str]:
    """The fields that somebody may not write."""
    if principal.admin:
        return []
    table = FIELDS[kind]
    return [field for field in fields if table.get(field) not in principal.permissions]
