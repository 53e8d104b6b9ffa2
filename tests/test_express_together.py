"""The express way of processes that share Redis, where nothing but limits and the right to probe is asked of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream, answer, expect, stream
from tests.gateway.upstream import until as until_set
from tests.ledger.test_hold import used
from tests.served import Serve, Served, chat_body
from tests.store.valkey import Valkey, new_prefix
from tests.test_express import PRICE, passed, until, warm

pytestmark = pytest.mark.fronted

CHAT = "/v1/chat/completions"
# What a request is held for and billed, where only its tokens cost something that are given.
COST = 9_000
ASKED = {"messages": [{"role": "user", "content": "Hello."}]}
ONLY_GIVEN = {"input_usd_mtok": 1.0, "output_usd_mtok": 0.0}

Together = Callable[..., Served]


@pytest.fixture
def together(serve: Serve, valkey: str, tmp_path: Path) -> Together:
    """Serves as one of several that share a Redis; each with a directory of its own."""
    redis, count = {"url": valkey, "prefix": new_prefix(), "timeout_s": 1}, iter(range(9))

    def start(*base_urls: str, price: dict[str, float] = PRICE, **fields: Any) -> Served:
        store = {"data_dir": str(tmp_path / f"data-{next(count)}")}
        config = config_for(*base_urls, **{"redis": redis, "store": store} | fields)
        for deployment in config["deployments"].values():
            deployment |= {"price": price, "model": "gpt-4o"}
        return serve(config)

    return start


def members(served: Served) -> dict[str, tuple[str, bool]]:
    """By deployment: its breaker, and whether it cools down."""
    states = served.gateway.balancer.members()
    return {state.name.partition("#")[0]: (state.breaker, state.cooldown_left_s > 0) for state in states}


def cool_down(served: Served, name: str, seconds: float) -> str:
    """A deployment cools down, and so long. Its name within the process."""
    full = next(one.name for one in served.gateway.balancer.members() if one.name.partition("#")[0] == name)
    served.gateway.balancer.cool_down(full, seconds)
    return full


def test_what_nothing_limits_asks_nothing_of_redis(together: Together, upstream: Upstream) -> None:
    served = together(upstream.base_url)
    warm(served, upstream)
    upstream.reply(expect, answer())
    assert [served.chat().status for _ in range(3)] == [200] * 3
    assert passed(served) == 3


@pytest.mark.parametrize("streamed", [False, True])
def test_parallel_requests_at_two_get_exactly_what_the_budget_holds(
    together: Together, upstream: Upstream, streamed: bool
) -> None:
    limits = {"money": {"cost_usd": 37 * COST / 1e9, "per": "minute"}, "at-once": {"concurrent": 64}}
    both = [together(upstream.base_url, price=ONLY_GIVEN, limits=limits) for _ in range(2)]
    upstream.reply(expect, stream() if streamed else answer())
    assert [served.chat(stream=streamed, **ASKED).status for served in both] == [200, 200]
    with ThreadPoolExecutor(64) as pool:
        asked = [pool.submit(both[number % 2].chat, stream=streamed, **ASKED) for number in range(400)]
        statuses = [one.result().status for one in asked]
    assert (statuses.count(200), statuses.count(429)) == (35, 365)
    until(lambda: [used(served) for served in both] == [[("concurrent", 0, 0), ("cost", 37 * COST, 0)]] * 2)
    assert sum(sum(served.gateway.holds.refused.values()) for served in both) == 365
    assert sum(passed(served) for served in both) == 35


def test_what_is_held_at_one_is_held_at_the_other(together: Together, upstream: Upstream) -> None:
    gate = threading.Event()
    one, other = [together(upstream.base_url, limits={"one": {"concurrent": 1}}) for _ in range(2)]
    for served in (one, other):
        warm(served, upstream)
        assert used(served) == [("concurrent", 0, 0)]  # so that it is not held for the other
    upstream.reply(expect, until_set(gate), answer())
    under_way = one.begin("POST", CHAT, chat_body())
    upstream.received(3)
    assert one.gateway.express.core.in_flight == 1
    assert other.chat().status == 429
    gate.set()
    assert under_way.wait().status == 200
    until(lambda: used(other) == [("concurrent", 0, 0)])
    upstream.reply(expect, answer())
    assert other.chat().status == 200
    assert (passed(one), passed(other)) == (1, 1)


def test_a_probe_that_is_another_s_is_not_sent(together: Together) -> None:
    with Upstream() as ill, Upstream() as well:
        served = together(ill.base_url, well.base_url, route={"tiers": [["up0", "up1"]]})
        warm(served, ill)
        name = cool_down(served, "up0", 0.01)
        served.gateway.redis.put(b"probe:" + name.encode(), b"another", 60)  # type: ignore[union-attr]
        until(lambda: members(served)["up0"] == ("open", False))
        well.reply(expect, answer())
        assert [served.chat().status for _ in range(3)] == [200] * 3
        assert (len(ill.requests), len(well.requests), passed(served)) == (1, 3, 2)
        assert members(served)["up0"] == ("open", True)


def test_a_probe_that_may_be_sent_is_sent_by_the_pipeline(together: Together) -> None:
    with Upstream() as ill, Upstream() as well:
        served = together(ill.base_url, well.base_url, route={"tiers": [["up0", "up1"]]})
        warm(served, ill)
        cool_down(served, "up0", 0.01)
        until(lambda: members(served)["up0"] == ("open", False))
        ill.reply(expect, answer())
        assert [served.chat().status for _ in range(3)] == [200] * 3
        assert (len(ill.requests), len(well.requests), passed(served)) == (4, 0, 2)
        assert members(served)["up0"] == ("closed", False)


def test_a_cooldown_that_another_tells_of_holds_for_the_next_request(together: Together) -> None:
    with Upstream() as ill, Upstream() as well:
        one, other = [together(ill.base_url, well.base_url, route={"tiers": [["up0", "up1"]]}) for _ in range(2)]
        for served in (one, other):
            warm(served, ill)
        ill.reply(expect, answer(b"{}", 429, retry_after="30"))
        well.reply(expect, answer())
        assert one.chat().status == 200
        until(lambda: members(other)["up0"] == ("open", True))
        assert other.chat().status == 200
        assert (len(ill.requests), len(well.requests)) == (3, 2)
        assert (passed(one), passed(other)) == (0, 1)


def test_a_purge_at_one_is_one_at_the_other(together: Together, upstream: Upstream) -> None:
    one, other = [together(upstream.base_url, cache={"mode": "on"}) for _ in range(2)]
    upstream.reply(expect, answer())
    for served in (one, other):
        assert [served.chat().headers["x-dragoman-cache"] for _ in range(3)] == ["miss", "hit", "hit"]
        assert passed(served) == 2
    one.gateway.answers.purge([])
    until(lambda: len(other.gateway.answers) == 0)
    assert [served.chat().headers["x-dragoman-cache"] for served in (one, other)] == ["miss", "miss"]
    assert len(upstream.requests) == 4


def test_a_client_that_leaves_while_redis_is_waited_for_is_not_sent_for(
    together: Together, upstream: Upstream, tmp_path: Path
) -> None:
    with Valkey(tmp_path) as own:
        redis = {"url": own.url, "timeout_s": 10}
        served = together(upstream.base_url, limits={"pace": {"requests": 9, "per": "minute"}}, redis=redis)
        warm(served, upstream)
        own.halt()
        request = served.begin("POST", CHAT, chat_body())
        until(lambda: served.gateway.express.core.in_flight == 1)
        request.leave()
        own.go_on()
        request.wait()
        until(lambda: used(served) == [("requests", 2, 0)])  # it came, and is a request
        assert (len(upstream.requests), passed(served)) == (1, 0)


@pytest.mark.parametrize("how", ["killed", "halted"])
def test_redis_that_goes_and_comes_back(together: Together, upstream: Upstream, tmp_path: Path, how: str) -> None:
    limits = {"money": {"cost_usd": 1, "per": "minute"}, "at-once": {"concurrent": 2}}
    gate = threading.Event()
    with Valkey(tmp_path) as own:
        served = together(upstream.base_url, limits=limits, redis={"url": own.url, "timeout_s": 0.1})
        warm(served, upstream)
        upstream.reply(expect, until_set(gate), answer())
        under_way = served.begin("POST", CHAT, chat_body())
        upstream.received(2)
        assert served.gateway.express.core.in_flight == 1
        own.kill() if how == "killed" else own.halt()
        upstream.reply(expect, answer())
        assert [served.chat().status for _ in range(3)] == [200] * 3
        gate.set()
        assert under_way.wait().status == 200
        assert passed(served) == 1
        own.start() if how == "killed" else own.go_on()
        redis = served.gateway.redis
        assert redis is not None
        until(lambda: redis.is_up)
        assert [served.chat().status for _ in range(3)] == [200] * 3
        assert passed(served) == 4
        until(lambda: served.gateway.book.ledger.held == 0)
