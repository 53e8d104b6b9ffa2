from __future__ import annotations

import base64
import json

import pytest
from tests.gateway.upstream import Upstream, answer, expect
from tests.routing.claude import config, messages_body
from tests.served import Serve, Served

PATH = "/v1/messages/count_tokens"


@pytest.fixture
def claude(serve: Serve, upstream: Upstream) -> Served:
    return serve(config(upstream.base_url))


def test_the_provider_is_asked(claude: Served, upstream: Upstream) -> None:
    upstream.reply(expect, answer(b'{"input_tokens":12}'))
    response = claude.ask("POST", PATH, messages_body(stream=True))
    assert (response.json, response.headers["x-dragoman-counted-by"]) == ({"input_tokens": 12}, "provider")
    (sent,) = upstream.received()
    assert (sent.path, sent.json["model"]) == (PATH, "claude-sonnet-4-5")
    assert {"max_tokens", "stream"}.isdisjoint(sent.json)


@pytest.mark.parametrize("step", [answer(b"{}", 500), answer(b"[]"), answer(b"no")])
def test_where_it_does_not_say_it_is_counted_here(claude: Served, upstream: Upstream, step: object) -> None:
    upstream.reply(expect, step)  # type: ignore[arg-type]
    response = claude.ask("POST", PATH, messages_body())
    assert response.headers["x-dragoman-counted-by"] == "gateway"
    assert 4 <= response.json["input_tokens"] <= 12  # what other answers of the model have taught is taken in


def test_one_whose_cooldown_is_over_is_not_asked(claude: Served, upstream: Upstream) -> None:
    """That would be its probe, and prove nothing."""
    (member,) = claude.gateway.balancer.members()
    claude.gateway.balancer.freeze(1)
    claude.gateway.balancer.cool_down(member.name, 1)
    claude.gateway.balancer.freeze(3)
    response = claude.ask("POST", PATH, messages_body())
    assert (response.headers["x-dragoman-counted-by"], upstream.requests) == ("gateway", [])
    (member,) = claude.gateway.balancer.members()
    assert (member.breaker, member.in_flight) == ("open", 0)


def test_providers_without_a_word_for_it_are_not_asked(served: Served, upstream: Upstream) -> None:
    body = b'{"contents":[{"parts":[{"text":"Hello there."}]}]}'
    response = served.ask("POST", "/v1beta/models/chat:countTokens", body)
    assert response.json == {"totalTokens": 3 + 7}, "the text, and what is billed around one message"
    assert upstream.requests == []


def test_edge_44_bedrock_is_asked_with_the_body_of_an_invocation(serve: Serve, upstream: Upstream) -> None:
    served = serve(config(upstream.base_url, kind="bedrock"))
    upstream.reply(expect, answer(b'{"inputTokens":7}'))
    assert served.ask("POST", PATH, messages_body()).json == {"input_tokens": 7}
    (sent,) = upstream.received()
    assert sent.path.endswith("/count-tokens")
    invoked = json.loads(base64.b64decode(sent.json["input"]["invokeModel"]["body"]))
    assert invoked["anthropic_version"] == "bedrock-2023-05-31"
    assert invoked["messages"][0]["role"] == "user"


def test_one_dialect_is_asked_for_another(serve: Serve, upstream: Upstream) -> None:
    served = serve(config(upstream.base_url, kind="gemini"))
    upstream.reply(expect, answer(b'{"totalTokens":5}'))
    body = json.dumps({"input": {"converse": {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}}}).encode()
    assert served.ask("POST", "/model/chat/count-tokens", body).json == {"inputTokens": 5}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"model":"chat","messages":7}', "messages"),
        (b'{"messages":[{"role":"user","content":"x"}]}', "model"),
        (b"7", None),
    ],
)
def test_what_is_wrong_is_told_in_the_client_s_words(claude: Served, body: bytes, param: str | None) -> None:
    response = claude.ask("POST", PATH, body)
    assert (response.status, response.json["error"]["type"]) == (400, "invalid_request_error")
    assert param is None or param in response.json["error"]["message"]
