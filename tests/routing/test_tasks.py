"""Vectors and rankings through the gateway: clients of each format, providers of each other."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
from tests.dialects.tasks.samples import DOCUMENTS, EMBED, PLACES, RERANK, TEXTS, TOKENS, VECTORS
from tests.gateway.upstream import Upstream, answer, expect
from tests.served import Serve, Served

KINDS = {
    "openai_embeddings": "openai",
    "cohere_embed": "cohere",
    "gemini_embed": "gemini",
    "vertex_predict": "vertex",
    "rerank": "jina",
    "cohere_rerank": "cohere",
    "voyage_rerank": "voyageai",
}
CLIENTS = {name: sample for name, sample in (EMBED | RERANK).items() if sample[0]}


def config(upstream: Upstream, dialect: str, model: str = "theirs") -> dict[str, Any]:
    provider = {"kind": KINDS.get(dialect, "bedrock"), "base_url": upstream.base_url, "api_key": "k"}
    return {
        "providers": {"p": provider | {"allow_private": True, "dialects": [dialect]}},
        "deployments": {"d": {"provider": "p", "model": model}},
        "routes": {"m": {"tiers": [["d"]]}},
    }


def ask(served: Served, client: str) -> Any:
    path, body, _ = CLIENTS[client]
    return served.ask("POST", path, json.dumps(body).encode(), content_type="application/json")


def vectors(client: str, told: dict[str, Any]) -> list[list[float]]:
    if client == "openai_embeddings":
        return [one["embedding"] for one in sorted(told["data"], key=lambda one: one["index"])]
    if client == "cohere_embed":
        return list(told["embeddings"]["float"])
    if client == "gemini_embed":
        return [one["values"] for one in told["embeddings"]]
    return [one["embeddings"]["values"] for one in told["predictions"]]


@pytest.mark.parametrize(("client", "provider"), list(product(EMBED, EMBED)))
def test_vectors_of_any_provider_for_any_client(serve: Serve, upstream: Upstream, client: str, provider: str) -> None:
    served = serve(config(upstream, provider))
    upstream.reply(expect, answer(json.dumps(EMBED[provider][2]).encode()))
    said = ask(served, client)
    assert said.status == 200, said.body
    assert vectors(client, said.json) == VECTORS
    row = served.row(said)
    assert (row.input_tokens, row.usage_source, row.model) == (TOKENS, "provider", "theirs")
    (request,) = upstream.received()
    assert all(text in request.body.decode() for text in TEXTS)
    assert "theirs" in request.path + request.body.decode()
    assert '"m"' not in request.body.decode()


@pytest.mark.parametrize(("client", "provider"), [(c, p) for c, p in product(RERANK, RERANK) if c in CLIENTS])
def test_rankings_of_any_provider_for_any_client(serve: Serve, upstream: Upstream, client: str, provider: str) -> None:
    served = serve(config(upstream, provider))
    upstream.reply(expect, answer(json.dumps(RERANK[provider][2]).encode()))
    said = ask(served, client)
    assert said.status == 200, said.body
    places = [{name: one[name] for name in ("index", "relevance_score")} for one in said.json["results"]]
    assert places == PLACES
    if client == "rerank" and provider != client:
        assert [one["document"]["text"] for one in said.json["results"]] == [DOCUMENTS[2], DOCUMENTS[0]]
    row = served.row(said)
    assert row.usage_source == ("estimated" if provider == "cohere_rerank" else "provider")
    assert row.input_tokens > 0


def test_what_is_lost_is_told_or_refused(serve: Serve, upstream: Upstream) -> None:
    served = serve(config(upstream, "openai_embeddings"))
    upstream.reply(expect, answer(json.dumps(EMBED["openai_embeddings"][2]).encode()))
    assert ask(served, "cohere_embed").headers["x-dragoman-lossy"] == "purpose"
    path, body, _ = EMBED["cohere_embed"]
    strict = served.ask("POST", path, json.dumps(body).encode(), x_dragoman_strict="true")
    assert (strict.status, "purpose" in strict.json["message"]) == (400, True)
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    "told",
    [
        {"data": []},
        {"data": [{"index": 0, "embedding": [0.5]}]},
        {"data": [{"index": 0, "embedding": [0.5]}, {"index": 1, "embedding": "?"}]},
    ],
)
def test_vectors_that_are_none_or_too_few(serve: Serve, upstream: Upstream, told: dict[str, Any]) -> None:
    served = serve(config(upstream, "openai_embeddings"))
    upstream.reply(expect, answer(json.dumps(told).encode()))
    said = ask(served, "gemini_embed")
    assert (said.status, said.json["error"]["code"]) == (502, 502)
    assert "cannot be read" in said.json["error"]["message"]


def test_errors_are_told_in_the_client_s_words(serve: Serve, upstream: Upstream) -> None:
    served = serve(config(upstream, "gemini_embed"))
    refused = {"error": {"code": 404, "message": "models/theirs is not found", "status": "NOT_FOUND"}}
    upstream.reply(expect, answer(json.dumps(refused).encode(), 404))
    assert ask(served, "openai_embeddings").json["error"]["message"] == "models/theirs is not found"
    assert ask(served, "cohere_embed").json["message"] == "models/theirs is not found"
    assert ask(served, "gemini_embed").json["error"]["status"] == "NOT_FOUND"


def test_a_provider_without_them(serve: Serve, upstream: Upstream) -> None:
    served = serve(config(upstream, "anthropic"))
    said = ask(served, "cohere_rerank")
    assert (said.status, upstream.requests) == (400, [])
    assert "p has no rerank" in said.json["message"]


def test_a_body_of_bedrock_s_that_is_not_claude_s_is_passed_through(serve: Serve, upstream: Upstream) -> None:
    served = serve(config(upstream, "bedrock_invoke", "amazon.titan-embed-text-v1"))
    told = b'{"embedding": [0.5],  "inputTextTokenCount": 4}'
    upstream.reply(expect, answer(told))
    body = b'{"inputText": "hello"}'
    said = served.ask("POST", "/model/m/invoke", body)
    assert (said.status, said.body) == (200, told)
    (request,) = upstream.received()
    assert (request.path, request.body) == ("/v1/model/amazon.titan-embed-text-v1/invoke", body)


def test_vectors_of_a_model_behind_bedrock(serve: Serve, upstream: Upstream) -> None:
    served = serve(config(upstream, "bedrock_embed", "amazon.titan-embed-text-v1"))
    upstream.reply(expect, answer(b'{"embedding": [0.5], "inputTextTokenCount": 4}'))
    said = served.ask("POST", "/v1/embeddings", b'{"model": "m", "input": "hello"}')
    assert (said.json["data"][0]["embedding"], said.json["usage"]["prompt_tokens"]) == ([0.5], 4)
    many = served.ask("POST", "/v1/embeddings", b'{"model": "m", "input": ["hello", "world"]}')
    assert (many.status, "one text at a time" in many.json["error"]["message"]) == (400, True)


def test_it_is_explained(serve: Serve, upstream: Upstream) -> None:
    served = serve(config(upstream, "openai_embeddings"))
    body = json.dumps(EMBED["cohere_embed"][1]).encode()
    ((shown,),) = served.ask("POST", "/v1/explain?path=/v2/embed", body).json["tiers"]
    assert (shown["dialect"], shown["translated"], shown["lossy"]) == ("openai_embeddings", True, "purpose")
