from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.gateway.gateway import SECRET, config_for
from tests.gateway.upstream import Upstream, answer, chat_answer, expect, stream
from tests.served import Protocol, Serve, Served, chat_body

from dragoman import pipeline
from dragoman.access.secret import create_secret

CHAT = "/v1/chat/completions"


@pytest.fixture
def served(serve: Serve, upstream: Upstream) -> Served:
    upstream.reply(expect, answer())
    return serve(config_for(upstream.base_url))


def test_a_request_straight_down(served: Served, upstream: Upstream) -> None:
    response = served.chat(headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}, user="ann", temperature=0.5)
    assert (response.status, response.body) == (200, chat_answer())
    (sent,) = upstream.received()
    assert sent.json == json.loads(chat_body(model="gpt-4o-mini", user="ann", temperature=0.5))
    assert sent.headers["authorization"] == f"Bearer {SECRET}"
    assert sent.headers["traceparent"].startswith(f"00-{'a' * 32}-")
    row = served.row(response)
    assert (row.status, row.endpoint, row.alias, row.end_user) == (200, "chat", "chat", "ann")
    assert (row.input_tokens, row.output_tokens, row.usage_source) == (9, 3, "provider")
    assert (row.attempts, row.trace_id, row.stream) == (1, "a" * 32, False)
    assert row.cost_nanousd is not None
    assert float(response.headers["x-dragoman-cost-estimate"]) > 0


def test_usage_is_asked_for_on_the_gateway_s_behalf_and_kept_to_it(served: Served, upstream: Upstream) -> None:
    upstream.reply(expect, stream())
    served.chat()
    response = served.chat(stream=True)
    assert upstream.received(2)[1].json["stream_options"] == {"include_usage": True}
    assert b'"usage"' not in response.body
    assert served.row(response).input_tokens == 9


REFUSED: list[tuple[bytes, int, str, str | None]] = [
    (b"", 400, "invalid_json", None),
    (b"[]", 400, "not_an_object", None),
    (b'{"model": "chat", "model": "chat"}', 400, "duplicate_key", "model"),
    (b'{"model": "chat", "x": NaN}', 400, "not_finite", "x"),
    (b'{"model": "chat", "x": "\\ud800"}', 400, "invalid_encoding", "x"),
    (b'{"model": "chat", "x": "\xff"}', 400, "invalid_encoding", None),
    (b'{"model": "chat", "x": ' + b"[" * 128 + b"]" * 128 + b"}", 400, "too_deep", None),
    (b'{"model": "chat", "max_tokens": -1}', 400, "invalid_value", "max_tokens"),
    (b'{"messages": []}', 400, "missing_model", "model"),
    (b'{"model": ""}', 400, "missing_model", "model"),
    (b'{"model": null}', 400, "missing_model", "model"),
    (b'{"model": "none"}', 404, "model_not_found", "model"),
    (b'{"model": "chat", "fallbacks": "up0"}', 400, "invalid_request", "fallbacks"),
    (b'{"model": "chat", "fallbacks": ["none"]}', 404, "model_not_found", "model"),
]


@pytest.mark.parametrize(("body", "status", "code", "param"), REFUSED)
def test_what_cannot_be_sent_is_refused_and_recorded(
    served: Served, upstream: Upstream, body: bytes, status: int, code: str, param: str | None
) -> None:
    response = served.ask("POST", CHAT, body)
    assert (response.status, response.code) == (status, code)
    assert param is None or response.json["error"]["param"] == param
    assert upstream.requests == []
    row = served.row(response)
    assert (row.status, row.error_code, row.fault, row.attempts, row.usage_source) == (
        status,
        code,
        "client",
        0,
        "none",
    )


def test_the_depth_that_is_allowed_is(served: Served) -> None:
    deep = b"[" * 127 + b"]" * 127
    assert served.ask("POST", CHAT, b'{"model": "chat", "messages": [], "x": ' + deep + b"}").status == 200


def test_a_key_is_looked_at_before_the_body(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url, keys=[{"name": "k", "secret": create_secret()}]))
    request = served.begin("POST", CHAT, None, content_length="5")
    assert (request.wait().status, request.code) == (401, "invalid_api_key")
    assert served.gateway.writer.queued == served.gateway.writer.written == 0


def test_the_headers_are_read_before_the_body(served: Served) -> None:
    request = served.begin("POST", CHAT, None, content_length="5", x_dragoman_retries="many")
    assert (request.wait().status, request.code) == (400, "invalid_header")
    assert served.row(request).error_code == "invalid_header"


def given_up(served: Served, how: Callable[[Any], None]) -> Protocol:
    request = served.begin("POST", CHAT, None, content_length="5")
    (in_flight,) = served.app.in_flight
    how(in_flight)
    in_flight.give_up()
    return request.wait()


def test_a_body_that_does_not_come_is_recorded_as_such(served: Served) -> None:
    response = given_up(served, lambda request: None)
    assert (response.status, response.code) == (408, "request_timeout")
    row = served.row(response)
    assert (row.status, row.error_code, row.fault) == (408, "request_timeout", "client")


def test_a_body_that_the_process_waits_for_no_longer(served: Served) -> None:
    response = given_up(served, lambda request: setattr(request, "stopping", True))
    assert (response.status, response.code) == (503, "shutting_down")
    assert served.row(response).error_code == "shutting_down"


def test_a_client_that_hangs_up_within_its_body(served: Served) -> None:
    ids = []

    def leave(request: Any) -> None:
        request.gone = True
        ids.append(request.id)

    assert given_up(served, leave).status == 0
    row = served.gateway.writer.find(ids[0])
    assert row is not None
    assert (row.status, row.error_code) == (499, "client_closed_request")


def test_a_bug_is_recorded_as_one(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(pipeline, "admit", broken)
    response = served.chat()
    assert (response.status, response.code) == (500, "internal_error")
    row = served.row(response)
    assert (row.status, row.error_code, row.fault) == (500, "internal_error", "gateway")
    assert served.gateway.metrics.internal_errors == 1
    monkeypatch.undo()
    assert served.chat().status == 200


@pytest.mark.parametrize("path", [CHAT, "/v1/explain"])
def test_a_chat_without_messages_is_none(served: Served, upstream: Upstream, path: str) -> None:
    response = served.ask("POST", path, b'{"model": "chat"}')
    assert (response.status, response.code) == (400, "invalid_request")
    assert "messages" in response.json["error"]["message"]
    assert upstream.requests == []


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/embeddings"])
@pytest.mark.parametrize("body", [b'{"model": "chat"}', b'{"model": "chat", "prompt": 7, "input": {"a": [{}]}}'])
def test_what_is_odd_elsewhere_is_the_provider_s_to_judge(served: Served, path: str, body: bytes) -> None:
    assert served.ask("POST", path, body).status == 200


def test_fallbacks_may_stand_in_the_body(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for("http://127.0.0.1:9/v1", upstream.base_url))
    upstream.reply(expect, answer())
    response = served.chat(headers={"x-dragoman-retries": "0"}, model="up0", fallbacks=["up1"])
    assert (response.status, response.headers["x-dragoman-deployment"]) == (200, "up1")
    assert "fallbacks" not in upstream.received()[0].json


def test_the_key_caps_what_may_be_asked(serve: Serve, upstream: Upstream) -> None:
    secret = create_secret()
    key = {"name": "k", "secret": secret, "allow": ["chat"], "max_retries": 0, "allow_fallbacks": False}
    served = serve(config_for(upstream.base_url, keys=[key]))
    upstream.reply(expect, answer(b"{}", 500))
    bearer = {"authorization": f"Bearer {secret}"}
    assert served.chat(headers=bearer | {"x-dragoman-retries": "3"}).status == 502
    assert len(upstream.requests) == 1
    refused = served.chat(headers=bearer | {"x-dragoman-fallbacks": "up0"})
    assert (refused.status, refused.code) == (403, "forbidden")
    refused = served.chat(headers=bearer, model="up0")
    assert (refused.status, refused.code) == (403, "model_not_allowed")
    assert served.row(refused).key_id != ""


def test_a_key_is_used_where_and_for_what_it_may_be(serve: Serve, upstream: Upstream) -> None:
    upstream.reply(expect, answer())
    keys = [
        {"name": "here", "secret": create_secret(), "ip_ranges": ["127.0.0.0/8"], "surfaces": ["chat"]},
        {"name": "there", "secret": create_secret(), "ip_ranges": ["10.0.0.0/8"]},
    ]
    served = serve(config_for(upstream.base_url, keys=keys))
    here, there = ({"authorization": f"Bearer {key['secret']}"} for key in keys)
    assert served.chat(headers=here).status == 200
    refused = served.ask("POST", "/v1/embeddings", b'{"model": "chat", "input": "x"}', **here)
    assert (refused.status, refused.code) == (403, "surface_not_allowed")
    passed = served.ask("POST", "/v1/images/generations", b'{"model": "up0/x"}', **here)
    assert (passed.status, passed.code) == (403, "surface_not_allowed")
    strange = served.chat(headers=there)
    unknown = served.chat(headers={"authorization": f"Bearer {create_secret()}"})
    assert (strange.status, strange.json["error"]["message"]) == (401, unknown.json["error"]["message"])
