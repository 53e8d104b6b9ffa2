"""Routes as they are used: tiers of members, each a deployment with one credential."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from msgspec import Struct

from dragoman.driver import OnLoop
from dragoman.errors import UpstreamAuth
from dragoman.identity.rotating import Unavailable
from dragoman.ledger.bound import Ceiling

if TYPE_CHECKING:
    from dragoman.config import schema
    from dragoman.config.caching import CacheMode, Semantic
    from dragoman.core import Exchange, Launcher, Reply, Target, Terms, Tier, TokenCounter
    from dragoman.dialects import dialect
    from dragoman.identity.signer import Signer
    from dragoman.usage.price import Finder, Fixed, Rates


# A request's path behind the base URL, its body, its headers.
Parcel = tuple[str, bytes, list[tuple[str, str]]]


class Deployment(Struct, frozen=True, kw_only=True):
    """A model at a provider."""

    name: str
    known_as: str  # to the balancer and in figures, where names that clients make up are few
    provider: str
    model: str
    domain: str
    timeouts: schema.Timeouts
    counter: TokenCounter
    find_rates: Finder | Fixed  # prices may change with the hour
    streams_usage: bool  # whether the provider takes stream_options.include_usage
    endpoints: frozenset[str]
    dialects: tuple[str, ...]  # that it speaks; requests of others are translated into the first
    written_for: dialect.Target
    fields: dict[str, Any] = {}  # that every request's JSON gets

    @property
    def rates(self) -> Rates | None:
        """What tokens cost now; ``None``: not known."""
        return self.find_rates()

    @property
    def rates_until_s(self) -> float:
        """Until which Unix time the rates hold. Ask this first, and then for them: they may change in between."""
        return self.find_rates.until_s


class Giver(Protocol):
    """Who gives an answer."""

    @property
    def provider(self) -> str:
        """Its name."""

    @property
    def model(self) -> str:
        """As the provider calls it."""

    @property
    def name(self) -> str:
        """The deployment's."""


def told_of(giver: Giver) -> list[tuple[str, str]]:
    """The headers of an answer that say who gave it."""
    return [
        ("x-dragoman-provider", giver.provider),
        ("x-dragoman-model", giver.model),
        ("x-dragoman-deployment", giver.name),
    ]


class Door(Struct, frozen=True, kw_only=True):
    """How a provider is reached with one credential."""

    base_url: str
    headers: list[tuple[str, str]]
    allow_private: bool
    proxy: str  # env, none or a URL
    ca_pem: bytes | None
    pins: list[bytes]


class Member(Struct, frozen=True, kw_only=True):
    """A deployment with one of its credentials: what the balancer chooses among."""

    index: int  # the balancer's
    deployment: Deployment
    credential: str
    target: Target
    door: Door  # the target's, for what is not sent through it
    elsewhere: dict[str, Target] = {}  # by dialects that are spoken at another base URL
    signer: Signer | None = None  # where a key is not enough
    is_limited: bool = False  # it takes so many requests at once, and no more

    @property
    def is_ready(self) -> bool:
        """Whether requests can be signed now."""
        return self.signer is None or self.signer.secret.current() is not None

    async def ready(self, deadline_s: float) -> None:
        """Wait until requests can be signed.

        Raises:
            UpstreamAuth: they cannot, or not in time.
        """
        if not self.is_ready:
            await OnLoop(self.ready_on_loop(deadline_s - monotonic()))

    async def ready_on_loop(self, seconds: float) -> None:
        """The same, for what runs on the event loop.

        Raises:
            UpstreamAuth: they cannot, or not in time.
        """
        if self.is_ready or self.signer is None:
            return
        try:
            await _fetched(self.signer, seconds)
        except (Unavailable, TimeoutError) as error:
            reason = str(error) or "the credentials were not there in time"
            raise UpstreamAuth(f"{self.deployment.provider} cannot be asked: {reason}.") from None

    def send(self, reply: Reply, parcel: Parcel, terms: Terms, *, spoken: str = "", method: str = "POST") -> Exchange:
        """Start an attempt.

        :param spoken: the dialect of what is sent; empty: the deployment's first.
        """
        target = self.elsewhere.get(spoken, self.target)
        path, body, headers = parcel
        if self.signer is not None:
            headers = headers + self.signer.headers(method, target.base_url + path, body)
        return target.send(reply, path, body, headers, terms)


async def _fetched(signer: Signer, seconds: float) -> None:
    await asyncio.wait_for(asyncio.to_thread(signer.secret.wait), seconds)


class PlanTier(Struct, frozen=True):
    """Members that are tried together."""

    tier: Tier
    members: dict[int, Member]
    launcher: Launcher | None = None  # sends what all of them take as it came


class Plan(Struct, frozen=True, kw_only=True):
    """What an alias stands for."""

    alias: str
    tiers: tuple[PlanTier, ...]
    retries: int
    deadline_s: float
    session_by: str
    keeps_sessions: bool = True  # together, at one deployment
    hedge: schema.Hedge | None
    semantic: Semantic | None = None  # answers to questions in other words; None: not
    cache: CacheMode | None = None  # None: as the configuration says for all
    answers_as: bytes = b""  # what tells it from plans whose answers are others
    limited: frozenset[int] = frozenset()  # members that may be full
    ceiling: Ceiling = Ceiling(())  # of what its requests may come to; made of the tiers

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "ceiling", Ceiling(priced_of(self.tiers)))

    @property
    def first(self) -> Deployment:
        """The deployment that counts and prices a request before one is chosen."""
        return next(iter(self.tiers[0].members.values())).deployment

    def extended(self, others: list[Plan]) -> Plan:
        """This plan, with the tiers of others after its own."""
        if not others:
            return self
        tiers = self.tiers + tuple(tier for other in others for tier in other.tiers)
        return Plan(
            alias=self.alias,
            tiers=tiers,
            retries=self.retries,
            deadline_s=self.deadline_s,
            session_by=self.session_by,
            keeps_sessions=any(plan.keeps_sessions for plan in (self, *others)),
            hedge=self.hedge,
            cache=self.cache,
            semantic=self.semantic,
            answers_as=b"\0".join(plan.answers_as for plan in (self, *others)),
            limited=limited_of(tiers),
        )


def priced_of(tiers: tuple[PlanTier, ...]) -> tuple[Deployment, ...]:
    """Of the deployments that a request may come to, those that differ in what it may come to there."""
    found: dict[tuple[Finder | Fixed, int | None], Deployment] = {}
    for tier in tiers:
        for member in tier.members.values():
            deployment = member.deployment
            found.setdefault((deployment.find_rates, deployment.written_for.max_output), deployment)
    return tuple(found.values())


def limited_of(tiers: tuple[PlanTier, ...]) -> frozenset[int]:
    """The members that take so many requests at once, and no more."""
    return frozenset(index for tier in tiers for index, one in tier.members.items() if one.is_limited)
