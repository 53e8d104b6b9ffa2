from __future__ import annotations

import json
from typing import Any

import pytest
from tests.gateway.upstream import DONE, Upstream, expect, finish, pause, send, stream_head
from tests.gateway.upstream import answer as answer_with
from tests.gateway.upstream import chunk as piece
from tests.gateway.upstream import stream as chat_stream
from tests.routing.claude import config, error, event, events, message, messages_body, stream
from tests.served import Protocol, Serve, Served, chat_body


@pytest.fixture
def claude(serve: Serve, upstream: Upstream) -> Served:
    """An OpenAI client's gateway to a provider of Anthropic's dialect."""
    return serve(config(upstream.base_url, route={"retries": 0}))


def chunks(answer: Protocol) -> list[Any]:
    """The chunks of a chat stream."""
    assert answer.body.endswith(DONE)
    return [json.loads(part.removeprefix(b"data: ")) for part in answer.body.split(b"\n\n")[:-2]]


def test_a_whole_answer_is_read_and_written(claude: Served, upstream: Upstream) -> None:
    upstream.reply(expect, answer_with(message()))
    response = claude.chat()
    assert response.json["choices"][0]["message"]["content"] == "Hello."
    assert response.json["usage"]["total_tokens"] == 12
    (sent,) = upstream.received()
    (turn,) = sent.json["messages"]
    assert (sent.path, turn["role"], turn["content"][0]["text"]) == ("/v1/messages", "user", "Hello there.")
    assert "x-api-key" in sent.headers
    row = claude.row(response)
    assert (row.input_tokens, row.output_tokens, row.usage_source, row.finish_reason) == (9, 3, "provider", "end_turn")


def test_a_stream_is_read_and_written(claude: Served, upstream: Upstream) -> None:
    upstream.reply(expect, stream())
    response = claude.chat(stream=True)
    assert response.headers["content-type"].startswith("text/event-stream")
    said = [one["choices"][0]["delta"].get("content") or "" for one in chunks(response) if one["choices"]]
    assert "".join(said) == "Hello."
    assert response.complete
    row = claude.row(response)
    assert (row.input_tokens, row.output_tokens, row.usage_source, row.stream) == (9, 5, "provider", True)
    assert row.first_token_ms is not None


def test_an_error_before_the_first_word_is_tried_elsewhere(serve: Serve, upstream: Upstream) -> None:
    served = serve(config(upstream.base_url, upstream.base_url))
    overloaded = event("error", error={"type": "overloaded_error", "message": "busy"})
    upstream.reply(expect, stream([events()[0], overloaded]))
    upstream.reply(expect, stream())
    response = served.chat(stream=True)
    assert "".join(one["choices"][0]["delta"].get("content") or "" for one in chunks(response)) == "Hello."
    assert served.row(response).attempts == 2


def test_an_error_after_it_is_told_in_the_stream(claude: Served, upstream: Upstream) -> None:
    overloaded = event("error", error={"type": "overloaded_error", "message": "busy"})
    upstream.reply(expect, stream([*events()[:3], overloaded]))
    response = claude.chat(stream=True)
    assert b'"content":"Hel"' in response.body
    assert b"busy" in response.body
    row = claude.row(response)
    assert (row.error_code, row.attempts) == ("upstream_status", 1)


def test_a_stream_that_is_cut_after_its_first_word_says_so(claude: Served, upstream: Upstream) -> None:
    upstream.reply(expect, send(stream_head() + b"".join(map(piece, events()[:3]))), finish)
    response = claude.chat(stream=True)
    assert b'"error"' in response.body
    assert claude.row(response).error_code == "upstream_cut"


def test_edge_42_a_call_that_could_not_be_made_is_tried_again(serve: Serve, upstream: Upstream) -> None:
    served = serve(config(upstream.base_url, upstream.base_url, kind="gemini"))
    broken = {"candidates": [{"content": {}, "finishReason": "MALFORMED_FUNCTION_CALL", "index": 0}]}
    good = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]}
    for body in (broken, good):
        upstream.reply(expect, answer_with(json.dumps(body).encode()))
    response = served.chat()
    assert response.json["choices"][0]["message"]["content"] == "Hi"
    assert served.row(response).attempts == 2


def test_an_answer_that_cannot_be_read_is_the_provider_s_fault(claude: Served, upstream: Upstream) -> None:
    upstream.reply(expect, answer_with(b'{"content":7}'))
    response = claude.chat()
    assert (response.status, response.code) == (502, "upstream_protocol")


def test_what_the_provider_rejects_is_told_in_the_client_s_words(claude: Served, upstream: Upstream) -> None:
    upstream.reply(expect, error("invalid_request_error", "max_tokens: too large", 400))
    response = claude.chat()
    assert (response.status, response.json["error"]["message"]) == (400, "max_tokens: too large")


def test_silence_keeps_the_client_s_connection_alive(serve: Serve, upstream: Upstream) -> None:
    served = serve(config(upstream.base_url, server={"limits": {"heartbeat_s": 0.05}}))
    parts = events()
    first = stream_head() + b"".join(map(piece, parts[:3]))
    rest = b"".join(map(piece, parts[3:])) + b"0\r\n\r\n"
    upstream.reply(expect, send(first), pause(0.3), send(rest))
    assert b": ping" in served.chat(stream=True).body


def test_an_answer_of_the_client_s_own_dialect_comes_byte_by_byte(claude: Served, upstream: Upstream) -> None:
    whole = message("é", extra={"kept": [1.0]})
    upstream.reply(expect, answer_with(whole))
    response = claude.ask("POST", "/v1/messages", messages_body())
    assert response.body == whole
    assert claude.row(response).output_tokens == 3


def test_and_a_stream_as_well(claude: Served, upstream: Upstream) -> None:
    parts = [*events()[:2], b": comment\n\n", event("ping"), *events()[2:]]
    upstream.reply(expect, stream(parts))
    response = claude.ask("POST", "/v1/messages", messages_body(stream=True))
    assert response.body == b"".join(parts)
    assert (claude.row(response).output_tokens, claude.row(response).finish_reason) == (5, "end_turn")


def test_a_relayed_stream_that_fails_before_its_first_word_is_tried_elsewhere(serve: Serve, upstream: Upstream) -> None:
    served = serve(config(upstream.base_url, upstream.base_url))
    upstream.reply(expect, stream([event("error", error={"type": "overloaded_error", "message": "busy"})]))
    upstream.reply(expect, stream())
    response = served.ask("POST", "/v1/messages", messages_body(stream=True))
    assert response.body == b"".join(events())
    assert served.row(response).attempts == 2


def test_a_provider_s_own_last_words_are_not_said_twice(claude: Served, upstream: Upstream) -> None:
    parts = [*events()[:3], event("error", error={"type": "overloaded_error", "message": "busy"})]
    upstream.reply(expect, stream(parts))
    response = claude.ask("POST", "/v1/messages", messages_body(stream=True))
    assert response.body == b"".join(parts)
    assert claude.row(response).error_code


def test_an_openai_provider_serves_an_anthropic_client(serve: Serve, upstream: Upstream) -> None:
    served = serve(config(upstream.base_url, kind="openai"))
    upstream.reply(expect, chat_stream())
    response = served.ask("POST", "/v1/messages", messages_body(stream=True))
    names = [line.removeprefix(b"event: ") for line in response.body.split(b"\n") if line.startswith(b"event: ")]
    assert (names[0], names[-1]) == (b"message_start", b"message_stop")
    row = served.row(response)
    assert (row.input_tokens, row.output_tokens, row.usage_source) == (9, 3, "provider")


def test_a_client_that_leaves_ends_the_attempt(claude: Served, upstream: Upstream) -> None:
    first = stream_head() + b"".join(map(piece, events()[:3]))
    upstream.reply(expect, send(first), pause(5))
    request = claude.begin("POST", "/v1/chat/completions", chat_body(stream=True))
    while not request.pieces:
        assert not request.ended.wait(0.01)
    (in_flight,) = claude.app.in_flight
    in_flight.gone = True
    in_flight.give_up()
    request.wait()
    assert upstream.closed() is not None
    assert claude.row(request).error_code == "client_closed_request"
