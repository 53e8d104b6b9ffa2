"""Who a request comes from, and what that one may do."""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from dragoman.errors import Forbidden

if TYPE_CHECKING:
    from dragoman.config.guards import AppliesTo
    from dragoman.config.limiting import Per

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
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
    ip_ranges: tuple[str, ...] = ()  # that it may be used from; empty: anywhere
    surfaces: tuple[str, ...] = ()  # patterns of endpoints that it may use; empty: all
    lossy: str = ""  # the laxest policy that its requests may have; empty: as the configuration says
    _pattern: re.Pattern[str] | None = None
    _surface: re.Pattern[str] | None = None
    _networks: tuple[Network, ...] = ()
    _remembered: dict[str, bool] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        pattern = None if "*" in self.allow else alias_pattern(self.allow)
        msgspec.structs.force_setattr(self, "_pattern", pattern)
        surface = alias_pattern(self.surfaces) if self.surfaces else None
        msgspec.structs.force_setattr(self, "_surface", surface)
        networks = tuple(ipaddress.ip_network(one, strict=False) for one in self.ip_ranges)
        msgspec.structs.force_setattr(self, "_networks", networks)

    @property
    def tenant(self) -> str:
        """Within whom names that clients choose are told apart: the organisation, else the team, else the key."""
        return self.organisation or self.team or self.key_id

    def may_come_from(self, client: str) -> bool:
        """Whether the key may be used from an address.

        :param client: as the server has it, with its port.
        """
        if not self._networks:
            return True
        try:
            address = ipaddress.ip_address(client.rpartition(":")[0].strip("[]"))
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)

    def permit(self, surface: str) -> None:
        """See that the key may use an endpoint.

        Raises:
            Forbidden: it may not.
        """
        if self._surface is not None and self._surface.fullmatch(surface) is None:
            raise Forbidden(f"This key may not be used for {surface}.", code="surface_not_allowed")

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
