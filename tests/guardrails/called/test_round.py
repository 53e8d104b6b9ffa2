from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream, answer, chat_answer, expect, hold, stream
from tests.guardrails.called.services import Service, deny, serving
from tests.served import Protocol, Serve, Served, chat_body

CHAT = "/v1/chat/completions"


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as made:
        made.answer = deny("plutonium")
        yield made


def config(upstream: Upstream, service: Service, **guardrail: Any) -> dict[str, Any]:
    hook = {"webhook": {"url": f"{service.url}/judge?x=1", "allow_private": True}}
    made = config_for(upstream.base_url, guardrails={"hook": hook | {"on": ["input"]} | guardrail})
    made["providers"]["up0"]["dialects"] = ["openai_chat", "openai_completions", "openai_embeddings"]
    return made


def ask(served: Served, text: str = "Hello.", **fields: Any) -> Protocol:
    return served.chat(messages=[{"role": "user", "content": text}], **fields)


def test_what_is_allowed_goes_on(serve: Serve, upstream: Upstream, service: Service) -> None:
    response = ask(serve(config(upstream, service)))
    assert (response.status, response.headers["x-dragoman-guardrails"]) == (200, "hook=allow")
    ((path, _, told),) = service.asked
    assert path == "/judge?x=1"
    assert (told["guardrail"], told["place"], told["model"]) == ("hook", "input", "chat")
    assert told["request_id"] == response.headers["x-request-id"]
    assert told["texts"] == [{"place": "input", "role": "user", "text": "Hello."}]


def test_what_is_refused_is_not_sent(serve: Serve, upstream: Upstream, service: Service) -> None:
    served = serve(config(upstream, service))
    refused = ask(served, "Where is plutonium sold?")
    assert (refused.status, refused.code, upstream.requests) == (400, "guardrail_blocked", [])
    assert "talk of plutonium" in refused.json["error"]["message"]
    assert served.row(refused).guardrails == "hook=block"


def test_what_is_flagged_goes_on(serve: Serve, upstream: Upstream, service: Service) -> None:
    service.answer = deny("plutonium", verdict="flag")
    response = ask(serve(config(upstream, service)), "Where is plutonium sold?")
    assert (response.status, response.headers["x-dragoman-guardrails"]) == (200, "hook=flag")


@pytest.mark.parametrize("how", [{"mode": "shadow"}, {"action": "flag"}])
def test_in_shadow_or_only_flagged_it_is_told_of(
    serve: Serve, upstream: Upstream, service: Service, how: dict[str, str]
) -> None:
    response = ask(serve(config(upstream, service, **how)), "Where is plutonium sold?")
    assert response.status == 200
    assert response.headers["x-dragoman-guardrails"] == ("hook=block;shadow" if "mode" in how else "hook=flag")


TROUBLE = ["down", "slow", "error", "redirect", "garbage", "empty", "unheard of"]


def troubled(service: Service, how: str, made: dict[str, Any]) -> None:
    """X23: a service in trouble."""
    if how == "down":
        made["guardrails"]["hook"]["webhook"]["url"] = "http://127.0.0.1:9/"
    elif how == "slow":
        service.gate.clear()
        made["guardrails"]["hook"]["timeout_s"] = 0.2
    elif how in ("error", "redirect"):
        service.status = 500 if how == "error" else 302
    else:
        answers: dict[str, Any] = {"garbage": b"<html>", "empty": b"", "unheard of": {"verdict": "perhaps"}}
        service.answer = lambda path, body: answers[how]


@pytest.mark.parametrize("how", TROUBLE)
def test_where_nobody_answers_nothing_passes(serve: Serve, upstream: Upstream, service: Service, how: str) -> None:
    made = config(upstream, service)
    troubled(service, how, made)
    served = serve(made)
    refused = ask(served)
    assert (refused.status, refused.code, upstream.requests) == (400, "guardrail_blocked", [])
    assert "on_error: open" in refused.json["error"]["message"]
    assert served.row(refused).guardrails == "hook=not_scanned"


@pytest.mark.parametrize("how", TROUBLE)
def test_unless_it_may(serve: Serve, upstream: Upstream, service: Service, how: str) -> None:
    made = config(upstream, service, on_error="open")
    troubled(service, how, made)
    response = ask(serve(made))
    assert (response.status, response.headers["x-dragoman-guardrails"]) == (200, "hook=not_scanned")


def test_several_are_asked_at_the_same_time(serve: Serve, upstream: Upstream, service: Service) -> None:
    service.gate.clear()
    made = config(upstream, service)
    for name in ("second", "third"):
        made["guardrails"][name] = made["guardrails"]["hook"]
    served = serve(made)
    request = served.begin("POST", CHAT, chat_body())
    for _ in range(2_000):
        if len(service.asked) == 3:
            break
        threading.Event().wait(0.01)
    assert sorted(told["guardrail"] for _, _, told in service.asked) == ["hook", "second", "third"]
    assert upstream.requests == []
    service.gate.set()
    assert request.wait().headers["x-dragoman-guardrails"].count("=allow") == 3


# Beside the model -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streams", [False, True])
def test_beside_the_model_the_answer_waits(
    serve: Serve,
    upstream: Upstream,
    service: Service,
    streams: bool,
) -> None:
    service.gate.clear()
    upstream.reply(expect, stream() if streams else answer())
    served = serve(config(upstream, service, parallel=True))
    request = served.begin("POST", CHAT, chat_body(stream=streams))
    assert upstream.received(), "the model is asked meanwhile"
    assert not request.ended.wait(0.3) and not request.pieces
    service.gate.set()
    assert request.wait().status == 200
    assert b"Hel" in request.body
    assert request.headers["x-dragoman-guardrails"] == "hook=allow"


@pytest.mark.parametrize("streams", [False, True])
def test_beside_the_model_too_nothing_leaves_that_is_refused(
    serve: Serve,
    upstream: Upstream,
    service: Service,
    streams: bool,
) -> None:
    service.gate.clear()
    upstream.reply(expect, stream() if streams else answer())
    served = serve(config(upstream, service, parallel=True))
    messages = [{"role": "user", "content": "Where is plutonium sold?"}]
    request = served.begin("POST", CHAT, chat_body(messages=messages, stream=streams))
    assert upstream.received(), "the model is asked meanwhile"
    service.gate.set()
    refused = request.wait()
    assert (refused.status, refused.code) == (400, "guardrail_blocked")
    row = served.row(refused)
    assert (row.guardrails, row.attempts, row.error_code) == ("hook=block", 1, "guardrail_blocked")
    assert row.cost_nanousd, "what the provider has done is paid for"


@pytest.mark.parametrize("streams", [False, True])
def test_a_model_that_still_thinks_is_given_up_at_once(
    serve: Serve, upstream: Upstream, service: Service, streams: bool
) -> None:
    service.gate.clear()
    upstream.reply(expect, hold)
    served = serve(config(upstream, service, parallel=True))
    request = served.begin("POST", CHAT, chat_body(stream=streams, messages=[{"role": "user", "content": "plutonium"}]))
    assert upstream.received(), "the model is asked meanwhile"
    service.gate.set()
    refused = request.wait()
    assert (refused.status, refused.code) == (400, "guardrail_blocked")
    row = served.row(refused)
    assert (row.attempts, row.usage_source, row.output_tokens) == (1, "counted", 0)
    assert row.cost_nanousd, "the prompt has been read"


def test_vectors_cannot_wait_and_so_the_model_does(serve: Serve, upstream: Upstream, service: Service) -> None:
    served = serve(config(upstream, service, parallel=True))
    refused = served.ask("POST", "/v1/embeddings", chat_body(input="plutonium"))
    assert (refused.code, upstream.requests) == ("guardrail_blocked", [])


def test_a_hit_waits_as_well(serve: Serve, upstream: Upstream, service: Service) -> None:
    made = config(upstream, service, parallel=True) | {"cache": {"mode": "on"}}
    served = serve(made)
    text = "Where is plutonium sold?"
    service.answer = deny()
    assert ask(served, text).headers["x-dragoman-cache"] == "miss"
    assert ask(served, text).headers["x-dragoman-cache"] == "hit"
    service.answer = deny("plutonium")
    assert ask(served, text).code == "guardrail_blocked"


# Answers --------------------------------------------------------------------------------------------------------------

CLIENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": (CHAT, {"model": "chat", "messages": [{"role": "user", "content": "Hi"}]}),
    "anthropic": (
        "/v1/messages",
        {"model": "chat", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]},
    ),
    "responses": ("/v1/responses", {"model": "chat", "input": "Hi"}),
}
FILTERED = {"chat": b'"content_filter"', "anthropic": b'"refusal"', "responses": b'"content_filter"'}


@pytest.mark.parametrize("client", list(CLIENTS))
@pytest.mark.parametrize("streams", [False, True])
def test_answers_are_shown_whole_and_refused_in_their_dialect(
    serve: Serve,
    upstream: Upstream,
    service: Service,
    client: str,
    streams: bool,
) -> None:
    upstream.reply(
        expect, stream(("Some plu", "tonium", " is here.")) if streams else answer(chat_answer("Plutonium."))
    )
    served = serve(config(upstream, service, on=["output"]))
    path, body = CLIENTS[client]
    response = served.ask("POST", path, json.dumps(body | {"stream": streams}).encode())
    assert response.status == 200, response.body
    assert b"lutonium" not in response.body and b"tonium" not in response.body
    assert FILTERED[client] in response.body
    assert response.headers["x-dragoman-guardrails"] == "hook=block"
    ((_, _, told),) = service.asked
    assert (told["place"], told["texts"][0]["role"]) == ("output", "assistant")


@pytest.mark.parametrize("client", list(CLIENTS))
@pytest.mark.parametrize("streams", [False, True])
def test_answers_that_are_allowed_are_given(
    serve: Serve,
    upstream: Upstream,
    service: Service,
    client: str,
    streams: bool,
) -> None:
    upstream.reply(expect, stream() if streams else answer())
    served = serve(config(upstream, service, on=["output"]))
    path, body = CLIENTS[client]
    response = served.ask("POST", path, json.dumps(body | {"stream": streams}).encode())
    assert (response.status, b"Hel" in response.body) == (200, True)
    assert response.headers["x-dragoman-guardrails"] == "hook=allow"
    assert served.row(response).finish_reason


def test_the_arguments_of_tools_are_shown(serve: Serve, upstream: Upstream, service: Service) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "buy", "arguments": '{"what": "plutonium"}'}}
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": None, "tool_calls": [call]},
        "finish_reason": "tool_calls",
    }
    upstream.reply(expect, answer(chat_answer(choices=[choice])))
    served = serve(config(upstream, service, on=["tool_arguments"]))
    blocked = ask(served)
    assert blocked.json["choices"][0]["finish_reason"] == "content_filter"
    assert b"plutonium" not in blocked.body


def test_others_see_no_more_than_the_provider(serve: Serve, upstream: Upstream, service: Service) -> None:
    made = config(upstream, service, on=["input", "output"])
    made["guardrails"]["pii"] = {"mask": {}}
    served = serve(made)
    ask(served, "Write to ann@example.org.")
    hidden = upstream.received()[0].json["messages"][0]["content"]
    for streams in (False, True):
        upstream.reply(expect, stream((hidden,)) if streams else answer(chat_answer(hidden)))
        response = ask(served, "Write to ann@example.org.", stream=streams)
        assert b"ann@example.org" in response.body
    assert len(service.asked) == 6
    assert b"ann@" not in b"".join(service.raw)


def test_an_answer_that_nobody_could_look_at_is_held(serve: Serve, upstream: Upstream, service: Service) -> None:
    made = config(upstream, service, on=["output"])
    service.status = 500
    blocked = ask(serve(made))
    assert (blocked.status, blocked.json["choices"][0]["finish_reason"]) == (200, "content_filter")
    assert blocked.headers["x-dragoman-guardrails"] == "hook=not_scanned"


def test_completions_are_shown_too(serve: Serve, upstream: Upstream, service: Service) -> None:
    told = {
        "id": "c",
        "object": "text_completion",
        "choices": [{"index": 0, "text": "plutonium", "finish_reason": "stop"}],
    }
    upstream.reply(expect, answer(json.dumps(told).encode()))
    served = serve(config(upstream, service, on=["output"]))
    refused = served.ask("POST", "/v1/completions", b'{"model": "chat", "prompt": "Hi"}')
    assert (refused.status, refused.code) == (400, "guardrail_blocked")


def test_what_is_passed_through_is_shown(serve: Serve, upstream: Upstream, service: Service) -> None:
    served = serve(config(upstream, service, on=["input"]))
    refused = served.ask("POST", "/v1/images/generations", chat_body(prompt="plutonium"), x_dragoman_deployment="up0")
    assert (refused.code, upstream.requests) == ("guardrail_blocked", [])


def test_what_is_refused_is_not_kept(serve: Serve, upstream: Upstream, service: Service) -> None:
    upstream.reply(expect, answer(chat_answer("Plutonium.")))
    served = serve(config(upstream, service, on=["output"]) | {"cache": {"mode": "on"}})
    assert [ask(served).headers["x-dragoman-cache"] for _ in range(2)] == ["miss", "miss"]
