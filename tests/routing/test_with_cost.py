from __future__ import annotations

import json
from typing import Any

import pytest
from tests.gateway.upstream import (
    DONE,
    LAST_CHUNK,
    Upstream,
    answer,
    chat_answer,
    chunk,
    event,
    expect,
    role_event,
    send,
    stream,
    stream_head,
)
from tests.routing import claude
from tests.served import Protocol, Serve, Served

WANTED = {"x-dragoman-include-cost": "true"}


def events(response: Protocol) -> list[Any]:
    blocks = [block for block in response.body.split(b"\n\n") if block]
    assert blocks[-1] == b"data: [DONE]"
    return [json.loads(block.removeprefix(b"data: ")) for block in blocks[:-1]]


def test_a_whole_answer_says_its_cost(served: Served, upstream: Upstream) -> None:
    upstream.reply(expect, answer(x_ratelimit_remaining_tokens="5"))
    response = served.chat(headers=WANTED)
    told, row = response.json, served.row(response)
    assert told["usage"].pop("cost_nanousd") == row.cost_nanousd
    assert told["usage"].pop("cost") == pytest.approx((row.cost_nanousd or 0) / 1e9) != 0
    assert told == json.loads(chat_answer())
    assert float(response.headers["x-dragoman-cost"]) == pytest.approx((row.cost_nanousd or 0) / 1e9)
    assert response.headers["x-dragoman-attempts"] == "1"
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-ratelimit-remaining-tokens"] == "5"
    assert float(response.headers["x-dragoman-upstream-ms"]) > 0


@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": True}}])
def test_a_stream_ends_with_its_usage_and_cost(served: Served, upstream: Upstream, options: dict[str, Any]) -> None:
    upstream.reply(expect, stream())
    response = served.chat(headers=WANTED, stream=True, **options)
    *chunks, last = events(response)
    row = served.row(response)
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == "Hello."
    assert (last["object"], last["choices"], last["id"]) == ("chat.completion.chunk", [], row.request_id)
    assert (last["usage"]["prompt_tokens"], last["usage"]["completion_tokens"], last["usage"]["total_tokens"]) == (
        9,
        3,
        12,
    )
    assert last["usage"]["cost_nanousd"] == row.cost_nanousd
    assert sum("usage" in chunk for chunk in chunks) == 0
    assert response.complete


def test_without_being_asked_for_nothing_is_added(served: Served, upstream: Upstream) -> None:
    upstream.reply(expect, answer())
    response = served.chat(headers={"x-dragoman-include-cost": "false"})
    assert response.body == chat_answer()
    assert "x-dragoman-cost" not in response.headers


def test_what_has_no_price_says_so(serve: Serve, upstream: Upstream) -> None:
    provider = {"kind": "openai", "api_key": "sk-x", "allow_private": True, "base_url": upstream.base_url}
    config: dict[str, Any] = {"providers": {"p": provider}, "deployments": {"chat": {"provider": "p", "model": "odd"}}}
    served = serve(config)
    upstream.reply(expect, answer())
    response = served.chat(headers=WANTED)
    assert (response.json["usage"]["cost"], response.json["usage"]["cost_nanousd"]) == (None, None)
    assert "x-dragoman-cost" not in response.headers
    assert served.row(response).cost_nanousd is None


@pytest.mark.parametrize("text", [r"\ud800", "[" * 120 + "]" * 120])
def test_what_cannot_be_built_anew_is_passed_on_as_it_came(served: Served, upstream: Upstream, text: str) -> None:
    body = chat_answer("@").replace(b'"@"', text.encode() if text[0] == "[" else b'"%s"' % text.encode())
    upstream.reply(expect, answer(body))
    response = served.chat(headers=WANTED)
    assert response.status == 200
    assert float(response.headers["x-dragoman-cost"]) > 0


@pytest.mark.parametrize("usage", [None, {}, [1, 2], "12", 7])
def test_odd_usage_is_no_hindrance(served: Served, upstream: Upstream, usage: Any) -> None:
    upstream.reply(expect, answer(chat_answer(usage=usage)))
    response = served.chat(headers=WANTED)
    assert (response.status, response.json["choices"][0]["message"]["content"]) == (200, "Hello.")
    assert response.json["usage"]["cost_nanousd"] == served.row(response).cost_nanousd is not None


def test_a_cut_stream_tells_its_error_and_no_cost(served: Served, upstream: Upstream) -> None:
    upstream.reply(expect, send(stream_head() + chunk(role_event() + event("Hi")) + LAST_CHUNK))
    response = served.chat(headers=WANTED, stream=True)
    if response.status == 200:
        assert b"[DONE]" not in response.body
        assert b'"cost"' not in response.body
    assert served.row(response).error_code == "upstream_cut"


def test_a_stream_that_was_answered_whole(served: Served, upstream: Upstream) -> None:
    upstream.reply(expect, answer())
    response = served.chat(headers=WANTED, stream=True)
    assert response.json["usage"]["cost_nanousd"] == served.row(response).cost_nanousd


TRANSLATED = {"route": {"retries": 0}}
WATCHED = {"kind": "openai", "guardrails": {"topics": {"words": {"deny": ["plutonium"]}}}}
SAID = {"anthropic": (claude.stream(), answer(claude.message())), "openai": (stream(), answer())}


@pytest.mark.parametrize("about", [TRANSLATED, WATCHED])
@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": True}}])
def test_so_does_one_that_is_translated_or_looked_at(
    serve: Serve, upstream: Upstream, about: dict[str, Any], options: dict[str, Any]
) -> None:
    served = serve(claude.config(upstream.base_url, **about))
    streamed, whole = SAID[about.get("kind", "anthropic")]
    upstream.reply(expect, streamed)
    response = served.chat(headers=WANTED, stream=True, **options)
    *chunks, last = events(response)
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == "Hello."
    assert last["usage"]["cost_nanousd"] == served.row(response).cost_nanousd
    assert last["usage"]["prompt_tokens"] == 9
    assert not any(chunk.get("usage") for chunk in chunks)
    upstream.reply(expect, whole)
    response = served.chat(headers=WANTED)
    assert response.json["usage"]["cost_nanousd"] == served.row(response).cost_nanousd
    assert response.json["usage"]["prompt_tokens"] == 9


def test_a_stream_without_done(served: Served, upstream: Upstream) -> None:
    parts = [role_event(), event("Hi"), event(finish_reason="stop")]
    upstream.reply(expect, send(stream_head() + b"".join(map(chunk, parts)) + LAST_CHUNK))
    response = served.chat(headers=WANTED, stream=True)
    assert response.body.endswith(DONE)
    assert events(response)[-1]["usage"]["completion_tokens"] == 1


def test_vectors_have_a_cost_too(served: Served, upstream: Upstream) -> None:
    vector = {"object": "embedding", "index": 0, "embedding": [0.5]}
    vectors = {"object": "list", "data": [vector], "usage": {"prompt_tokens": 4, "total_tokens": 4}}
    upstream.reply(expect, answer(json.dumps(vectors).encode()))
    response = served.ask("POST", "/v1/embeddings", b'{"model": "chat", "input": "x"}', **WANTED)
    assert response.json["usage"]["cost_nanousd"] == served.row(response).cost_nanousd is not None
