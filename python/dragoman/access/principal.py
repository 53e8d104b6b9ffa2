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
    from dragoman.config.entities import Grants
    from dragoman.config.guards import AppliesTo
    from dragoman.config.limiting import Per

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LOGIN_ID_PREFIX = "jwt:"
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
    models: tuple[str, ...] = ("*",)  # patterns of provider/model
    providers: tuple[str, ...] = ("*",)
    mcp_servers: tuple[str, ...] = ("*",)
    without_guardrails: tuple[str, ...] = ()  # patterns of guardrails that its requests are spared
    role: str = ""  # what it may do by the admin API; empty: nothing
    permissions: frozenset[str] = frozenset()  # the role's, as far as its owner has them
    above: tuple[Grants, ...] = ()  # what its organisation, team, user and app grant; caps are the least of all already
    parent: Principal | None = None  # the key that it was made by, and is held to the limits of
    lossy: str = ""  # the laxest policy that its requests may have; empty: as the configuration says
    _pattern: re.Pattern[str] | None = None
    _surface: re.Pattern[str] | None = None
    _model: re.Pattern[str] | None = None
    _provider: re.Pattern[str] | None = None
    _mcp_server: re.Pattern[str] | None = None
    _spared: re.Pattern[str] | None = None
    _networks: tuple[tuple[Network, ...], ...] = ()  # of each level that names any
    _remembered: dict[str, bool] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        above = self.above
        derived: dict[str, object] = {
            "_pattern": common_pattern([self.allow, *(level.allow for level in above)]),
            "_surface": common_pattern([self.surfaces or ("*",), *(level.surfaces for level in above)]),
            "_model": common_pattern([self.models, *(level.models for level in above)]),
            "_provider": common_pattern([self.providers, *(level.providers for level in above)]),
            "_mcp_server": common_pattern([self.mcp_servers, *(level.mcp_servers for level in above)]),
            "_networks": tuple(map(_networks, filter(None, [self.ip_ranges, *(level.ip_ranges for level in above)]))),
        }
        if self.without_guardrails:
            spared = common_pattern([self.without_guardrails, *(level.without_guardrails for level in above)])
            derived["_spared"] = spared or re.compile(".*")
        for name, value in derived.items():
            msgspec.structs.force_setattr(self, name, value)

    @property
    def is_login(self) -> bool:
        """Whether it is a token or a session, whose end is not that of what its person may do."""
        return self.key_id.startswith(LOGIN_ID_PREFIX)

    @property
    def tenant(self) -> str:
        """Within whom names that clients choose are told apart: the organisation, else the team, else the key."""
        return self.organisation or self.team or self.family

    @property
    def is_bound_to_places(self) -> bool:
        """Whether it may be used from some addresses alone."""
        return bool(self._networks)

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
        return all(any(address in network for network in networks) for networks in self._networks)

    def may_call(self, mcp_server: str) -> bool:
        """Whether the key may call the tools of a server."""
        return self._mcp_server is None or self._mcp_server.fullmatch(mcp_server) is not None

    def is_among(self, keys: tuple[str, ...]) -> bool:
        """Whether it, or a key that it descends from, is among these ids and names."""
        if self.key_id in keys or self.name in keys:
            return True
        return self.parent is not None and self.parent.is_among(keys)

    def permit(self, surface: str) -> None:
        """See that the key may use an endpoint.

        Raises:
            Forbidden: it may not.
        """
        if self._surface is not None and self._surface.fullmatch(surface) is None:
            raise Forbidden(f"This key may not be used for {surface}.", code="surface_not_allowed")

    @property
    def family(self) -> str:
        """The id of the key that it descends from: its own, if no key has made it."""
        return self.key_id if self.parent is None else self.parent.family

    @property
    def reaches_all(self) -> bool:
        """Whether it may use every provider and every model of theirs."""
        return self._model is None and self._provider is None

    @property
    def reach(self) -> tuple[str, str]:
        """What tells it from others in what it may reach."""
        return tuple("" if one is None else one.pattern for one in (self._provider, self._model))  # type: ignore[return-value]

    def may_reach(self, provider: str, model: str) -> bool:
        """Whether its requests may be sent to a model at a provider."""
        return (self._provider is None or self._provider.fullmatch(provider) is not None) and (
            self._model is None or self._model.fullmatch(f"{provider}/{model}") is not None
        )

    @property
    def spares(self) -> str:
        """What tells it from others in what its requests are spared."""
        return "" if self._spared is None else self._spared.pattern

    def is_spared(self, guardrail: str) -> bool:
        """Whether its requests are spared a guardrail."""
        return self._spared is not None and self._spared.fullmatch(guardrail) is not None

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
        and (not to.keys or principal.is_among(to.keys))
        and (not to.routes or alias in to.routes)
    )


def alias_pattern(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """One expression for all patterns. ``*`` stands for any characters, ``?`` for one, anything else for itself.

    ``fnmatch`` writes expressions that never go back over a ``*``, so no pattern makes a long alias slow.
    """
    expressions = [fnmatch.translate(pattern.replace("[", "[[]")) for pattern in patterns]
    return re.compile("|".join(expressions) or r"(?!)")


def common_pattern(lists: list[tuple[str, ...]]) -> re.Pattern[str] | None:
    """One expression for what every list of patterns has; ``None``: all have everything."""
    narrow = [patterns for patterns in dict.fromkeys(lists) if "*" not in patterns]
    if not narrow:
        return None
    *others, last = [alias_pattern(patterns).pattern for patterns in narrow]
    return re.compile("".join(f"(?={other})" for other in others) + f"(?:{last})")


def _networks(ranges: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(one, strict=False) for one in ranges)


ANONYMOUS = Principal(key_id="", name="anonymous")
