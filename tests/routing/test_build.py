from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec import convert

from dragoman.access.principal import ANONYMOUS, Principal
from dragoman.config.schema import Config
from dragoman.core import Balancer, Upstream
from dragoman.errors import ConfigError, Forbidden, InvalidRequest, NotFound
from dragoman.routing.build import MAX_ALIAS_CHARS, MAX_IMPLICIT, Builder, Snapshot
from dragoman.usage.price import Prices
from dragoman.usage.row import Tokens

PROVIDER = {"base_url": "http://127.0.0.1:9/v1", "allow_private": True, "proxy": "none"}
KEYS = [{"key": "sk-one", "name": "one"}, {"key": "sk-two", "name": "two", "weight": 3}]
PRICE = {"input_usd_mtok": 2, "output_usd_mtok": 8}


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture
def builder(loop: asyncio.AbstractEventLoop) -> Builder:
    return Builder(Upstream(loop), Balancer(seed=1), Prices(), "rehearsal-key")


def config(**fields: Any) -> Config:
    usual = {"providers": {"p": PROVIDER | {"credentials": KEYS}}, "rehearsal": {"enabled": False}}
    return convert(usual | fields, Config)


def members(snapshot: Snapshot, alias: str) -> list[tuple[str, str]]:
    tiers = snapshot.plans[alias].tiers
    return [(one.deployment.name, one.credential) for tier in tiers for one in tier.members.values()]


def test_a_route_is_tiers_of_deployments_with_each_of_their_credentials(builder: Builder) -> None:
    deployments = {"a": {"provider": "p", "model": "m"}, "b": {"provider": "p", "model": "n", "credentials": ["two"]}}
    snapshot = builder.build(config(deployments=deployments, routes={"r": {"tiers": [["a"], ["b", "p/x"]]}}), 7)
    assert snapshot.number == 7
    assert members(snapshot, "r") == [("a", "one"), ("a", "two"), ("b", "two"), ("p/x", "one"), ("p/x", "two")]
    assert [len(tier.members) for tier in snapshot.plans["r"].tiers] == [2, 3]


def test_a_deployment_is_an_alias_of_its_own(builder: Builder) -> None:
    snapshot = builder.build(config(deployments={"a": {"provider": "p", "model": "m"}}), 1)
    assert snapshot.plan("a", (), ANONYMOUS).first.model == "m"


def test_what_a_route_leaves_out_is_the_default(builder: Builder) -> None:
    routes = {"r": {"tiers": [["p/m"]]}, "own": {"tiers": [["p/m"]], "retries": 0, "timeout_s": 5}}
    snapshot = builder.build(config(routes=routes, defaults={"retries": 4, "deadline_s": 30}), 1)
    assert (snapshot.plans["r"].retries, snapshot.plans["r"].deadline_s) == (4, 30)
    assert (snapshot.plans["own"].retries, snapshot.plans["own"].deadline_s) == (0, 5)


def test_a_provider_and_a_model_need_no_route_and_are_remembered(builder: Builder) -> None:
    snapshot = builder.build(config(), 1)
    plan = snapshot.plan("p/vendor/model", (), ANONYMOUS)
    assert (plan.first.provider, plan.first.model) == ("p", "vendor/model")
    assert snapshot.plan("p/vendor/model", (), ANONYMOUS) is plan


def test_no_more_names_are_remembered_than_is_allowed(builder: Builder) -> None:
    snapshot = builder.build(config(), 1)
    for number in range(MAX_IMPLICIT + 5):
        snapshot.plan(f"p/{number}", (), ANONYMOUS)
    assert len(snapshot.implicit) == MAX_IMPLICIT


@pytest.mark.parametrize("length", [MAX_ALIAS_CHARS, MAX_ALIAS_CHARS + 1])
def test_a_name_has_a_largest_length(builder: Builder, length: int) -> None:
    snapshot = builder.build(config(), 1)
    alias = "p/" + "m" * (length - 2)
    for name, fallbacks in ((alias, ()), ("p/m", (alias,))):
        if length <= MAX_ALIAS_CHARS:
            assert snapshot.plan(name, fallbacks, ANONYMOUS).tiers
        else:
            with pytest.raises(InvalidRequest) as raised:
                snapshot.plan(name, fallbacks, ANONYMOUS)
            assert len(raised.value.message) < 100


def test_names_that_clients_make_up_leave_no_more_behind_than_is_allowed() -> None:
    balancer = Balancer()
    loop = asyncio.new_event_loop()
    builder = Builder(Upstream(loop), balancer, Prices(), "key")
    snapshot = builder.build(config(routes={"r": {"tiers": [["p/named"]]}}), 1)
    for number in range(2 * MAX_IMPLICIT):
        snapshot.plan(f"p/{number}", (), ANONYMOUS)
    known = {member.name.partition("#")[0] for member in balancer.members()}
    assert len(known) == MAX_IMPLICIT + 2
    assert {"p/named", "p/*", "p/0"} <= known
    last = snapshot.plan("p/last", (), ANONYMOUS).first
    assert (last.name, last.known_as, last.model) == ("p/last", "p/*", "last")
    later = builder.build(config(routes={"r": {"tiers": [["p/late"]]}}), 2)
    assert later.plans["r"].first.known_as == "p/late"
    loop.close()


@pytest.mark.parametrize("alias", ["nothing", "q/m", "p/", "/m", ""])
def test_an_unknown_name_is_not_found(builder: Builder, alias: str) -> None:
    with pytest.raises(NotFound) as caught:
        builder.build(config(), 1).plan(alias, (), ANONYMOUS)
    assert (caught.value.error_code, caught.value.param) == ("model_not_found", "model")


def test_a_key_keeps_to_its_aliases_in_fallbacks_too(builder: Builder) -> None:
    principal = Principal(key_id="k", name="n", allow=("p/a*",))
    snapshot = builder.build(config(), 1)
    assert len(snapshot.plan("p/a1", ("p/a2",), principal).tiers) == 2
    for alias, fallbacks in (("p/b", ()), ("p/a1", ("p/b",))):
        with pytest.raises(Forbidden):
            snapshot.plan(alias, fallbacks, principal)


def test_an_own_price_goes_before_the_catalogue_and_none_is_unpriced(builder: Builder) -> None:
    deployments = {"priced": {"provider": "p", "model": "m", "price": PRICE}, "not": {"provider": "p", "model": "m"}}
    snapshot = builder.build(config(deployments=deployments), 1)
    priced, unpriced = snapshot.plans["priced"].first, snapshot.plans["not"].first
    assert priced.rates is not None
    assert priced.rates.cost(Tokens(input=1000, output=500)) == 6_000_000
    assert unpriced.rates is None
    assert (priced.rates_until_s, unpriced.rates_until_s) == (math.inf, math.inf)


def test_connections_are_kept_while_nothing_about_them_changes(builder: Builder) -> None:
    def target(**fields: Any) -> object:
        provider = PROVIDER | {"credentials": KEYS} | fields
        snapshot = builder.build(config(providers={"p": provider}, routes={"r": {"tiers": [["p/m"]]}}), 1)
        return next(iter(snapshot.plans["r"].tiers[0].members.values())).target

    first = target()
    assert target() is first
    assert target(headers={"x-team": "a"}) is not first


def test_a_new_key_is_a_new_member(builder: Builder) -> None:
    def indexes(key: str) -> list[int]:
        provider = PROVIDER | {"credentials": [{"key": key, "name": "one"}]}
        snapshot = builder.build(config(providers={"p": provider}, routes={"r": {"tiers": [["p/m"]]}}), 1)
        return list(snapshot.plans["r"].tiers[0].members)

    old = indexes("sk-old")
    assert indexes("sk-new") != old
    assert indexes("sk-old") == old


def test_a_tokenizer_that_cannot_be_read_names_itself(builder: Builder) -> None:
    deployments = {"a": {"provider": "p", "model": "m", "tokenizer": "/nowhere/tokenizer.json"}}
    with pytest.raises(ConfigError, match=r"/nowhere/tokenizer\.json"):
        builder.build(config(deployments=deployments), 1)
