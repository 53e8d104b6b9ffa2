"""Organisations, teams, users, apps and roles as types: what the admin API, commands and ``apply`` read and write."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, get_args

from msgspec import Meta

from dragoman.config.part import Part

Name = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@+-]*$(?!\n)")]
Reference = Annotated[str, Meta(max_length=128, pattern=r"^([A-Za-z0-9][A-Za-z0-9._:@+-]*)?$(?!\n)")]
Title = Annotated[str, Meta(max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)")]
Pattern = Annotated[str, Meta(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)")]
Patterns = Annotated[tuple[Pattern, ...], Meta(max_length=256)]
Metadata = Annotated[
    dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]], Meta(max_length=64)
]
EVERYTHING = ("*",)


class Grants(Part, frozen=True, kw_only=True, omit_defaults=True):
    """What those within may use, at most: what holds in the end is what every level above a key grants, and the key.

    Lists are of patterns: ``*`` and ``?`` are wild.
    """

    allow: Annotated[Patterns, "aliases"] = EVERYTHING
    models: Annotated[Patterns, "models at providers, as provider/model"] = EVERYTHING
    providers: Annotated[Patterns, "by name"] = EVERYTHING
    mcp_servers: Annotated[Patterns, "tool servers (MCP), by name"] = EVERYTHING
    surfaces: Annotated[Patterns, "what is asked for, such as chat"] = EVERYTHING
    without_guardrails: Annotated[Patterns, "guardrails that a key may be spared, by name"] = ()
    ip_ranges: Annotated[tuple[str, ...], Meta(max_length=256), "where keys may be used from; empty: anywhere"] = ()
    max_deadline_s: Annotated[float, Meta(gt=0)] | None = None
    max_retries: Annotated[int, Meta(ge=0)] | None = None
    max_request_usd: Annotated[float, Meta(gt=0, le=1_000_000)] | None = None
    allow_fallbacks: Annotated[bool, "requests may name fallbacks"] = True
    allow_no_log: Annotated[bool, "requests may ask not to be logged, where the key may"] = True
    allow_cache_knobs: Annotated[bool, "requests may say how answers are cached"] = True
    lossy: Annotated[Literal["", "allow", "meaning", "strict"], "no laxer than this"] = ""


class Organisation(Part, frozen=True, kw_only=True):
    """A tenant: nothing of one is seen by another."""

    name: Name
    title: Annotated[Title, "as people read it"] = ""
    grants: Grants = Grants()
    metadata: Metadata = {}
    disabled: Annotated[bool, "no key of it is served"] = False


class Team(Part, frozen=True, kw_only=True):
    """People and applications that share a purse."""

    name: Name
    organisation: Annotated[Reference, "empty: of none"] = ""
    title: Title = ""
    grants: Grants = Grants()
    metadata: Metadata = {}
    disabled: bool = False


class User(Part, frozen=True, kw_only=True):
    """A person."""

    name: Name
    organisation: Reference = ""
    title: Title = ""
    email: Annotated[str, Meta(max_length=256, pattern=r"^([^@\s]+@[^@\s]+)?$(?!\n)")] = ""
    role: Annotated[Reference, "in the organisation"] = "member"
    teams: Annotated[dict[Name, Name], Meta(max_length=256), "the role in each team"] = {}
    grants: Grants = Grants()
    metadata: Metadata = {}
    disabled: bool = False


class App(Part, frozen=True, kw_only=True):
    """A program that makes requests."""

    name: Name
    organisation: Reference = ""
    team: Annotated[Reference, "whose it is; empty: the organisation's"] = ""
    title: Title = ""
    role: Annotated[Reference, "the most that keys of it may have"] = "service"
    grants: Grants = Grants()
    metadata: Metadata = {}
    disabled: bool = False


class Role(Part, frozen=True, kw_only=True):
    """A list of permissions, beside those that are built in."""

    name: Name
    organisation: Annotated[Reference, "where it counts; empty: everywhere"] = ""
    title: Title = ""
    permissions: Annotated[tuple[Annotated[str, Meta(max_length=64)], ...], Meta(max_length=64)]


Entity: TypeAlias = Organisation | Team | User | App | Role
Kind = Literal["organisation", "team", "user", "app", "role"]
KINDS: dict[Kind, type[Organisation] | type[Team] | type[User] | type[App] | type[Role]] = dict(
    zip(get_args(Kind), (Organisation, Team, User, App, Role), strict=True)
)


def kind_of(entity: Entity) -> Kind:
    """What it is."""
    return next(kind for kind, made in KINDS.items() if type(entity) is made)


def organisation_of(entity: Entity) -> str:
    """The organisation that it is in: an organisation is in itself."""
    return entity.name if isinstance(entity, Organisation) else entity.organisation
