"""Providers here go on for longer than they were asked to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.gateway.gateway import config_for
from tests.gateway.upstream import (
    DONE,
    LAST_CHUNK,
    Connection,
    Step,
    Upstream,
    chunk,
    event,
    expect,
    role_event,
    send,
    stream_head,
    usage_event,
)
from tests.ledger.test_hold import used
from tests.served import Protocol, Serve, Served
from tests.store.valkey import new_prefix

from dragoman.access.secret import create_secret

ASKED = 10
MOST_EVENTS = 5000
PRICE = {"input_usd_mtok": 0.0, "output_usd_mtok": 10.0}
NANO_A_TOKEN = 10_000
PATIENCE_S = 20.0
MESSAGES = [{"role": "user", "content": "hi"}]
PATHS = ["/v1/chat/completions", "/v1/messages"]  # relayed as it is, and translated


@pytest.fixture(params=["here", "redis"])
def shared(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Where limits are counted: in the process, and in Redis."""
    if request.param == "here":
        return {}
    return {"redis": {"url": request.getfixturevalue("valkey"), "prefix": new_prefix(), "timeout_s": 1}}


@pytest.fixture
def start(serve: Serve, upstream: Upstream) -> Callable[..., Served]:
    """A gateway before a provider that says some words, and then does what it is told."""

    def start(*then: Step, **fields: Any) -> Served:
        upstream.reply(expect, send(stream_head() + chunk(role_event())), *then)
        config = config_for(upstream.base_url, **fields)
        config["deployments"]["up0"]["price"] = PRICE
        return serve(config)

    return start


def on_and_on(connection: Connection) -> None:
    """Words, each a token, until somebody ends it."""
    for _ in range(MOST_EVENTS):
        connection.send(chunk(event(" hello" * 10)))
        connection.watch(0.002)


def until_told(gate: threading.Event) -> Step:
    """The same, but it ends when it is told to, with the bill."""

    def step(connection: Connection) -> None:
        words = 0
        while not gate.is_set() and words < 10 * MOST_EVENTS:
            connection.send(chunk(event(" hello" * 10)))
            connection.watch(0.002)
            words += 10
        parts = [event(finish_reason="stop"), usage_event(prompt=0, completion=words), DONE]
        connection.send(b"".join(map(chunk, parts)) + LAST_CHUNK)

    return step


def ask(served: Served, path: str, **headers: str) -> Protocol:
    body = {"model": "chat", "stream": True, "max_tokens": ASKED, "messages": MESSAGES}
    return served.begin("POST", path, json.dumps(body).encode(), **headers)


def comes(check: Callable[[], bool]) -> bool:
    until_s = time.monotonic() + PATIENCE_S
    while not check() and time.monotonic() < until_s:
        time.sleep(0.01)
    return check()


@pytest.mark.parametrize("path", PATHS)
def test_more_is_held_for_an_answer_that_is_longer_than_was_asked_for(
    start: Callable[..., Served], shared: dict[str, Any], path: str
) -> None:
    gate = threading.Event()
    served = start(until_told(gate), limits={"money": {"cost_usd": 1}, "one": {"concurrent": 1}}, **shared)
    request = ask(served, path)
    assert comes(lambda: any(held > 1000 * NANO_A_TOKEN for measure, _, held in used(served) if measure == "cost"))
    gate.set()
    assert b"error" not in request.wait().body
    row = served.row(request)
    assert (row.error_code, row.usage_source) == ("", "provider")
    assert comes(lambda: used(served) == [("concurrent", 0, 0), ("cost", row.cost_nanousd, 0)])


@pytest.mark.parametrize("path", PATHS)
def test_a_stream_is_ended_that_no_more_can_be_held_for(
    start: Callable[..., Served], shared: dict[str, Any], upstream: Upstream, path: str
) -> None:
    served = start(on_and_on, limits={"money": {"cost_usd": 2 * ASKED * NANO_A_TOKEN / 1e9}}, **shared)
    request = ask(served, path).wait()
    told = request.body.decode()
    assert request.status == 200
    assert "is longer than the 10 tokens that are held for it" in told
    assert "'money' is $0.0002" in told
    row = served.row(request)
    assert (row.error_code, row.usage_source) == ("reservation_exhausted", "counted")
    assert row.output_tokens > ASKED
    assert comes(lambda: used(served) == [("cost", row.output_tokens * NANO_A_TOKEN, 0)])
    assert comes(lambda: upstream.connections[0].closed_s is not None)


def test_openai_s_clients_are_told_the_reason(start: Callable[..., Served]) -> None:
    served = start(on_and_on, limits={"tokens": {"tokens": 100, "per": "day"}})
    told = ask(served, PATHS[0]).wait().body.decode().split("data: ")[-1]
    error = json.loads(told)["error"]
    assert (error["code"], error["type"]) == ("reservation_exhausted", "rate_limit_error")


def test_what_a_key_s_requests_may_come_to_ends_them_as_well(start: Callable[..., Served]) -> None:
    secret = create_secret()
    key = {"name": "k", "secret": secret, "max_request_usd": 0.0002}
    served = start(on_and_on, keys=[key])
    request = ask(served, PATHS[0], authorization=f"Bearer {secret}").wait()
    assert "Requests of this key may come to $0.0002 at most" in request.body.decode()
    assert served.row(request).error_code == "reservation_exhausted"
