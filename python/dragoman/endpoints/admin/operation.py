"""What the admin API is made of: operations, each a row of a table with its path, its permission and its types."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

from dragoman.access.roles import may
from dragoman.errors import Forbidden, NotFound, PreconditionFailed

if TYPE_CHECKING:
    from dragoman.access.principal import Principal
    from dragoman.gateway import Gateway

ROOT = "/admin/v1"
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
MOST_LISTED = 200


class Page(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which part of a list is wanted."""

    organisation: str | None = None
    limit: int = 50
    after: str = ""


class Place(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where what is named is."""

    organisation: str | None = None


class Nothing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No query."""


class Deleted(Struct, frozen=True, kw_only=True):
    """Something is gone."""

    object: str
    id: str
    deleted: bool = True


class Answer(Struct, frozen=True):
    """What an operation answers with."""

    body: Any
    etag: str = ""
    content_type: str = "application/json"


class Call(Struct, frozen=True, kw_only=True):
    """One request to the admin API."""

    gateway: Gateway
    principal: Principal
    params: dict[str, str]
    query: Any
    body: Any
    if_match: str
    record: Callable[..., None]
    """Puts an act on record, durably, before it is done: its kind, and what it is about."""

    def demand(self, permission: str) -> None:
        """See that whoever asks may do something.

        Raises:
            Forbidden: they may not.
        """
        if not may(self.principal, permission):
            raise Forbidden(f"This needs the permission {permission}.", code="permission_denied")

    def organisation(self, named: str | None) -> str:
        """The organisation that something is about: the one that is named, if it is theirs.

        Raises:
            NotFound: it is another's.
        """
        own = self.principal.organisation
        if self.principal.admin:
            return own if named is None else named
        if named is not None and named != own:
            raise missing("organisation", named)
        return own

    def hold_to(self, etag: str) -> None:
        """See that a thing is as whoever asks has read it.

        Raises:
            PreconditionFailed: it has changed.
        """
        if self.if_match and self.if_match != "*" and etag not in [one.strip() for one in self.if_match.split(",")]:
            raise PreconditionFailed("It has changed since it was read; read it again.", param="if-match")


class Operation(Struct, frozen=True, kw_only=True, dict=True):
    """One of the admin API's: ``path`` has its parameters in braces.

    ``permissions`` are those of which one is needed, before anything else is looked at; what more a field needs, or
    where it may be done, the operation sees to.
    """

    id: str
    method: Method
    path: str
    summary: str
    permissions: tuple[str, ...]
    run: Callable[[Call], Answer]
    answer: Any
    query: type[Struct] = Nothing
    body: Any = None
    status: int = 200
    other_types: tuple[str, ...] = ()  # that it may answer in beside JSON
    tag: str = ""
    is_slash_free: bool = True  # whether its parameters are segments of a path

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What its path looks like."""
        segment = "[^/]+" if self.is_slash_free else ".+"
        return re.compile(re.sub(r"\\{(\w+)\\}", rf"(?P<\1>{segment})", re.escape(ROOT + self.path)))


def etag_of(shown: Any) -> str:
    """What tells one state of a thing from another."""
    return f'"{sha256(msgspec.json.encode(shown, order="deterministic")).hexdigest()[:24]}"'


def missing(kind: str, name: str) -> NotFound:
    """Something is not there, or is another's: nobody can tell which."""
    return NotFound(f"There is no {kind} {name!r}.", code=f"{kind}_not_found")
