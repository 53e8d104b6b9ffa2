from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from tests.gateway.gateway import SECRET, config_for
from tests.gateway.upstream import (
    DONE,
    Step,
    Upstream,
    answer,
    chunk,
    event,
    expect,
    hold,
    pause,
    reset,
    role_event,
    send,
    stream,
    stream_head,
    until,
)
from tests.served import Protocol, Serve, Served, chat_body

REFUSING = "http://127.0.0.1:9/v1"
FAILS: dict[str, Step] = {
    "500": answer(b"{}", 500),
    "429": answer(b"{}", 429),
    "401": answer(b"{}", 401),
    "reset": reset,
    "not_json": answer(b"<html>"),
    "empty": answer(b"", 204),
}


def outcomes(served: Served, response: Protocol) -> list[tuple[str, str]]:
    log = json.loads(served.row(response).attempt_log)
    return [(attempt["deployment"], attempt["outcome"]) for attempt in log]


def of_two(upstream: Upstream, **route: Any) -> dict[str, Any]:
    """Two deployments of one tier, at the same scripted provider but told apart by their models."""
    config = config_for(upstream.base_url, upstream.base_url, route={"tiers": [["up0", "up1"]]} | route)
    for number, deployment in enumerate(config["deployments"].values()):
        deployment["model"] = f"model-{number}"
    return config


def models(upstream: Upstream) -> list[str]:
    return [request.json["model"] for request in upstream.requests]


@pytest.mark.parametrize("how", FAILS)
def test_within_a_tier_the_next_is_tried_at_once(serve: Serve, upstream: Upstream, how: str) -> None:
    served = serve(of_two(upstream))
    upstream.reply(expect, FAILS[how])
    upstream.reply(expect, answer())
    response = served.chat()
    assert (response.status, response.headers["x-dragoman-attempts"]) == (200, "2")
    assert models(upstream) == ["model-0", "model-1"]
    assert [name for name, _ in outcomes(served, response)] == ["up0", "up1"]
    assert served.row(response).fallback_index == 0


@pytest.mark.parametrize("how", FAILS)
def test_the_next_tier_needs_no_retries(serve: Serve, upstream: Upstream, how: str) -> None:
    served = serve(config_for(upstream.base_url, upstream.base_url, route={"retries": 0}))
    upstream.reply(expect, FAILS[how])
    upstream.reply(expect, answer())
    response = served.chat()
    assert (response.status, response.headers["x-dragoman-fallback-index"]) == (200, "1")
    assert served.row(response).attempts == 2


@pytest.mark.parametrize(("asked", "attempts"), [("0", 1), ("1", 2), ("3", 4)])
def test_no_more_retries_than_are_asked_for(serve: Serve, upstream: Upstream, asked: str, attempts: int) -> None:
    served = serve(config_for(upstream.base_url))
    upstream.reply(expect, answer(b"{}", 500))
    response = served.chat(headers={"x-dragoman-retries": asked})
    assert (response.status, response.code) == (502, "upstream_status")
    assert len(upstream.requests) == attempts == int(response.headers["x-dragoman-attempts"])
    assert served.row(response).attempts == attempts


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_what_is_the_client_s_fault_is_not_tried_again(serve: Serve, upstream: Upstream, status: int) -> None:
    served = serve(of_two(upstream))
    upstream.reply(expect, answer(b'{"error": {"message": "m"}}', status))
    response = served.chat()
    assert (response.status, response.body) == (status, b'{"error": {"message": "m"}}')
    assert len(upstream.requests) == 1
    assert served.row(response).fault == "client"


def test_a_refused_credential_is_not_tried_again(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url))
    upstream.reply(expect, answer(b'{"error": {"message": "bad key %s"}}' % SECRET.encode(), 401))
    response = served.chat(headers={"x-dragoman-retries": "3"})
    assert (response.status, response.code) == (502, "upstream_auth")
    assert len(upstream.requests) == 1
    assert SECRET.encode() not in response.body


@pytest.mark.parametrize("code", ["insufficient_quota"])
def test_an_exhausted_quota_is_not_tried_again(serve: Serve, upstream: Upstream, code: str) -> None:
    served = serve(config_for(upstream.base_url))
    upstream.reply(expect, answer(b'{"error": {"message": "m", "code": "%s"}}' % code.encode(), 429))
    response = served.chat(headers={"x-dragoman-retries": "3"})
    assert (response.status, response.code, len(upstream.requests)) == (429, code, 1)


def test_a_wait_that_is_asked_for_is_kept(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url))
    upstream.reply(expect, answer(b"{}", 503, retry_after_ms="400"))
    upstream.reply(expect, answer())
    started_s = time.monotonic()
    assert served.chat().status == 200
    assert time.monotonic() - started_s >= 0.4


def test_a_wait_that_is_too_long_is_told_instead(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url, defaults={"retry_after_max_s": 1}))
    upstream.reply(expect, answer(b"{}", 429, retry_after="30"))
    response = served.chat(headers={"x-dragoman-retries": "3"})
    assert (response.status, response.code, response.headers["retry-after"]) == (429, "rate_limit_exceeded", "30")
    assert len(upstream.requests) == 1


def test_a_retry_that_cannot_be_in_time_is_not_begun(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url, defaults={"retry_after_max_s": 60}))
    upstream.reply(expect, answer(b"{}", 503, retry_after="30"))
    response = served.chat(headers={"x-dragoman-timeout": "5"})
    assert (response.status, len(upstream.requests)) == (502, 1)


def test_the_deadline_holds_over_all_attempts(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url, upstream.base_url))
    upstream.reply(expect, hold)
    response = served.chat(headers={"x-dragoman-timeout": "0.3"})
    assert (response.status, response.code) == (504, "deadline_exceeded")
    assert response.headers["x-should-retry"] == "false"
    assert len(upstream.requests) == 1
    assert upstream.closed() is not None


def test_a_first_byte_may_be_waited_for_less_long(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url, upstream.base_url, route={"retries": 0}))
    upstream.reply(expect, hold)
    upstream.reply(expect, answer())
    response = served.chat(headers={"x-dragoman-first-byte-timeout": "0.2"})
    assert response.status == 200
    assert outcomes(served, response) == [("up0", "upstream_first_byte_timeout"), ("up1", "ok")]


def test_before_the_first_content_a_stream_falls_back_unseen(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url, upstream.base_url, route={"retries": 0}))
    upstream.reply(expect, send(stream_head() + chunk(role_event())), pause(0.05), reset)
    upstream.reply(expect, stream())
    response = served.chat(stream=True)
    assert response.body.count(b'"role"') == 1
    assert response.body.endswith(DONE)
    assert response.headers["x-dragoman-deployment"] == "up1"


def test_after_it_the_client_is_told_in_its_stream(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url, upstream.base_url))
    gate = threading.Event()
    upstream.reply(expect, send(stream_head() + chunk(role_event() + event("Hi"))), until(gate), reset)
    request = served.begin("POST", "/v1/chat/completions", chat_body(stream=True))
    for _ in range(1000):
        if b"Hi" in request.body:
            break
        time.sleep(0.01)
    gate.set()
    response = request.wait()
    last = json.loads(response.body.split(b"\n\n")[-2].removeprefix(b"data: "))
    assert last["error"]["code"] == "upstream_cut"
    assert last["error"]["request_id"] == response.headers["x-request-id"]
    assert b"[DONE]" not in response.body
    assert response.complete
    assert len(upstream.requests) == 1


def test_fallbacks_of_the_request_come_last(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url, upstream.base_url, upstream.base_url, route={"tiers": [["up0"]]}))
    upstream.reply(expect, answer(b"{}", 500))
    upstream.reply(expect, answer(b"{}", 500))
    upstream.reply(expect, answer())
    response = served.chat(headers={"x-dragoman-fallbacks": "up1,up2", "x-dragoman-retries": "0"})
    assert response.status == 200
    assert [name for name, _ in outcomes(served, response)] == ["up0", "up1", "up2"]
    assert served.row(response).alias == "chat"


def test_a_client_that_leaves_during_a_pause_is_not_sent_for(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url))
    upstream.reply(expect, answer(b"{}", 503, retry_after_ms="800"))
    request = served.begin("POST", "/v1/chat/completions", chat_body())
    upstream.received()
    (in_flight,) = served.app.in_flight
    in_flight.gone = True
    request.wait()
    assert request.status == 0
    assert len(upstream.requests) == 1
    row = served.gateway.writer.find(in_flight.id)
    assert row is not None
    assert (row.status, row.error_code) == (499, "client_closed_request")


def test_a_process_that_stops_during_a_pause_sends_no_more(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url))
    upstream.reply(expect, answer(b"{}", 503, retry_after_ms="800"))
    request = served.begin("POST", "/v1/chat/completions", chat_body())
    upstream.received()
    time.sleep(0.1)
    served.app.abort()
    response = request.wait()
    assert (response.status, response.code) == (503, "shutting_down")
    assert len(upstream.requests) == 1


def test_retries_are_paid_for_by_the_one_that_was_asked_first(serve: Serve, upstream: Upstream) -> None:
    """A stand-by has no first attempts, and would have no budget of its own."""
    served = serve(of_two(upstream))
    for number in range(150):
        upstream.reply(expect, answer(b"{}", 500) if number % 3 == 2 else answer())
    failed = sum(served.chat(headers={"x-dragoman-retries": "1"}).status == 502 for _ in range(100))
    members = {member.name.partition("#")[0]: member for member in served.gateway.balancer.members()}
    assert members["up0"].retries_denied == failed > 0
    assert members["up1"].retries_denied == 0


def test_no_deployment_is_left_where_all_are_full(serve: Serve, upstream: Upstream) -> None:
    config = config_for(upstream.base_url)
    config["deployments"]["up0"]["max_concurrent"] = 1
    served = serve(config | {"queue": {"max_waiting": 0}})
    gate = threading.Event()
    upstream.reply(expect, until(gate), answer())
    first = served.begin("POST", "/v1/chat/completions", chat_body())
    upstream.received()
    response = served.chat()
    assert (response.status, response.code) == (503, "no_deployment_available")
    assert response.headers["retry-after"] == "1"
    gate.set()
    assert first.wait().status == 200
    assert served.chat().status == 200


def test_w16_several_credentials_take_turns_and_cool_down_apart(serve: Serve, upstream: Upstream) -> None:
    config = config_for(upstream.base_url, route={"strategy": "weighted"})
    keys = [{"key": f"sk-{name}", "name": name} for name in "abc"]
    config["providers"]["up0"] |= {"api_key": "", "credentials": keys}

    def play(connection: Any) -> None:
        limited = connection.request.headers["authorization"] == "Bearer sk-b"
        (answer(b"{}", 429, retry_after="60") if limited else answer())(connection)

    upstream.reply(expect, play)
    served = serve(config)
    assert {served.chat().status for _ in range(60)} == {200}
    used = [request.headers["authorization"] for request in upstream.requests]
    assert used.count("Bearer sk-b") == 1
    assert min(used.count("Bearer sk-a"), used.count("Bearer sk-c")) > 10
    breakers = {member.name: member.breaker for member in served.gateway.balancer.members()}
    assert [breakers[f"up0#{name}"] for name in "abc"] == ["closed", "open", "closed"]
