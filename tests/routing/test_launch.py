from __future__ import annotations

import json
from typing import Any

import pytest
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream, answer, expect, stream
from tests.served import Protocol, Serve, Served

from dragoman.routing import attempts
from dragoman.routing.attempt import Attempt

# What is another's each time: ids, and times.
OWN = ("x-request-id", "x-dragoman-overhead-ms", "x-dragoman-upstream-ms", "x-ratelimit-reset-tokens")
OWN_COLUMNS = ("request_id", "started_at_ms", "attempt_log", "total_ms", "upstream_ms", "overhead_ms", "first_token_ms")
LIMITS = {"size": {"tokens": 10**6, "per": "hour"}}
PRICE = {"input_usd_mtok": 1.0, "output_usd_mtok": 10.0}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each attempt, in order: whether it was launched."""
    found: list[bool] = []
    launched, send = attempts.launched, Attempt.send

    def launching(*given: Any) -> Attempt | None:
        attempt = launched(*given)
        if attempt is not None:
            found.append(True)
        return attempt

    def sending(attempt: Attempt) -> None:
        found.append(False)
        send(attempt)

    monkeypatch.setattr(attempts, "launched", launching)
    monkeypatch.setattr(Attempt, "send", sending)
    return found


def begin(serve: Serve, upstream: Upstream, **fields: Any) -> Served:
    config = config_for(upstream.base_url, limits=LIMITS, **fields)
    config["deployments"]["up0"] |= {"price": PRICE, "model": "theirs"}
    return serve(config)


def told(served: Served, response: Protocol) -> tuple[Any, ...]:
    """All that a client and an operator see of an answer."""
    row = served.row(response)
    columns = {name: getattr(row, name) for name in row.__struct_fields__ if name not in OWN_COLUMNS}
    noted = [{**note, "ms": 0} for note in json.loads(row.attempt_log)]
    headers = {name: value for name, value in response.headers.items() if name not in OWN}
    body = response.body.replace(response.headers["x-request-id"].encode(), b"")
    return response.status, body, headers, columns, noted


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("status", [200, 400, 500])
def test_what_is_launched_goes_as_what_is_sent_step_by_step(
    serve: Serve, upstream: Upstream, monkeypatch: pytest.MonkeyPatch, sent: list[bool], streamed: bool, status: int
) -> None:
    served = begin(serve, upstream, route={"retries": 0})
    good = stream() if streamed else answer()
    upstream.reply(expect, good if status == 200 else answer(b'{"error": {"message": "no"}}', status))
    asked = {"stream": streamed, "fallbacks": [], "user": "ann", "max_tokens": 50}
    first = told(served, served.chat(**asked))
    monkeypatch.setattr(attempts, "launched", lambda *_: None)
    second = told(served, served.chat(**asked))
    assert first[:2] == second[:2]
    left = "x-ratelimit-remaining-tokens"
    assert {**first[2], left: ""} == {**second[2], left: ""}
    assert first[3:] == second[3:]
    assert sent == [True, False]
    one, other = upstream.requests
    assert (one.path, one.headers, one.body) == (other.path, other.headers, other.body)
    assert json.loads(one.body)["model"] == "theirs"
    assert "fallbacks" not in json.loads(one.body)


def test_after_a_launch_that_fails_others_are_tried_step_by_step(
    serve: Serve, upstream: Upstream, sent: list[bool]
) -> None:
    urls = [upstream.base_url] * 3
    served = serve(config_for(*urls, route={"tiers": [["up0", "up1"], ["up2"]], "strategy": "priority"}))
    for status in (500, 503):
        upstream.reply(expect, answer(b"{}", status))
    upstream.reply(expect, answer())
    response = served.chat()
    assert response.status == 200
    assert response.headers["x-dragoman-attempts"] == "3"
    assert response.headers["x-dragoman-fallback-index"] == "1"
    noted = json.loads(served.row(response).attempt_log)
    assert [note["deployment"] for note in noted] == ["up0", "up1", "up2"]
    assert sent == [True, False, False]
    assert [one.in_flight for one in served.gateway.balancer.members()] == [0, 0, 0]


NOT_PLAIN: list[tuple[str, dict[str, Any], dict[str, str], dict[str, Any]]] = [
    ("the answer is to say what it cost", {}, {"x_dragoman_include_cost": "true"}, {}),
    ("a guardrail looks into it", {"guardrails": {"word": {"words": {"deny": ["plutonium"]}}}}, {}, {}),
    ("fields are added for the provider", {"body": {"safe_prompt": True}}, {}, {}),
    ("a provider has no such field", {"kind": "mistral"}, {}, {"logit_bias": {}}),
    ("a deployment may be full", {"max_concurrent": 1}, {}, {}),
    ("two may be asked beside each other", {"route": {"hedge": {}}}, {}, {"stream": True}),
]


@pytest.mark.parametrize(
    ("config", "headers", "asked"), [one[1:] for one in NOT_PLAIN], ids=[one[0] for one in NOT_PLAIN]
)
def test_what_is_not_plain_is_sent_step_by_step(
    serve: Serve,
    upstream: Upstream,
    sent: list[bool],
    config: dict[str, Any],
    headers: dict[str, str],
    asked: dict[str, Any],
) -> None:
    upstream.reply(expect, stream() if "stream" in asked else answer())
    of_provider = {name: config[name] for name in ("body", "kind") if name in config}
    of_deployment = {name: config[name] for name in ("max_concurrent",) if name in config}
    others = {name: value for name, value in config.items() if name not in of_provider | of_deployment}
    told = config_for(upstream.base_url, **others)
    told["providers"]["up0"] |= of_provider
    told["deployments"]["up0"] |= of_deployment
    response = serve(told).chat(headers, **asked)
    assert response.status == 200
    assert sent == [False]
