"""What is passed through, held to prompt controls or refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from tests.gateway.gateway import SECRET, Gateway
from tests.gateway.upstream import Upstream, answer, expect
from tests.guardrails.prompts.test_apply import SYSTEM, TEMPLATES
from tests.served import Protocol, Serve, Served

from dragoman.access.secret import create_secret

KEY = create_secret()
CONTROLS = {
    "decorators": {"house": {"prepend": "Obey the house."}},
    "parameters": {"cheap": {"caps": {"max_tokens": 100}, "forbidden": ["service_tier"]}},
}
CALL = {"id": "support", "variables": {"product": "Lamp"}}
SAID = [{"role": "user", "content": "Hi"}]
BATCH: dict[str, Any] = {
    "requests": [
        {"custom_id": "a", "params": {"model": "m", "max_tokens": 500, "messages": SAID}},
        {"custom_id": "b", "params": {"model": "m", "max_tokens": 50, "messages": SAID}},
    ]
}


def config(upstream: Upstream, **prompts: Any) -> dict[str, Any]:
    about = {"base_url": upstream.base_url, "api_key": SECRET, "allow_private": True}
    return {
        "providers": {"oai": about | {"kind": "openai"}, "claude": about | {"kind": "anthropic"}},
        "prompts": {"templates": TEMPLATES} | prompts,
    }


def ask(served: Served, path: str, body: Any, provider: str = "oai", **headers: str) -> Protocol:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return served.ask("POST", path, raw, **{"x_dragoman_deployment": provider} | headers)


@pytest.fixture
def served(serve: Serve, upstream: Upstream) -> Served:
    upstream.reply(expect, answer(b'{"id": "x"}'))
    return serve(config(upstream, **CONTROLS))


@pytest.mark.parametrize("path", ["/v1/responses/compact", "/v1/responses/input_tokens"])
def test_a_body_of_a_known_dialect_is_held_to_them(served: Served, upstream: Upstream, path: str) -> None:
    told = ask(served, path, {"model": "oai/m", "input": "Hi", "max_output_tokens": 500})
    assert told.status == 200, told.body
    sent = upstream.received()[0].json
    assert (sent["instructions"], sent["max_output_tokens"]) == ("Obey the house.", 100)
    assert told.headers["x-dragoman-parameters"] == "max_tokens=capped"
    refused = ask(served, path, {"model": "oai/m", "input": "Hi", "service_tier": "priority"})
    assert (refused.status, refused.code) == (400, "parameter_forbidden")


def test_each_request_of_a_batch_is(served: Served, upstream: Upstream) -> None:
    told = ask(served, "/v1/messages/batches", BATCH, "claude")
    assert told.status == 200, told.body
    sent = [one["params"] for one in upstream.received()[0].json["requests"]]
    assert [one["max_tokens"] for one in sent] == [100, 50]
    assert all("Obey the house." in json.dumps(one["system"]) for one in sent)


@pytest.mark.parametrize("body", [{}, {"requests": {}}, {"requests": [1]}, {"requests": [{"custom_id": "a"}]}])
def test_a_batch_that_is_none_is_refused(served: Served, upstream: Upstream, body: Any) -> None:
    refused = ask(served, "/v1/messages/batches", body, "claude")
    assert (refused.status, upstream.requests) == (400, [])
    assert "requests" in refused.body.decode()


def test_a_known_path_s_body_has_to_be_json(served: Served, upstream: Upstream) -> None:
    refused = ask(served, "/v1/responses/compact", b"x", content_type="text/plain")
    assert (refused.status, refused.code, upstream.requests) == (400, "invalid_json", [])


OPAQUE = [
    ("/v1/images/generations", b'{"prompt": "A gate."}', "application/json"),
    ("/v1/audio/speech", b'{"input": "Hi"}', "application/json"),
    ("/v1/batches", b'{"input_file_id": "f"}', "application/json"),
    ("/v1/files", b"--x--\r\n", "multipart/form-data; boundary=x"),
    ("/v1/realtime/client_secrets", b"{}", "application/json"),
    ("/v1/threads/runs", b"{}", "application/json"),
]


@pytest.mark.parametrize(("path", "body", "content_type"), OPAQUE)
def test_what_cannot_be_read_does_not_get_by(
    served: Served, upstream: Upstream, path: str, body: bytes, content_type: str
) -> None:
    refused = ask(served, path, body, content_type=content_type)
    assert (refused.status, refused.code, upstream.requests) == (400, "uncontrolled_prompt", [])
    message = refused.json["error"]["message"]
    assert "prompts.decorators.house and prompts.parameters.cheap" in message
    assert path.removeprefix("/v1") in message


def test_no_template_is_called_where_bodies_are_not_read(serve: Serve, upstream: Upstream) -> None:
    upstream.reply(expect, answer(b'{"id": "x"}'))
    served = serve(config(upstream))
    refused = ask(served, "/v1/images/generations", {"prompt": CALL})
    assert (refused.status, refused.code, upstream.requests) == (400, "uncontrolled_prompt", [])
    for other in ("A gate.", {"id": "pmpt_1"}, {"text": "A gate."}, None):
        assert ask(served, "/v1/images/generations", {"prompt": other}).status == 200


def test_what_asks_no_model_for_words_passes(served: Served) -> None:
    assert ask(served, "/v1/moderations", {"input": "Hi"}).status == 200
    assert ask(served, "/v1/batches/b1/cancel", b"").status == 200
    assert served.get("/v1/files", x_dragoman_deployment="oai").status == 200


def test_what_is_only_usual_holds_nobody_up(serve: Serve, upstream: Upstream) -> None:
    upstream.reply(expect, answer(b'{"id": "x"}'))
    usual = {"usual": {"defaults": {"temperature": 0.1}, "prompt_cache": True}}
    served = serve(config(upstream, parameters=usual))
    assert ask(served, "/v1/images/generations", {"prompt": "A gate."}).status == 200


def test_whom_they_are_not_for_passes(serve: Serve, upstream: Upstream) -> None:
    upstream.reply(expect, answer(b'{"id": "x"}'))
    house = {"house": {"prepend": "Obey.", "applies_to": {"teams": ["shop"]}}}
    served = serve(config(upstream, decorators=house))
    body = b'{"prompt": "A  gate."}'
    assert ask(served, "/v1/images/generations", body).status == 200
    assert upstream.received()[0].body == body


# The vendors' SDKs, calling a template --------------------------------------------------------------------------------


@pytest.fixture
def gateway(upstream: Upstream, tmp_path: Any) -> Iterator[Gateway]:
    upstream.reply(expect, answer(b'{"id": "x", "object": "response.input_tokens", "input_tokens": 3}'))
    with Gateway(config(upstream, **CONTROLS) | {"keys": [{"name": "sdk", "secret": KEY}]}, tmp_path) as running:
        yield running


def test_openai_s_sdk_calls_a_template(gateway: Gateway, upstream: Upstream) -> None:
    about: dict[str, Any] = {"prompt": CALL}
    with openai.OpenAI(base_url=gateway.base_url, api_key=KEY, max_retries=0) as client:
        raw = client.responses.input_tokens.with_raw_response.count(model="oai/m", input="Dark.", extra_body=about)
    assert raw.headers["x-dragoman-prompt"] == "support@2"
    sent = upstream.received()[0].json
    assert sent["instructions"].startswith("Obey the house.") and SYSTEM in sent["instructions"]
    assert "Dark." in json.dumps(sent["input"])


def test_anthropic_s_sdk_calls_one_in_a_batch(gateway: Gateway, upstream: Upstream) -> None:
    params: Any = {"model": "m", "max_tokens": 500, "messages": [{"role": "user", "content": "Dark."}], "prompt": CALL}
    root = gateway.base_url.removesuffix("/v1")
    with anthropic.Anthropic(base_url=root, api_key=KEY, max_retries=0) as client:
        about = {"x-dragoman-deployment": "claude"}
        client.messages.batches.create(requests=[{"custom_id": "a", "params": params}], extra_headers=about)
    (sent,) = (one["params"] for one in upstream.received()[0].json["requests"])
    assert SYSTEM in json.dumps(sent["system"]).replace('\\"', '"')
    assert (sent["max_tokens"], "prompt" in sent) == (100, False)
