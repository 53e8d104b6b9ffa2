"""Official SDKs, unmodified, asking for vectors and rankings, each before providers of every format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import cohere
import openai
import pytest
from google import genai
from google.genai import types
from tests.dialects.tasks.samples import DOCUMENTS, EMBED, PLACES, RERANK, TEXTS, TOKENS, VECTORS
from tests.gateway.gateway import SECRET, Gateway
from tests.gateway.upstream import Connection, Upstream, answer, expect

from dragoman.access.secret import create_secret

KEY = create_secret()
KINDS = {
    "openai_embeddings": "openai",
    "cohere_embed": "cohere",
    "gemini_embed": "gemini",
    "vertex_predict": "vertex",
    "rerank": "jina",
    "cohere_rerank": "cohere",
    "voyage_rerank": "voyageai",
    "bedrock_invoke": "bedrock",
}
TITAN = {"embedding": VECTORS[0], "inputTextTokenCount": TOKENS}


def play(connection: Connection) -> None:
    """The provider that the path's beginning names answers."""
    assert connection.request is not None
    name = connection.request.path.split("/")[2]
    told = TITAN if name == "bedrock_invoke" else (EMBED | RERANK)[name][2]
    answer(json.dumps(told).encode())(connection)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Upstream() as upstream:
        upstream.reply(expect, play)
        about = {"api_key": SECRET, "allow_private": True}
        providers = {
            name: about | {"kind": kind, "base_url": f"{upstream.base_url}/{name}", "dialects": [name]}
            for name, kind in KINDS.items()
        }
        deployments = {name: {"provider": name, "model": "m"} for name in KINDS}
        deployments["vectors"] = deployments["gemini_embed"]
        config = {"providers": providers, "deployments": deployments, "keys": [{"name": "sdk", "secret": KEY}]}
        with Gateway(config, tmp_path_factory.mktemp("sdks")) as running:
            yield running


@pytest.mark.parametrize("model", EMBED)
def test_openai(gateway: Gateway, model: str) -> None:
    """It asks for base64 by itself, and takes it apart."""
    with openai.OpenAI(base_url=gateway.base_url, api_key=KEY, max_retries=0) as client:
        for encoding in ({}, {"encoding_format": "float"}):
            told = client.embeddings.create(model=model, input=TEXTS, **encoding)  # type: ignore[arg-type]
            assert [one.embedding for one in sorted(told.data, key=lambda one: one.index)] == VECTORS
            assert told.usage.prompt_tokens == TOKENS


@pytest.mark.parametrize("model", EMBED)
def test_google(gateway: Gateway, model: str) -> None:
    options = types.HttpOptions(base_url=gateway.base_url.removesuffix("/v1"))
    client = genai.Client(api_key=KEY, http_options=options)
    # Of a model whose name has "gemini" in it, the SDK asks for one vector of all the texts.
    named = "vectors" if model == "gemini_embed" else model
    told: Any = client.models.embed_content(model=named, contents=TEXTS)  # type: ignore[arg-type]
    client.close()
    assert [one.values for one in told.embeddings] == VECTORS


@pytest.fixture
def commander(gateway: Gateway) -> Iterator[cohere.ClientV2]:
    client = cohere.ClientV2(api_key=KEY, base_url=gateway.base_url.removesuffix("/v1"))
    yield client
    client._client_wrapper.httpx_client.httpx_client.close()  # it has no method for that


@pytest.mark.parametrize("model", EMBED)
def test_cohere_embed(commander: cohere.ClientV2, model: str) -> None:
    told = commander.embed(model=model, texts=TEXTS, input_type="search_document", embedding_types=["float"])
    assert told.embeddings.float_ == VECTORS


@pytest.mark.parametrize("model", RERANK)
def test_cohere_rerank(commander: cohere.ClientV2, model: str) -> None:
    told = commander.rerank(model=model, query="Germany?", documents=DOCUMENTS, top_n=2)
    assert [{"index": one.index, "relevance_score": one.relevance_score} for one in told.results] == PLACES


def test_a_model_of_bedrock_s_own(gateway: Gateway) -> None:
    keys = {"aws_access_key_id": KEY, "aws_secret_access_key": KEY, "region_name": "eu-west-1"}
    client: Any = boto3.client("bedrock-runtime", endpoint_url=gateway.base_url.removesuffix("/v1"), **keys)
    told = client.invoke_model(modelId="bedrock_invoke", body=json.dumps({"inputText": "hello"}))
    with told["body"] as body:
        assert json.loads(body.read()) == TITAN
    client.close()
