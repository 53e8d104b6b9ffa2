"""Who a request comes from, and what that one may do."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from dragoman.config.guards import AppliesTo
    from dragoman.config.limiting import Per

_MAX_REMEMBERED = 1024  # aliases come from clients: what is remembered of them is bounded


class Principal(Struct, frozen=True, kw_only=True):
    """The one behind a virtual key: names for attribution, aliases it may use, caps on what it may ask."""

    key_id: str
    name: str
    organisation: str = ""
    team: str = ""
    user: str = ""
    app: str = ""
    tags: tuple[str, ...] = ()
    admin: bool = False
    allow: tuple[str, ...] = ("*",)
    expires_at_ms: int | None = None
    max_deadline_s: float | None = None
    max_retries: int | None = None
    allow_fallbacks: bool = True
    allow_no_log: bool = False
    allow_cache_knobs: bool = True
    budget_usd: float | None = None
    budget_per: Per = "month"
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_concurrent: int | None = None
    max_request_usd: float | None = None
    lossy: str = ""  # the laxest policy that its requests may have; empty: as the configuration says
    _pattern: re.Pattern[str] | None = None
    _remembered: dict[str, bool] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        pattern = None if "*" in self.allow else alias_pattern(self.allow)
        msgspec.structs.force_setattr(self, "_pattern", pattern)

    @property
    def tenant(self) -> str:
        """Within whom names that clients choose are told apart: the organisation, else the team, else the key."""
        return self.organisation or self.team or self.key_id

    def may_use(self, alias: str) -> bool:
        """Whether the key's patterns allow the alias."""
        if self._pattern is None:
            return True
        known = self._remembered.get(alias)
        if known is None:
            if len(self._remembered) >= _MAX_REMEMBERED:
                self._remembered.clear()
            known = self._remembered[alias] = self._pattern.fullmatch(alias) is not None
        return known


def applies(to: AppliesTo, principal: Principal, alias: str) -> bool:
    """Whether a rule is for a request."""
    return (
        (not to.organisations or principal.organisation in to.organisations)
        and (not to.teams or principal.team in to.teams)
        and (not to.keys or principal.key_id in to.keys or principal.name in to.keys)
        and (not to.routes or alias in to.routes)
    )


def alias_pattern(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """One expression for all patterns. ``*`` stands for any characters, ``?`` for one, anything else for itself.

    ``fnmatch`` writes expressions that never go back over a ``*``, so no pattern makes a long alias slow.
    """
    expressions = [fnmatch.translate(pattern.replace("[", "[[]")) for pattern in patterns]
    return re.compile("|".join(expressions) or r"(?!)")


ANONYMOUS = Principal(key_id="", name="anonymous")
