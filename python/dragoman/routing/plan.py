"""Routes as they are used: tiers of members, each a deployment with one credential."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from dragoman.config import schema
    from dragoman.core import Target, Tier, TokenCounter
    from dragoman.dialects import dialect
    from dragoman.usage.price import Rates


class Deployment(Struct, frozen=True, kw_only=True):
    """A model at a provider."""

    name: str
    known_as: str  # to the balancer and in figures, where names that clients make up are few
    provider: str
    model: str
    domain: str
    timeouts: schema.Timeouts
    counter: TokenCounter
    find_rates: Callable[[], Rates | None]  # prices may change with the hour
    streams_usage: bool  # whether the provider takes stream_options.include_usage
    endpoints: frozenset[str]
    dialects: tuple[str, ...]  # that it speaks; requests of others are translated into the first
    written_for: dialect.Target

    @property
    def rates(self) -> Rates | None:
        """What tokens cost now; ``None``: not known."""
        return self.find_rates()


class Member(Struct, frozen=True, kw_only=True):
    """A deployment with one of its credentials: what the balancer chooses among."""

    index: int  # the balancer's
    deployment: Deployment
    credential: str
    target: Target
    elsewhere: dict[str, Target] = {}  # by dialects that are spoken at another base URL


class PlanTier(Struct, frozen=True):
    """Members that are tried together."""

    tier: Tier
    members: dict[int, Member]


class Plan(Struct, frozen=True, kw_only=True):
    """What an alias stands for."""

    alias: str
    tiers: tuple[PlanTier, ...]
    retries: int
    deadline_s: float
    session_by: str
    hedge: schema.Hedge | None

    @property
    def first(self) -> Deployment:
        """The deployment that counts and prices a request before one is chosen."""
        return next(iter(self.tiers[0].members.values())).deployment

    def extended(self, others: list[Plan]) -> Plan:
        """This plan, with the tiers of others after its own."""
        tiers = self.tiers + tuple(tier for other in others for tier in other.tiers)
        return Plan(
            alias=self.alias,
            tiers=tiers,
            retries=self.retries,
            deadline_s=self.deadline_s,
            session_by=self.session_by,
            hedge=self.hedge,
        )
