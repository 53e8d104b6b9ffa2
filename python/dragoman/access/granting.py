"""Nobody grants what they lack: what a key would have that whoever makes it has not."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from dragoman.access.declared import parse_time_ms
from dragoman.config.limiting import SECONDS

if TYPE_CHECKING:
    from dragoman.access.principal import Principal
    from dragoman.config.schema import Key

_CAPS = (
    "max_deadline_s",
    "max_retries",
    "max_request_usd",
    "requests_per_minute",
    "tokens_per_minute",
    "max_concurrent",
)
_FLAGS = ("allow_fallbacks", "allow_no_log", "allow_cache_knobs")
_PATTERNS = ("allow", "models", "providers", "mcp_servers", "surfaces", "without_guardrails")
_LOSSY = ("", "allow", "meaning", "strict")


def excess(maker: Principal, key: Key) -> list[str]:
    """The fields in which a key would be allowed more than its maker is, each with why.

    Patterns are compared by what they say: one is within another when the other matches it, its own wild characters
    taken for no others than wild ones.
    """
    found = [f"{name}: more than your own key has" for name in _PATTERNS if not _is_within(name, maker, key)]
    found += [f"{name}: your own key may not" for name in _FLAGS if getattr(key, name) and not getattr(maker, name)]
    for name in _CAPS:
        most, asked = getattr(maker, name), getattr(key, name)
        if most is not None and (asked is None or asked > most):
            found.append(f"{name}: your own key has {most:g}")
    if maker.budget_usd is not None and _is_more_money(maker.budget_usd, maker.budget_per, key):
        found.append(f"budget_usd: your own key has {maker.budget_usd:g} a {maker.budget_per}")
    if maker.ip_ranges and not (key.ip_ranges and all(_is_in(one, maker.ip_ranges) for one in key.ip_ranges)):
        found.append(f"ip_ranges: your own key may be used from {', '.join(maker.ip_ranges)} alone")
    if (
        maker.expires_at_ms is not None
        and not maker.is_login
        and (not key.expires or parse_time_ms(key.expires) > maker.expires_at_ms)
    ):
        found.append("expires: later than your own key")
    if _LOSSY.index(key.lossy) < _LOSSY.index(maker.lossy):
        found.append(f"lossy: your own key has {maker.lossy}")
    if key.admin and not maker.admin:
        found.append("admin: your own key has not")
    return found


def _is_within(name: str, maker: Principal, key: Key) -> bool:
    asked, had = getattr(key, name), getattr(maker, name)
    if name == "surfaces":  # none: all
        asked, had = asked or ("*",), had or ("*",)
    return "*" in had or all(any(covers(one, pattern) for one in had) for pattern in asked)


def covers(wider: str, pattern: str) -> bool:
    """Whether whatever a pattern matches, another matches as well; false where that cannot be told."""
    wild = {"*": "[^\x00]*", "?": "[^\x00]"}
    if "*" in pattern:
        wild["*"] = ".*"
        pattern = pattern.replace("*", "\x00")
    expression = "".join(wild.get(character, re.escape(character)) for character in wider)
    return re.fullmatch(expression, pattern, re.DOTALL) is not None


def _is_more_money(budget_usd: float, per: str, key: Key) -> bool:
    """Whether a key's budget is more than another's: of what is given once, never by waiting for more."""
    if key.budget_usd is None or (per == "ever" and key.budget_per != "ever"):
        return True
    if "ever" in (per, key.budget_per) or per == key.budget_per:
        return key.budget_usd > budget_usd
    year_s = 366 * SECONDS["day"]
    return key.budget_usd / SECONDS.get(key.budget_per, year_s) > budget_usd / SECONDS.get(per, year_s)


def _is_in(one: str, ranges: tuple[str, ...]) -> bool:
    network = ipaddress.ip_network(one, strict=False)
    for text in ranges:
        wider = ipaddress.ip_network(text, strict=False)
        if network.version == wider.version and network.subnet_of(wider):  # type: ignore[arg-type]
            return True
    return False
