"""From a configuration to plans: what a request needs is looked up here, once a snapshot, and not on its way.

Connections and the balancer's memory are kept from one snapshot to the next: a target is built anew only where its URL,
headers or connection options have changed.
"""

from __future__ import annotations

import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from dragoman.config.pins import read_pin
from dragoman.config.resolve import REHEARSAL, deployment_for
from dragoman.config.schema import Credential, Price, Provider
from dragoman.core import TokenCounter
from dragoman.dialects import dialect
from dragoman.dialects.continuity import family_of
from dragoman.errors import ConfigError, Forbidden, InvalidRequest, NotFound
from dragoman.guardrails.build import Guardrails, build_guardrails
from dragoman.guardrails.prompts.build import PromptControls
from dragoman.identity.signer import Signer, signer_for
from dragoman.providers.abilities import Abilities, abilities_of
from dragoman.providers.catalogue import OPENAI, Row, row
from dragoman.routing.launch import launcher_of
from dragoman.routing.plan import Deployment, Door, Member, Plan, PlanTier, limited_of
from dragoman.usage.price import UNPRICED, Fixed, rates_of
from dragoman.usage.row import Tokens

if TYPE_CHECKING:
    from dragoman._core import _Connecting
    from dragoman.access.principal import Principal
    from dragoman.config import schema
    from dragoman.config.schema import Config
    from dragoman.core import Balancer, Target, Upstream
    from dragoman.usage.price import Finder, Prices, Rates

# Plans for "provider/model" names, which clients make up: no more than this are remembered.
MAX_IMPLICIT = 1024
MAX_ALIAS_CHARS = 512
FREE = Price(input_usd_mtok=0, output_usd_mtok=0)
ALL_ENDPOINTS = frozenset({"chat", "completions", "embeddings"})


class Snapshot(Struct, frozen=True, kw_only=True):
    """One generation of the configuration, as requests use it."""

    number: int
    config: Config
    builder: Builder
    built_at_s: int
    plans: dict[str, Plan]
    implicit: dict[str, Plan]
    narrowed: dict[tuple[str, str, str], Plan]  # by alias, and what of providers and models a key may use
    guardrails: Guardrails
    prompts: PromptControls

    def alias_of(self, named: str) -> str:
        """The alias of a deployment, or of any model of a provider, that is named instead of a model."""
        return f"{named}/*" if named not in self.plans and named in self.config.providers else named

    def plan(self, alias: str, fallbacks: tuple[str, ...], principal: Principal) -> Plan:
        """The plan for an alias, with the fallbacks that the request names behind it.

        Raises:
            InvalidRequest: no alias is as long.
            NotFound: no such alias.
            Forbidden: the key may not use it.
        """
        plan = self._one(alias, principal)
        if not fallbacks:
            return plan
        return plan.extended([self._one(name, principal) for name in fallbacks])

    def _one(self, alias: str, principal: Principal) -> Plan:
        if len(alias) > MAX_ALIAS_CHARS:
            message = f"A model's name has at most {MAX_ALIAS_CHARS} characters."
            raise InvalidRequest(message, code="invalid_value", param="model")
        if not principal.may_use(alias):
            raise _not_allowed(alias)
        plan = self.plans.get(alias) or self.implicit.get(alias)
        if plan is None:
            plan = self.builder.implicit(alias, self.config)
            if plan is None:
                message = f"The model {alias!r} does not exist here. GET /v1/models lists those that do."
                raise NotFound(message, code="model_not_found", param="model")
            if len(self.implicit) < MAX_IMPLICIT:
                self.implicit[alias] = plan
        return plan if principal.reaches_all else self._within_reach(plan, principal)

    def offers(self, alias: str, principal: Principal) -> bool:
        """Whether a key may use an alias, and reach any deployment of it."""
        if not principal.may_use(alias):
            return False
        plan = self.plans.get(alias)
        if plan is None or principal.reaches_all:
            provider, _, model = alias.partition("/")
            return plan is not None or principal.may_reach(provider, model)
        return any(_is_in_reach(member, principal) for tier in plan.tiers for member in tier.members.values())

    def _within_reach(self, plan: Plan, principal: Principal) -> Plan:
        """A plan without the deployments that the key may not use.

        Raises:
            Forbidden: none is left.
        """
        key = plan.alias, *principal.reach
        known = self.narrowed.get(key)
        if known is None:
            members = [member for tier in plan.tiers for member in tier.members.values()]
            left = {member.deployment.name for member in members if _is_in_reach(member, principal)}
            known = self.builder.narrowed(plan.alias, self.config, left)
            if len(self.narrowed) >= MAX_IMPLICIT:
                self.narrowed.clear()
            self.narrowed[key] = known
        if not known.tiers:
            raise _not_allowed(plan.alias)
        return known


class Builder:
    """Builds snapshots; keeps what they have in common."""

    def __init__(self, upstream: Upstream, balancer: Balancer, prices: Prices, rehearsal_key: str) -> None:
        self._upstream = upstream
        self._balancer = balancer
        self._prices = prices
        self._rehearsal_key = rehearsal_key
        self._targets: dict[bytes, Target] = {}
        self._kept: dict[bytes, Target] = {}
        self._counters: dict[str, TokenCounter] = {}
        self._declared: frozenset[str] = frozenset()
        self._made_up: set[str] = set()
        self._keys: dict[str, list[str]] = {}
        self._signers: dict[bytes, Signer | None] = {}

    def build(self, config: Config, number: int) -> Snapshot:
        """A snapshot of a configuration.

        Raises:
            ConfigError: something in it cannot be built, such as a tokenizer's file.
        """
        self._kept, self._targets = self._targets, {}
        routed = (name for route in config.routes.values() for tier in route.tiers for name in tier)
        self._declared = frozenset([*config.deployments, *routed])
        plans = {alias: self._plan(alias, route.tiers, route, config) for alias, route in config.routes.items()}
        for name in config.deployments:
            if name not in plans:
                plans[name] = self._plan(name, ((name,),), None, config)
        return Snapshot(
            number=number,
            config=config,
            builder=self,
            built_at_s=int(time.time()),
            plans=plans,
            implicit={},
            narrowed={},
            guardrails=build_guardrails(config, self._upstream),
            prompts=PromptControls(config=config.prompts),
        )

    def implicit(self, alias: str, config: Config) -> Plan | None:
        """A plan for ``provider/model``; ``None`` where there is no such provider."""
        if deployment_for(alias, config) is None:
            return None
        return self._plan(alias, ((alias,),), None, config)

    def narrowed(self, alias: str, config: Config, names: set[str]) -> Plan:
        """The plan for an alias with these deployments alone, perhaps none."""
        route = config.routes.get(alias)
        left = [tuple(name for name in tier if name in names) for tier in (route.tiers if route else ((alias,),))]
        return self._plan(alias, tuple(tier for tier in left if tier), route, config)

    def _plan(self, alias: str, tiers: tuple[tuple[str, ...], ...], route: schema.Route | None, config: Config) -> Plan:
        defaults = config.defaults
        strategy = route.strategy if route else defaults.strategy
        retries = defaults.retries if route is None or route.retries is None else route.retries
        built = tuple(self._tier(names, strategy, config) for names in tiers)
        return Plan(
            alias=alias,
            tiers=built,
            retries=retries,
            deadline_s=(route.timeout_s if route else None) or defaults.deadline_s,
            session_by=route.session_by if route else "session",
            keeps_sessions=strategy == "session",
            hedge=route.hedge if route else None,
            cache=route.cache if route else None,
            semantic=route.semantic if route else None,
            answers_as=_answers_as(alias, built),
            limited=limited_of(built),
        )

    def _tier(self, names: tuple[str, ...], strategy: str, config: Config) -> PlanTier:
        members: list[Member] = []
        weights: list[float] = []
        prices: list[float] = []
        for name in names:
            declared = deployment_for(name, config)
            if declared is None:
                raise ConfigError([f"{name}: no such deployment"])
            deployment = self._deployment(name, declared, config)
            for credential in self._credentials(declared, config):
                members.append(self._member(deployment, declared, credential, config))
                weights.append(declared.weight * credential.weight)
                prices.append(_price_of(deployment.rates))
        tier = self._balancer.tier([member.index for member in members], weights, prices=prices, strategy=strategy)
        launcher = launcher_of(self._balancer, tier, members, config.server.limits)
        return PlanTier(tier, {member.index: member for member in members}, launcher)

    def _deployment(self, name: str, declared: schema.Deployment, config: Config) -> Deployment:
        kind = _kind(declared, config)
        provider = config.providers.get(declared.provider, Provider())
        return Deployment(
            name=name,
            known_as=self._known_as(name, declared),
            provider=declared.provider,
            model=declared.model,
            domain=_domain(declared, provider),
            timeouts=declared.timeouts or provider.timeouts or config.defaults.timeouts,
            counter=self._counter(declared),
            find_rates=self._find_rates(declared, kind, config.rehearsal.price),
            streams_usage=kind is None or kind.stream_usage == "option",
            endpoints=frozenset(kind.endpoints) if kind else ALL_ENDPOINTS,
            dialects=provider.dialects or (OPENAI if kind is None else kind.spoken),
            written_for=_written_for(declared, kind),
            fields=provider.body,
        )

    def _known_as(self, name: str, declared: schema.Deployment) -> str:
        if name in self._declared or name in self._made_up:
            return name
        if len(self._made_up) >= MAX_IMPLICIT:
            return f"{declared.provider}/*"
        self._made_up.add(name)
        return name

    def _find_rates(self, declared: schema.Deployment, kind: Row | None, rehearsed: Price | None) -> Finder | Fixed:
        price = declared.price or (rehearsed or FREE if declared.provider == REHEARSAL else None)
        if price is not None:
            return Fixed(rates_of(price))
        if kind is None or not kind.prices:
            return UNPRICED
        return self._prices.finder(kind.prices, declared.model)

    def _counter(self, declared: schema.Deployment) -> TokenCounter:
        tokenizer = declared.tokenizer
        if not tokenizer:
            return TokenCounter.for_model(declared.model)
        if tokenizer not in self._counters:
            try:
                self._counters[tokenizer] = _new_counter(tokenizer)
            except (OSError, ValueError) as error:
                raise ConfigError([f"tokenizer {tokenizer!r}: {error}"]) from None
        return self._counters[tokenizer]

    def _credentials(self, declared: schema.Deployment, config: Config) -> tuple[Credential, ...]:
        if declared.provider == REHEARSAL:
            return (Credential(key=self._rehearsal_key, name="rehearsal"),)
        credentials = config.providers[declared.provider].credentials
        chosen = tuple(one for one in credentials if not declared.credentials or one.name in declared.credentials)
        return chosen or (Credential(key="", name="none"),)

    def _member(
        self, deployment: Deployment, declared: schema.Deployment, credential: Credential, config: Config
    ) -> Member:
        proof = credential.key or msgspec.json.encode(credential).decode()
        name = self._member_name(f"{deployment.known_as}#{credential.name}", proof)
        door = self._door(declared, credential, config)
        return Member(
            index=self._balancer.register(name, deployment.domain, declared.max_concurrent),
            deployment=deployment,
            credential=credential.name,
            target=self._target(door, declared, config),
            door=door,
            elsewhere=self._elsewhere(declared, credential, config),
            signer=self._signer(declared, credential, config),
            is_limited=declared.max_concurrent is not None,
        )

    def _signer(self, declared: schema.Deployment, credential: Credential, config: Config) -> Signer | None:
        """What signs with the credential; kept while nothing about it changes, with the token it has."""
        kind = _kind(declared, config)
        if not credential.identities or kind is None:
            return None
        base_url = declared.base_url or config.providers[declared.provider].base_url
        key = msgspec.json.encode((credential, kind.audience, base_url))
        if key not in self._signers:
            where = f"providers.{declared.provider}"
            self._signers[key] = signer_for(credential, kind.audience, base_url, where)
        return self._signers[key]

    def _member_name(self, name: str, key: str) -> str:
        """The balancer's name for a member: another one once its key is another, which is not to blame for the old."""
        seen = self._keys.setdefault(name, [])
        if key not in seen:
            seen.append(key)
        number = seen.index(key)
        return name if number == 0 else f"{name}~{number + 1}"

    def _elsewhere(self, declared: schema.Deployment, credential: Credential, config: Config) -> dict[str, Target]:
        """Targets of dialects that the provider speaks at another base URL than its own."""
        kind, provider = _kind(declared, config), config.providers.get(declared.provider)
        if kind is None or provider is None or declared.base_url or provider.base_url != kind.base_url:
            return {}
        return {
            name: self._target(
                self._door(replace(declared, base_url=base.url), credential, config, auth=base.auth), declared, config
            )
            for name, base in kind.bases.items()
        }

    def _provider(self, declared: schema.Deployment, config: Config) -> Provider:
        if declared.provider == REHEARSAL:
            base_url = f"http://127.0.0.1:{config.server.port}/rehearsal/v1"
            return Provider(base_url=base_url, allow_private=True, proxy="none")
        return config.providers[declared.provider]

    def _door(self, declared: schema.Deployment, credential: Credential, config: Config, *, auth: str = "") -> Door:
        provider, kind = self._provider(declared, config), _kind(declared, config)
        return Door(
            base_url=declared.base_url or provider.base_url,
            headers=_headers(provider, auth or (kind.auth if kind is not None else "bearer"), credential),
            allow_private=provider.allow_private,
            proxy=provider.proxy,
            ca_pem=Path(provider.ca_file).read_bytes() if provider.ca_file else None,
            pins=[read_pin(pin) for pin in provider.pins],
        )

    def _target(self, door: Door, declared: schema.Deployment, config: Config) -> Target:
        provider = self._provider(declared, config)
        timeouts = declared.timeouts or provider.timeouts or config.defaults.timeouts
        options: _Connecting = {
            "connect_timeout_s": timeouts.connect_s,
            "allow_private": door.allow_private,
            "http2": provider.http2,
            "proxy": door.proxy,
            "ca_pem": door.ca_pem,
            "pins": door.pins,
        }
        key = msgspec.json.encode((door.base_url, door.headers, options))
        target = self._targets.get(key) or self._kept.get(key)
        if target is None:
            target = self._upstream.target(door.base_url, door.headers, options)
        self._targets[key] = target
        return target


def _asked(member: Member) -> tuple[str, str, str, str, dict[str, Any]]:
    deployment = member.deployment
    return deployment.name, deployment.provider, deployment.model, member.door.base_url, deployment.fields


def _not_allowed(alias: str) -> Forbidden:
    return Forbidden(f"This key may not use the model {alias!r}.", code="model_not_allowed", param="model")


def _is_in_reach(member: Member, principal: Principal) -> bool:
    return principal.may_reach(member.deployment.provider, member.deployment.model)


def _answers_as(alias: str, tiers: tuple[PlanTier, ...]) -> bytes:
    """A digest of whom a plan asks, and for what."""
    asked = [[_asked(member) for member in tier.members.values()] for tier in tiers]
    return sha256(msgspec.json.encode((alias, asked))).digest()


def _kind(declared: schema.Deployment, config: Config) -> Row | None:
    provider = config.providers.get(declared.provider)
    return None if provider is None else row(provider.kind or declared.provider)


def _written_for(declared: schema.Deployment, kind: Row | None) -> dialect.Target:
    """What is known of the model and its host, for whoever writes a request for it."""
    if kind is None:
        return dialect.Target(model=declared.model, provider=declared.provider)
    able = abilities_of(kind, declared.model) or Abilities()
    return dialect.Target(
        model=declared.model,
        provider=kind.id,
        max_output=able.max_output,
        context=able.context,
        max_tokens_field=kind.max_tokens_field,
        unsupported=frozenset(kind.unsupported),
        unknown_fields=kind.unknown_fields,
        stream_usage=kind.stream_usage == "option",
        family=family_of(kind.id, declared.model),
    )


def _domain(declared: schema.Deployment, provider: Provider) -> str:
    if declared.domain:
        return declared.domain
    domain = provider.domain or declared.provider
    return f"{domain}/{declared.region}" if declared.region else domain


def _headers(provider: Provider, auth: str, credential: Credential) -> list[tuple[str, str]]:
    headers = dict(provider.headers)
    if credential.key:
        if auth == "bearer":
            headers["authorization"] = f"Bearer {credential.key}"
        else:
            headers[auth] = credential.key
    return list(headers.items())


def _new_counter(tokenizer: str) -> TokenCounter:
    return TokenCounter.from_file(tokenizer) if tokenizer.endswith(".json") else TokenCounter(tokenizer)


def _price_of(rates: Rates | None) -> float:
    """Nano-dollars a thousand input and as many output tokens, to compare; unpriced comes last."""
    return float("inf") if rates is None else float(rates.cost(Tokens(input=1000, output=1000)))
