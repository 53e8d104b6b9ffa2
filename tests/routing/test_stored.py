from __future__ import annotations

import json
from typing import Any

import pytest
from tests.gateway.upstream import Upstream, answer, expect
from tests.routing.claude import config, message, stream
from tests.served import Protocol, Serve, Served


@pytest.fixture
def claude(serve: Serve, upstream: Upstream) -> Served:
    return serve(config(upstream.base_url, route={"retries": 0}))


def respond(served: Served, headers: dict[str, str] | None = None, **fields: Any) -> Protocol:
    body = json.dumps({"model": "chat", "input": "Hi"} | fields).encode()
    return served.ask("POST", "/v1/responses", body, **headers or {})


@pytest.mark.parametrize("streamed", [False, True])
def test_a_conversation_goes_on_from_its_answer(claude: Served, upstream: Upstream, streamed: bool) -> None:
    upstream.reply(expect, stream() if streamed else answer(message()))
    upstream.reply(expect, answer(message("Fine.")))
    first = respond(claude, stream=streamed)
    told = json.loads(first.body.splitlines()[-2].removeprefix(b"data: "))["response"] if streamed else first.json
    second = respond(claude, input="How are you?", previous_response_id=told["id"])
    _, sent = upstream.received(), upstream.requests[-1]
    said = [
        (turn["role"], turn["content"] if isinstance(turn["content"], str) else turn["content"][0]["text"])
        for turn in sent.json["messages"]
    ]
    assert said == [("user", "Hi"), ("assistant", "Hello."), ("user", "How are you?")]
    assert second.json["previous_response_id"] == told["id"]
    assert "x-dragoman-lossy" not in second.headers


@pytest.mark.parametrize("fields", [{"store": False}, {}])
def test_what_is_not_to_be_kept_is_not(serve: Serve, upstream: Upstream, fields: dict[str, Any]) -> None:
    served = serve(config(upstream.base_url, store={"responses_retention_days": 0 if not fields else 30}))
    upstream.reply(expect, answer(message()))
    first = respond(served, **fields).json
    response = respond(served, previous_response_id=first["id"])
    assert (response.status, response.json["error"]["param"]) == (400, "previous_response_id")


def test_a_conversation_made_here_goes_on_where_nobody_heard_of_it(serve: Serve, upstream: Upstream) -> None:
    made = config(upstream.base_url, upstream.base_url)
    made["providers"]["up1"]["kind"] = "openai"
    made["routes"]["other"] = {"tiers": [["up1"]]}
    served = serve(made)
    upstream.reply(expect, answer(message()))
    first = respond(served).json
    whole = {"id": "resp_1", "object": "response", "status": "completed", "model": "m", "output": []}
    upstream.reply(expect, answer(json.dumps(whole).encode()))
    second = respond(served, model="other", input="And?", previous_response_id=first["id"])
    assert second.json == whole
    sent = upstream.requests[-1].json
    assert sent.keys() == {"model", "input"}
    assert [item["type"] for item in sent["input"]] == ["message", "message", "message"]


def test_a_provider_s_own_id_goes_to_it_as_it_is(serve: Serve, upstream: Upstream) -> None:
    served = serve(config(upstream.base_url, kind="openai"))
    whole = {"id": "resp_2", "object": "response", "status": "completed", "model": "m", "output": []}
    upstream.reply(expect, answer(json.dumps(whole).encode()))
    respond(served, previous_response_id="resp_1")
    respond(served, previous_response_id="resp_2")
    assert [request.json["previous_response_id"] for request in upstream.requests] == ["resp_1", "resp_2"]


def test_an_id_that_is_none_is_the_client_s_fault(claude: Served) -> None:
    assert respond(claude, previous_response_id=7).json["error"]["param"] == "previous_response_id"
