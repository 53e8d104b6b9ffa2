"""Keys that keys make, for agents: short-lived, never more than their parent has, and held to its limits as well."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Struct

from dragoman.access.granting import excess
from dragoman.config.limiting import Dollars, Per
from dragoman.config.schema import Key
from dragoman.errors import Forbidden

if TYPE_CHECKING:
    from dragoman.access.principal import Principal

MOST_SECONDS = 86_400
MOST_GENERATIONS = 4
MOST_LIVING = 1000
"""Children of one key at a time."""
_INHERITED = (
    *("organisation", "team", "user", "app", "allow", "models", "providers", "mcp_servers", "surfaces", "ip_ranges"),
    *("max_deadline_s", "max_retries", "max_request_usd", "without_guardrails", "lossy"),
    *("allow_fallbacks", "allow_no_log", "allow_cache_knobs"),
)

Names = tuple[Annotated[str, Meta(min_length=1, max_length=256)], ...]
Whole = Annotated[int, Meta(ge=1)]


class Wanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a child is to have; what is not said is as its parent has it."""

    name: Annotated[str, Meta(max_length=64)] = ""
    ttl_s: Annotated[int, Meta(ge=1, le=MOST_SECONDS)] = 3600
    allow: Names | None = None
    models: Names | None = None
    providers: Names | None = None
    mcp_servers: Names | None = None
    surfaces: Names | None = None
    ip_ranges: Names | None = None
    tags: Names = ()
    budget_usd: Dollars | None = None
    budget_per: Per = "ever"
    requests_per_minute: Whole | None = None
    tokens_per_minute: Whole | None = None
    max_concurrent: Whole | None = None
    max_request_usd: Dollars | None = None
    max_deadline_s: Annotated[float, Meta(gt=0)] | None = None
    max_retries: Annotated[int, Meta(ge=0)] | None = None


def child_of(parent: Principal, wanted: Wanted, name: str, expires: str) -> Key:
    """The key that a parent may make.

    :param expires: RFC 3339.

    Raises:
        Forbidden: it would have more than its parent, or its parent may make none.
    """
    if generation(parent) >= MOST_GENERATIONS:
        message = f"Keys make keys for {MOST_GENERATIONS} generations, and this key is of the last."
        raise Forbidden(message, code="too_many_generations")
    asked = {field: value for field, value in msgspec.structs.asdict(wanted).items() if value not in (None, ())}
    given: dict[str, Any] = {field: value for field, value in asked.items() if field in Key.__struct_fields__}
    inherited = {field: getattr(parent, field) for field in _INHERITED}
    tags = tuple(sorted({*parent.tags, *wanted.tags}))
    key = Key(**inherited | given | {"name": name, "expires": expires, "tags": tags})
    # A limit that is not given is its parent's: both are held to that.
    more = [problem for problem in excess(parent, key) if problem.partition(":")[0] in given]
    if more:
        raise Forbidden(f"A key makes none that may do more than itself: {'; '.join(more)}.", param=_field(more[0]))
    return key


def generation(principal: Principal) -> int:
    """How many keys stand above a key."""
    return 0 if principal.parent is None else 1 + generation(principal.parent)


def _field(problem: str) -> str:
    found = re.match(r"\w+", problem)
    return found[0] if found else ""
