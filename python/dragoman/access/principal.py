"""Who a request comes from, and what that one may do."""

from __future__ import annotations

import fnmatch
import re

import msgspec
from msgspec import Struct

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
    lossy: str = ""  # the laxest policy that its requests may have; empty: as the configuration says
    _pattern: re.Pattern[str] | None = None
    _remembered: dict[str, bool] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        pattern = None if "*" in self.allow else alias_pattern(self.allow)
        msgspec.structs.force_setattr(self, "_pattern", pattern)

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


def alias_pattern(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """One expression for all patterns. ``*`` stands for any characters, ``?`` for one, anything else for itself.

    ``fnmatch`` writes expressions that never go back over a ``*``, so no pattern makes a long alias slow.
    """
    expressions = [fnmatch.translate(pattern.replace("[", "[[]")) for pattern in patterns]
    return re.compile("|".join(expressions) or r"(?!)")


ANONYMOUS = Principal(key_id="", name="anonymous")
