from __future__ import annotations

import json
from typing import Any

import pytest
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream, expect
from tests.gateway.upstream import answer as answer_with
from tests.routing.claude import config, message, messages_body
from tests.served import Serve, Served, chat_body

from dragoman.dialects.canonical import Proof
from dragoman.dialects.continuity import seal


@pytest.fixture
def claude(serve: Serve, upstream: Upstream) -> Served:
    return serve(config(upstream.base_url, route={"retries": 0}))


def test_the_client_s_own_bytes_go_to_a_provider_of_its_dialect(claude: Served, upstream: Upstream) -> None:
    raw = messages_body(metadata={"user_id": "u"}).replace(b": ", b" :  ")
    upstream.reply(expect, answer_with(message()))
    claude.ask("POST", "/v1/messages", raw, anthropic_beta="x-1", anthropic_version="2023-06-01")
    (sent,) = upstream.received()
    assert sent.body == raw.replace(b'"chat"', b'"claude-sonnet-4-5"')
    assert (sent.headers["anthropic-beta"], sent.headers["anthropic-version"]) == ("x-1", "2023-06-01")


def test_what_is_lost_is_named(claude: Served, upstream: Upstream) -> None:
    upstream.reply(expect, answer_with(message()))
    response = claude.chat(seed=1)
    assert response.headers["x-dragoman-lossy"] == "seed"
    assert claude.row(response).lossy == "seed"


def test_and_refused_where_that_is_asked_for(claude: Served, upstream: Upstream) -> None:
    response = claude.chat({"x_dragoman_strict": "true"}, seed=1)
    error = response.json["error"]
    assert (response.status, error["code"], error["param"]) == (400, "lossy_translation", "seed")
    assert upstream.requests == []


def test_what_changes_the_meaning_is_refused_unless_it_is_allowed(claude: Served, upstream: Upstream) -> None:
    assert claude.chat(n=2).json["error"]["param"] == "n"
    upstream.reply(expect, answer_with(message()))
    response = claude.chat({"x_dragoman_lossy": "allow"}, n=2)
    assert (response.status, response.headers["x-dragoman-lossy"]) == (200, "n")


def test_another_deployment_may_carry_what_one_cannot(serve: Serve, upstream: Upstream) -> None:
    made = config(upstream.base_url, upstream.base_url)
    made["providers"]["up1"]["kind"] = "openai"
    served = serve(made)
    upstream.reply(expect, answer_with())
    response = served.chat(n=2)
    assert (response.status, response.headers["x-dragoman-deployment"]) == (200, "up1")
    assert served.row(response).attempts == 2


def test_an_endpoint_that_nobody_translates_names_the_provider(claude: Served) -> None:
    body = json.dumps({"model": "chat", "prompt": "x"}).encode()
    response = claude.ask("POST", "/v1/completions", body)
    assert (response.status, response.code) == (400, "unsupported_endpoint")


def thought(proof: Proof) -> dict[str, Any]:
    return {"type": "thinking", "thinking": "hm", "signature": seal(proof)}


def test_what_another_family_has_proved_is_not_for_this_one(claude: Served, upstream: Upstream) -> None:
    foreign = thought(Proof(kind="encrypted", value="enc", family="openai"))
    said = {"role": "assistant", "content": [foreign, {"type": "text", "text": "x"}]}
    body = messages_body(messages=[{"role": "user", "content": "Hi"}, said, {"role": "user", "content": "And?"}])
    upstream.reply(expect, answer_with(message()))
    response = claude.ask("POST", "/v1/messages", body)
    (sent,) = upstream.received()
    assert sent.json["messages"][1]["content"] == "x"
    assert response.headers["x-dragoman-lossy"] == "reasoning"


def test_a_request_that_is_none_of_its_dialect_is_the_client_s_fault(claude: Served, upstream: Upstream) -> None:
    response = claude.chat(messages=[{"role": "nobody", "content": "Hi"}])
    assert (response.status, response.json["error"]["param"]) == (400, "messages[0].role")
    assert upstream.requests == []


@pytest.mark.parametrize("kind", ["groq", "anthropic"])
def test_fields_of_the_configuration_go_into_every_request(serve: Serve, upstream: Upstream, kind: str) -> None:
    """As they stand, whether a request is passed on or translated."""
    provider = {"kind": kind, "body": {"project_id": "p", "n": None}}
    served = serve(config_for(upstream.base_url, provider=provider))
    upstream.reply(expect, answer_with())
    served.ask("POST", "/v1/chat/completions", chat_body())
    sent = upstream.requests[-1].json
    assert (sent["project_id"], sent["n"]) == ("p", None)


def test_watsonx_is_asked_in_its_own_words_with_a_token_for_its_key(serve: Serve, upstream: Upstream) -> None:
    authority = f"http://127.0.0.1:{upstream.port}"
    provider = {
        "kind": "watsonx",
        "credentials": [{"ibm": {"api_key": "k", "authority": authority}}],
        "body": {"project_id": "p"},
        "api_key": "",
    }
    served = serve(config_for(upstream.base_url, provider=provider))
    upstream.reply(expect, answer_with(b'{"access_token":"eyJ.a","expires_in":3600}'))
    upstream.reply(expect, answer_with())
    assert served.ask("POST", "/v1/chat/completions", chat_body()).status == 200
    exchanged, asked = upstream.received(2)
    assert exchanged.path == "/identity/token"
    assert (asked.path, asked.headers["authorization"]) == ("/v1/text/chat?version=2025-02-11", "Bearer eyJ.a")
    assert (asked.json["model_id"], asked.json["project_id"]) == ("gpt-4o-mini", "p")
