"""A conversation whose client keeps nothing but text and calls goes on as if it had kept everything."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.gateway.upstream import Upstream, answer, expect
from tests.routing.claude import config, event, events, message, stream
from tests.served import Serve, Served

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
THOUGHT = {"type": "thinking", "thinking": "Let me see.", "signature": "sig-1"}
USE = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}


def turn(streamed: bool) -> Any:
    """What Claude answers: a signed thought, and a call."""
    if not streamed:
        return answer(message(content=[THOUGHT, USE], stop_reason="tool_use"))
    return stream(
        [
            events()[0],
            event("content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": ""}),
            event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "Let me "}),
            event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "see."}),
            event("content_block_delta", index=0, delta={"type": "signature_delta", "signature": "sig-1"}),
            event("content_block_stop", index=0),
            event("content_block_start", index=1, content_block=USE | {"input": {}}),
            event("content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": "{}"}),
            event("content_block_stop", index=1),
            event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 5}),
            event("message_stop"),
        ]
    )


def chat(served: Served, *more: dict[str, Any], stream: bool = False, **headers: str) -> Any:
    messages = [{"role": "user", "content": "Hi"}, *more]
    body = {"model": "chat", "messages": messages, "tools": [TOOL], "stream": stream, "reasoning_effort": "low"}
    return served.ask("POST", "/v1/chat/completions", json.dumps(body).encode(), **headers)


BARE = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
}
RESULT = {"role": "tool", "tool_call_id": "toolu_1", "content": "ok"}


def replayed(upstream: Upstream) -> Any:
    """The assistant's turn, as the provider was sent it last."""
    sent = upstream.requests[-1].json["messages"]
    return next(one for one in sent if one["role"] == "assistant")["content"]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_signed_thought_comes_back_to_its_call(serve: Serve, upstream: Upstream, streamed: bool) -> None:
    served = serve(config(upstream.base_url))
    upstream.reply(expect, turn(streamed))
    upstream.reply(expect, answer(message()))
    assert chat(served, stream=streamed).status == 200
    assert chat(served, BARE, RESULT).status == 200
    assert replayed(upstream) == [THOUGHT, USE]


def test_nothing_is_kept_where_that_is_not_wanted(serve: Serve, upstream: Upstream) -> None:
    served = serve(config(upstream.base_url, store={"continuity_hours": 0}))
    upstream.reply(expect, turn(False))
    upstream.reply(expect, answer(message()))
    chat(served)
    chat(served, BARE, RESULT)
    assert replayed(upstream) == [USE]


def test_another_family_does_not_get_it(serve: Serve, upstream: Upstream) -> None:
    made = config(upstream.base_url)
    made["providers"]["google"] = {**next(iter(made["providers"].values())), "kind": "gemini"}
    made["deployments"]["gemini"] = {"provider": "google", "model": "gemini-2.5-flash"}
    served = serve(made)
    upstream.reply(expect, turn(False))
    upstream.reply(expect, answer(b'{"candidates":[{"content":{"parts":[{"text":"Hello."}]},"finishReason":"STOP"}]}'))
    chat(served)
    body = {"model": "gemini", "messages": [{"role": "user", "content": "Hi"}, BARE, RESULT], "tools": [TOOL]}
    assert served.ask("POST", "/v1/chat/completions", json.dumps(body).encode()).status == 200
    assert b"sig-1" not in upstream.requests[-1].body


def test_a_call_s_own_signature_comes_back_though_its_id_was_made_here(serve: Serve, upstream: Upstream) -> None:
    made = config(upstream.base_url, kind="gemini")
    for deployment in made["deployments"].values():
        deployment["model"] = "gemini-3-pro-preview"
    served = serve(made)
    part = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2ln"}
    told = {"candidates": [{"content": {"parts": [part], "role": "model"}, "finishReason": "STOP"}], "responseId": "r7"}
    upstream.reply(expect, answer(json.dumps(told).encode()))
    upstream.reply(expect, answer(json.dumps(told).encode()))
    (call,) = chat(served).json["choices"][0]["message"]["tool_calls"]
    bare = BARE | {"tool_calls": [{name: call[name] for name in ("id", "type", "function")}]}
    assert chat(served, bare, RESULT | {"tool_call_id": call["id"]}).status == 200
    (content,) = [one for one in upstream.requests[-1].json["contents"] if one["role"] == "model"]
    assert [one["thoughtSignature"] for one in content["parts"]] == ["c2ln"]
