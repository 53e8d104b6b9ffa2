from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from tests.gateway.gateway import config_for
from tests.gateway.upstream import (
    DONE,
    LAST_CHUNK,
    Connection,
    Step,
    Upstream,
    answer,
    chunk,
    event,
    expect,
    hold,
    reset,
    role_event,
    send,
    stream,
    stream_head,
    until,
)
from tests.served import Protocol, Serve, Served, chat_body

from dragoman.core import Redis
from dragoman.routing.probing import Probing

KNOWN = 60  # first tokens after which the balancer knows what is slow
HEDGE = {"percentile": 0.9, "min_delay_s": 0.15, "max_extra_share": 0.2}


@pytest.fixture
def hedging(serve: Serve, upstream: Upstream) -> Served:
    """Two deployments of one tier, which have always been quick."""
    route: dict[str, Any] = {"tiers": [["up0", "up1"]], "strategy": "priority", "hedge": HEDGE, "retries": 1}
    config = config_for(upstream.base_url, upstream.base_url, route=route)
    for number, deployment in enumerate(config["deployments"].values()):
        deployment["model"] = f"model-{number}"
    served = serve(config)
    for _ in range(KNOWN):
        upstream.reply(expect, stream())
    for _ in range(KNOWN):
        assert served.chat(stream=True).status == 200
    return served


def says(text: str) -> bytes:
    return b"".join(map(chunk, [role_event(), event(text), event(finish_reason="stop"), DONE])) + LAST_CHUNK


def played(upstream: Upstream, *replies: tuple[Step, ...]) -> None:
    for steps in replies:
        upstream.reply(expect, *steps)


def outcomes(served: Served, response: Protocol) -> list[tuple[str, str]]:
    log = json.loads(served.row(response).attempt_log)
    return sorted((attempt["deployment"], attempt["outcome"]) for attempt in log)


def given_up(upstream: Upstream, number: int) -> bool:
    """Whether the connection of that request is closed, in time."""
    return upstream.closed(upstream.requests[number].connection.number) is not None


def test_what_is_quick_is_not_hedged(hedging: Served, upstream: Upstream) -> None:
    assert {request.json["model"] for request in upstream.requests} == {"model-0"}


def test_a_slow_one_is_overtaken(hedging: Served, upstream: Upstream) -> None:
    played(upstream, (hold,), (send(stream_head() + says("second")),))
    response = hedging.chat(stream=True)
    assert b'"second"' in response.body
    assert response.headers["x-dragoman-deployment"] == "up1"
    assert [request.json["model"] for request in upstream.requests[KNOWN:]] == ["model-0", "model-1"]
    assert given_up(upstream, KNOWN)
    assert outcomes(hedging, response) == [("up0", "beaten"), ("up1", "ok")]
    row = hedging.row(response)
    assert (row.deployment, row.attempts, row.status, row.error_code) == ("up1", 2, 200, "")


def test_a_hedge_is_no_probe_where_others_may_have_it_out(hedging: Served, upstream: Upstream, redis: Redis) -> None:
    gateway, gate = hedging.gateway, threading.Event()
    gateway.probing = Probing(redis, gateway.balancer, "this")
    second = gateway.balancer.members()[1]
    gateway.balancer.cool_down(second.name, 0.001)
    played(upstream, (until(gate), send(stream_head() + says("first"))))
    threading.Timer(0.5, gate.set).start()
    assert b'"first"' in hedging.chat(stream=True).body
    assert [request.json["model"] for request in upstream.requests[KNOWN:]] == ["model-0"]
    assert gateway.balancer.members()[1].in_flight == 0


def test_the_first_may_still_win(hedging: Served, upstream: Upstream) -> None:
    gate = threading.Event()
    played(upstream, (until(gate), send(stream_head() + says("first"))), (hold,))
    request = hedging.begin("POST", "/v1/chat/completions", chat_body(stream=True))
    upstream.received(KNOWN + 2)
    gate.set()
    response = request.wait()
    assert b'"first"' in response.body
    assert outcomes(hedging, response) == [("up0", "ok"), ("up1", "beaten")]
    assert given_up(upstream, KNOWN + 1)


def test_one_that_fails_leaves_the_other_to_answer(hedging: Served, upstream: Upstream) -> None:
    gate = threading.Event()
    played(upstream, (until(gate), send(stream_head() + says("first"))), (reset,))
    request = hedging.begin("POST", "/v1/chat/completions", chat_body(stream=True))
    upstream.received(KNOWN + 2)
    assert given_up(upstream, KNOWN + 1)
    time.sleep(0.1)
    gate.set()
    response = request.wait()
    assert b'"first"' in response.body
    assert outcomes(hedging, response) == [("up0", "ok"), ("up1", "upstream_unreachable")]


@pytest.mark.parametrize("how", [reset, send(LAST_CHUNK)])
def test_one_that_breaks_off_in_its_answer_is_final(hedging: Served, upstream: Upstream, how: Step) -> None:
    first, cut, second = threading.Event(), threading.Event(), threading.Event()
    begun = send(stream_head() + chunk(role_event() + event("first")))
    played(upstream, (until(first), begun, until(cut), how), (until(second), send(stream_head() + says("second"))))
    request = hedging.begin("POST", "/v1/chat/completions", chat_body(stream=True))
    upstream.received(KNOWN + 2)
    first.set()
    for _ in range(1000):
        if b'"first"' in request.body:
            break
        time.sleep(0.01)
    cut.set()
    second.set()
    response = request.wait()
    assert b'"second"' not in response.body
    assert json.loads(response.body.split(b"\n\n")[-2].removeprefix(b"data: "))["error"]["code"] == "upstream_cut"
    assert response.complete
    assert len(upstream.requests) == KNOWN + 2
    row = hedging.row(response)
    assert (row.deployment, row.error_code, row.attempts) == ("up0", "upstream_cut", 2)


def test_a_client_that_leaves_ends_both(hedging: Served, upstream: Upstream) -> None:
    played(upstream, (hold,), (hold,))
    request = hedging.begin("POST", "/v1/chat/completions", chat_body(stream=True))
    upstream.received(KNOWN + 2)
    (in_flight,) = hedging.app.in_flight
    in_flight.gone = True
    in_flight.give_up()
    request.wait()
    assert given_up(upstream, KNOWN)
    assert given_up(upstream, KNOWN + 1)
    row = hedging.gateway.writer.find(in_flight.id)
    assert row is not None
    assert (row.status, row.attempts) == (499, 2)
    assert sum(member.in_flight for member in hedging.gateway.balancer.members()) == 0


def test_a_whole_answer_is_waited_for(hedging: Served, upstream: Upstream) -> None:
    """How long one takes depends on its length: slow is not yet late."""
    gate = threading.Event()
    played(upstream, (until(gate), answer()))
    request = hedging.begin("POST", "/v1/chat/completions", chat_body())
    upstream.received(KNOWN + 1)
    time.sleep(0.4)
    gate.set()
    assert request.wait().status == 200
    assert len(upstream.requests) == KNOWN + 1


def test_hedges_are_paid_for_by_first_attempts(hedging: Served, upstream: Upstream) -> None:
    """Without any left a slow answer is waited for."""
    balancer = hedging.gateway.balancer
    first = [member.name.partition("#")[0] for member in balancer.members()].index("up0")
    paid = 0
    while balancer.may_hedge(first, HEDGE["max_extra_share"]):
        paid += 1
    assert paid <= KNOWN * HEDGE["max_extra_share"]
    played(upstream, (until_slow, send(stream_head() + says("first"))))
    assert b'"first"' in hedging.chat(stream=True).body
    assert len(upstream.requests) == KNOWN + 1


def until_slow(connection: Connection) -> None:
    time.sleep(0.5)
