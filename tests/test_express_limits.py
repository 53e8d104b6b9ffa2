"""Limits on the express way: held and settled there as by the pipeline, to which what is refused is handed over.

All of it, whether limits are counted in the process or in Redis.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.gateway.gateway import config_for
from tests.gateway.upstream import (
    Step,
    Upstream,
    answer,
    chunk,
    expect,
    hold,
    reset,
    role_event,
    send,
    stream,
    stream_head,
    until,
)
from tests.ledger.test_allowance import comes, on_and_on, until_told
from tests.ledger.test_hold import used
from tests.served import Protocol, Serve, Served, chat_body
from tests.store.valkey import new_prefix
from tests.test_express import PRICE, passed, told, warm

from dragoman.config.limiting import Limit

pytestmark = pytest.mark.fronted

CHAT = "/v1/chat/completions"
PACE = {"pace": {"requests": 9, "per": "minute"}, "at-once": {"concurrent": 3}}
MONEY = {"money": {"cost_usd": 1, "per": "day"}, "tokens": {"tokens": 10**6, "per": "minute"}}
# What an answer of 9 and 3 tokens costs.
COST = 39_000


@pytest.fixture(params=["alone", "together"])
def serve(request: pytest.FixtureRequest, serve: Serve) -> Serve:
    """Serves with limits that are counted in the process, or in Redis."""
    if request.param == "alone":
        return serve
    redis = {"url": request.getfixturevalue("valkey"), "prefix": new_prefix(), "timeout_s": 1}
    return lambda config: serve(config | {"redis": redis})


def begin(serve: Serve, upstream: Upstream, **fields: Any) -> Served:
    config = config_for(upstream.base_url, **fields)
    config["deployments"]["up0"] |= {"price": PRICE, "model": "gpt-4o"}
    return serve(config)


def ask(served: Served, upstream: Upstream, **fields: Any) -> tuple[Any, ...]:
    upstream.reply(expect, stream() if fields.get("stream") else answer())
    return told(served, served.chat(**{"max_tokens": 50} | fields))


def without_left(seen: tuple[Any, ...]) -> tuple[Any, ...]:
    """Of what is seen of an answer, all but what is less each time."""
    status, body, headers, *rest = seen
    return status, body, [(name, "" if "-ratelimit-" in name else value) for name, value in headers], *rest


@pytest.mark.parametrize(
    ("limits", "fields"),
    [
        (PACE, {}),
        (PACE, {"stream": True}),
        (MONEY | PACE, {"max_tokens": 50, "n": 2}),
        (MONEY | PACE, {"stream": True}),
        (MONEY, {"user": "ann"}),
        ({"teams": {"of": ["team", "tag"], "cost_usd": 1}, "users": {"of": ["end_user"], "requests": 1}}, {}),
    ],
)
def test_limited_requests_go_as_by_the_pipeline(
    serve: Serve, upstream: Upstream, limits: dict[str, Any], fields: dict[str, Any]
) -> None:
    served = begin(serve, upstream, limits=limits)
    seen, stood = [], []
    for way in range(4):
        if way == 2:
            served.gateway.express.forget()
        before = {name: spent for name, spent, _ in used(served)}
        seen.append(ask(served, upstream, **fields))
        stood.append([(name, spent - before.get(name, 0), held) for name, spent, held in used(served)])
    assert passed(served) == 2
    assert [without_left(one) for one in seen] == [without_left(seen[0])] * 4
    assert stood == [stood[0]] * 4
    assert {held for _, _, held in stood[0]} <= {0}


def test_the_answer_says_what_is_left(serve: Serve, upstream: Upstream) -> None:
    served = begin(serve, upstream, limits=PACE)
    warm(served, upstream)
    upstream.reply(expect, answer(x_ratelimit_remaining_requests="77"))
    upstream.reply(expect, stream())
    heads = [served.chat().headers, served.chat(stream=True).headers]
    assert [head["x-ratelimit-remaining-requests"] for head in heads] == ["7", "6"]
    assert heads[0]["x-ratelimit-reset-requests"].startswith(("1m", "59"))
    assert passed(served) == 2


def test_what_is_held_is_settled_before_the_answer_is_over(serve: Serve, upstream: Upstream) -> None:
    gate = threading.Event()
    served = begin(serve, upstream, limits=MONEY)
    warm(served, upstream, max_tokens=50)
    upstream.reply(expect, until(gate), answer())
    under_way = served.begin("POST", CHAT, chat_body(max_tokens=50))
    upstream.received(2)
    held = {name: held for name, _, held in used(served)}
    assert (held["tokens"], held["cost"]) == (10 + 50, 10 * 1000 + 50 * 10_000)
    gate.set()
    assert under_way.wait().status == 200
    assert used(served) == [("cost", 2 * COST, 0), ("tokens", 24, 0)]
    assert passed(served) == 1


@pytest.mark.parametrize("way", ["express", "pipeline"])
@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"pace": {"requests": 2, "per": "minute"}}, "rate_limit_exceeded"),
        ({"money": {"cost_usd": 0.00078, "per": "minute"}}, "budget_exceeded"),
    ],
)
def test_what_is_refused_is_refused_by_the_pipeline_once(
    serve: Serve, upstream: Upstream, limits: dict[str, Any], code: str, way: str
) -> None:
    served = begin(serve, upstream, limits=limits)
    for _ in range(2):
        warm(served, upstream, max_tokens=70)
        if way == "pipeline":
            served.gateway.express.forget()
    refused = served.chat(max_tokens=70)
    assert (refused.status, refused.code) == (429, code)
    assert sum(served.gateway.holds.refused.values()) == 1
    assert passed(served) == (1 if way == "express" else 0)
    assert len(upstream.requests) == 2
    assert served.gateway.book.ledger.held == 0


def test_a_limit_in_shadow_is_told_of_by_the_pipeline(serve: Serve, upstream: Upstream) -> None:
    served = begin(serve, upstream, limits={"soft": {"requests": 2, "per": "minute", "mode": "shadow"}})
    answers = []
    for _ in range(4):
        upstream.reply(expect, answer())
        answers.append(served.chat())
    assert ["x-dragoman-limits-shadowed" in one.headers for one in answers] == [False, False, True, True]
    assert (passed(served), served.gateway.holds.shadowed) == (1, {"soft": 2})
    assert used(served) == [("requests", 4, 0)]


def test_whoever_is_counted_apart_goes_by_the_pipeline(serve: Serve, upstream: Upstream) -> None:
    served = begin(serve, upstream, limits={"users": {"of": ["end_user"], "requests": 1, "per": "minute"}})
    for user in ("", "", "eve", "bob"):
        assert ask(served, upstream, user=user)[0] == 200
    assert served.chat(user="eve").code == "rate_limit_exceeded"
    assert passed(served) == 1
    assert used(served) == [("requests", 1, 0), ("requests", 1, 0)]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("steps", "cost"), [((answer(b"{}", 500), answer()), 1), ((answer(b"{}", 400),), 0), ((reset, reset), 0)]
)
def test_what_fails_is_settled_by_the_pipeline_once(
    serve: Serve, upstream: Upstream, steps: tuple[Any, ...], cost: int, streamed: bool
) -> None:
    served = begin(serve, upstream, limits=MONEY | PACE, route={"retries": 1}, defaults={"retry_budget": 1.0})
    found = []
    for way in range(2):
        warm(served, upstream, stream=streamed, max_tokens=50)
        if way == 1:
            served.gateway.express.forget()
        for step in steps:
            upstream.reply(expect, stream() if streamed and step is steps[-1] and cost else step)
        status, body, headers, columns, _ = without_left(told(served, served.chat(stream=streamed, max_tokens=50)))
        found.append((status, body, headers, columns))
    assert found[0] == found[1]
    spent = {name: spent for name, spent, _ in used(served)}
    assert spent["requests"] == 4
    assert spent["cost"] == (2 + 2 * cost) * COST
    assert served.gateway.book.ledger.held == 0
    assert passed(served) == 1


def test_a_client_that_leaves_pays_for_what_was_sent(serve: Serve, upstream: Upstream) -> None:
    served = begin(serve, upstream, limits=MONEY | PACE)
    warm(served, upstream, max_tokens=50)
    upstream.reply(expect, hold)
    request = served.begin("POST", CHAT, chat_body(max_tokens=50))
    upstream.received(2)
    assert served.gateway.express.core.in_flight == 1
    request.leave()
    request.wait()
    assert served.gateway.book.ledger.held == 0
    assert {name: spent for name, spent, _ in used(served)}["cost"] == COST + 10 * 1000


def test_the_end_of_the_process_leaves_nothing_held(serve: Serve, upstream: Upstream) -> None:
    served = begin(serve, upstream, limits=MONEY | PACE)
    warm(served, upstream, stream=True, max_tokens=50)
    upstream.reply(expect, hold)
    sent = [served.begin("POST", CHAT, chat_body(stream=streamed, max_tokens=50)) for streamed in (False, True)]
    upstream.received(3)
    assert served.gateway.express.core.in_flight == 2
    assert served.gateway.book.ledger.held > 0
    served.app.abort()
    assert [one.wait().status for one in sent] == [503, 503]
    assert served.gateway.book.ledger.held == 0


def test_limits_that_change_hold_from_the_next_request_on(serve: Serve, upstream: Upstream) -> None:
    served = begin(serve, upstream, limits={"pace": {"requests": 2, "per": "minute"}})
    upstream.reply(expect, answer())
    assert [served.chat().status for _ in range(3)] == [200, 200, 429]
    served.gateway.book.declare({"pace": Limit(requests=4, per="minute")})
    assert [served.chat().status for _ in range(3)] == [200, 200, 429]
    served.gateway.book.store({"more": Limit(requests=1, per="minute")})
    served.gateway.book.declare({})
    assert [served.chat().status for _ in range(2)] == [200, 429]
    assert passed(served) == 2


def test_a_budget_that_is_to_be_written_down_first_is_waited_for(serve: Serve, upstream: Upstream) -> None:
    served = begin(serve, upstream, limits={"money": {"cost_usd": 37 * COST / 1e9, "per": "ever"}})
    upstream.reply(expect, answer())
    statuses = [served.chat(max_tokens=3).status for _ in range(40)]
    assert statuses.count(200) == 36 or statuses.count(200) == 37
    ((_, spent, held),) = used(served)
    assert (spent, held) == (statuses.count(200) * COST, 0)


@pytest.mark.parametrize(
    ("limits", "went"), [(MONEY, 0), (PACE, 1), ({"tokens": {"tokens": 10**6, "per": "minute"}}, 1)]
)
def test_what_has_no_price_goes_only_where_money_is_not_limited(
    serve: Serve, upstream: Upstream, limits: dict[str, Any], went: int
) -> None:
    config = config_for(upstream.base_url, limits=limits, ledger={"unpriced": "ceiling", "ceiling_usd_mtok": 2})
    config["deployments"]["up0"]["model"] = "nobody-knows-this-model"
    served = serve(config)
    seen = [ask(served, upstream) for _ in range(2)]
    assert without_left(seen[0]) == without_left(seen[1])
    spent = {"cost": 48_000, "tokens": 24, "requests": 2, "concurrent": 0}
    assert used(served) == [(name, spent[name], 0) for name, _, _ in used(served)]
    assert passed(served) == went


def test_levels_that_are_crossed_are_told_of(
    serve: Serve, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    money = {"cost_usd": 3 * COST / 1e9, "per": "minute", "alert_at": [0.6]}
    served = begin(serve, upstream, limits={"money": money})
    for _ in range(2):
        warm(served, upstream, max_tokens=3)
    assert passed(served) == 1
    assert comes(lambda: "limit money: 60 % of it is used" in caplog.text)


@pytest.mark.parametrize(("per", "least"), [("minute", 36), ("ever", 1)])
@pytest.mark.parametrize("streamed", [False, True])
def test_parallel_requests_get_exactly_what_the_budget_holds(
    serve: Serve, upstream: Upstream, streamed: bool, per: str, least: int
) -> None:
    config = config_for(upstream.base_url, limits={"money": {"cost_usd": 37 * 9_000 / 1e9, "per": per}})
    config["deployments"]["up0"] |= {"price": {"input_usd_mtok": 1.0, "output_usd_mtok": 0.0}, "model": "gpt-4o"}
    served = serve(config)
    upstream.reply(expect, stream() if streamed else answer())
    asked = {"stream": streamed, "messages": [{"role": "user", "content": "Hello."}]}  # as many tokens as are billed
    assert served.chat(**asked).status == 200
    with ThreadPoolExecutor(64) as pool:
        statuses = list(pool.map(lambda _: served.chat(**asked).status, range(400)))
    assert (statuses.count(200), statuses.count(429)) == (36, 364)
    assert used(served) == [("cost", 37 * 9_000, 0)]
    assert sum(served.gateway.holds.refused.values()) == 364
    assert passed(served) >= least


def begin_long(serve: Serve, upstream: Upstream, cost_usd: float, then: Step) -> tuple[Served, Protocol]:
    """A stream on the express way that goes on for longer than it was asked to."""
    served = begin(serve, upstream, limits={"money": {"cost_usd": cost_usd, "per": "minute"}, "one": {"concurrent": 1}})
    warm(served, upstream, stream=True, max_tokens=10)
    upstream.reply(expect, send(stream_head() + chunk(role_event())), then)
    request = served.begin("POST", CHAT, chat_body(stream=True, max_tokens=10))
    upstream.received(2)
    assert served.gateway.express.core.in_flight == 1
    return served, request


def test_more_is_held_for_a_stream_that_is_longer_than_was_asked_for(serve: Serve, upstream: Upstream) -> None:
    gate = threading.Event()
    served, request = begin_long(serve, upstream, 1, until_told(gate))
    assert comes(lambda: any(held > 1000 * 10_000 for measure, _, held in used(served) if measure == "cost"))
    gate.set()
    assert b"error" not in request.wait().body
    assert passed(served) == 1
    row = served.row(request)
    assert row.output_tokens > 10
    assert comes(lambda: used(served) == [("concurrent", 0, 0), ("cost", COST + (row.cost_nanousd or 0), 0)])


def test_a_stream_is_ended_that_no_more_can_be_held_for(serve: Serve, upstream: Upstream) -> None:
    served, request = begin_long(serve, upstream, 0.0004, on_and_on)
    told = request.wait().body.decode()
    assert request.status == 200
    assert "is longer than the 10 tokens that are held for it" in told
    assert "'money' is $0.0004" in told
    row = served.row(request)
    assert (row.error_code, row.usage_source, passed(served)) == ("reservation_exhausted", "counted", 0)
    assert comes(lambda: used(served) == [("concurrent", 0, 0), ("cost", COST + (row.cost_nanousd or 0), 0)])


def test_another_attempt_at_a_stream_is_followed_as_well(serve: Serve, upstream: Upstream) -> None:
    route = {"route": {"retries": 1}, "defaults": {"retry_budget": 1.0}}
    served = begin(serve, upstream, limits={"money": {"cost_usd": 0.0004, "per": "minute"}}, **route)
    warm(served, upstream, stream=True, max_tokens=10)
    upstream.reply(expect, answer(b"{}", 500))
    upstream.reply(expect, send(stream_head() + chunk(role_event())), on_and_on)
    request = served.chat(stream=True, max_tokens=10)
    assert "is longer than the 10 tokens that are held for it" in request.body.decode()
    row = served.row(request)
    assert (row.attempts, row.error_code) == (2, "reservation_exhausted")
    assert comes(lambda: used(served) == [("cost", COST + (row.cost_nanousd or 0), 0)])
