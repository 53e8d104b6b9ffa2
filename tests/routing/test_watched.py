"""Answers of the client's own dialect, before guardrails that look at them."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from tests.gateway.upstream import DONE, Upstream, chat_answer, expect, finish, send, stream_head, until
from tests.gateway.upstream import answer as answer_with
from tests.gateway.upstream import chunk as piece
from tests.routing.claude import config, event, events, message, messages_body, stream
from tests.served import Protocol, Serve, Served

from dragoman.routing.watched import frames_of

GUARDRAILS = {"topics": {"words": {"deny": ["plutonium"]}, "on": ["output", "tool_arguments"]}}
LONG = [f"word {number} " for number in range(200)]


@pytest.fixture
def openai(serve: Serve, upstream: Upstream) -> Served:
    return serve(config(upstream.base_url, kind="openai", guardrails=GUARDRAILS, route={"retries": 0}))


@pytest.fixture
def claude(serve: Serve, upstream: Upstream) -> Served:
    return serve(config(upstream.base_url, guardrails=GUARDRAILS, route={"retries": 0}))


def ask_claude(served: Served, **fields: Any) -> Protocol:
    return served.ask("POST", "/v1/messages", messages_body(**fields))


def odd_chunks(texts: list[str]) -> list[bytes]:
    """Events of a chat stream, in spaces and fields that no writer of ours has."""
    said = [
        f'data:  {{"choices" : [{{"index":0,"delta":{{"content":{json.dumps(text)}}}}}],"odd":1.50}}\n\n'.encode()
        for text in texts
    ]
    last = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"odd":2}\n\n'
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}\n\n'
    return [*said, b": comment\n\n", last, usage, DONE]


def said(body: bytes) -> str:
    """The text of a stream of Anthropic's."""
    told = [json.loads(line[6:]) for line in body.split(b"\n") if line.startswith(b"data: ")]
    return "".join(one["delta"].get("text", "") for one in told if one["type"] == "content_block_delta")


def test_a_clean_answer_comes_byte_by_byte(openai: Served, upstream: Upstream) -> None:
    whole = chat_answer("Hello.", odd=[1.50]).replace(b":", b" :")
    upstream.reply(expect, answer_with(whole))
    response = openai.chat()
    assert response.body == whole
    assert response.headers["x-dragoman-guardrails"] == "topics=allow"
    assert openai.row(response).output_tokens == 3


@pytest.mark.parametrize("texts", [["Hi"], ["Hi", " there"], LONG, ["".join(LONG)]])
def test_a_clean_stream_comes_byte_by_byte(openai: Served, upstream: Upstream, texts: list[str]) -> None:
    upstream.reply(expect, stream(odd_chunks(texts)))
    response = openai.chat(stream=True, stream_options={"include_usage": True})
    assert response.body == b"".join(odd_chunks(texts))
    row = openai.row(response)
    assert (row.output_tokens, row.guardrails, row.finish_reason) == (3, "topics=allow", "stop")


def test_so_does_one_of_another_dialect(claude: Served, upstream: Upstream) -> None:
    parts = [*events(LONG)[:2], event("ping"), *events(LONG)[2:]]
    upstream.reply(expect, stream(parts))
    assert ask_claude(claude, stream=True).body == b"".join(parts)


def test_a_usage_that_the_client_did_not_ask_for_is_not_shown(openai: Served, upstream: Upstream) -> None:
    upstream.reply(expect, stream(odd_chunks(LONG)))
    response = openai.chat(stream=True)
    hidden = [part for part in odd_chunks(LONG) if b"prompt_tokens" not in part]
    assert response.body == b"".join(hidden)
    assert openai.row(response).output_tokens == 3


def test_a_burst_leaves_but_for_its_last_words(claude: Served, upstream: Upstream) -> None:
    gate = threading.Event()
    parts = events(LONG)
    upstream.reply(
        expect,
        send(stream_head() + piece(b"".join(parts[:150]))),
        until(gate),
        send(piece(b"".join(parts[150:]))),
        finish,
    )
    request = claude.begin("POST", "/v1/messages", messages_body(stream=True))
    while said(b"".join(request.pieces)).count("word") < 130:
        assert not request.ended.wait(0.01)
    gate.set()
    request.ended.wait(10)


@pytest.mark.parametrize(
    ("raw", "frames"),
    [
        (b"", []),
        (b"data: a\n\nevent: x\ndata: b\n\n", [b"data: a\n\n", b"event: x\ndata: b\n\n"]),
        (b": c\n\ndata\n\nid: 7\n\n", [b": c\n\ndata\n\nid: 7\n\n"]),
        (b"dataX: a\n\ndata: b\n\n", [b"dataX: a\n\ndata: b\n\n"]),
        (b"data: a\r\n\r\ndata: b\n\n", []),
        (b"{}\n{}\n", []),
    ],
)
def test_frames_one_by_one(raw: bytes, frames: list[bytes]) -> None:
    assert frames_of(raw) == frames


def test_a_whole_answer_is_refused(claude: Served, upstream: Upstream) -> None:
    upstream.reply(expect, answer_with(message("It is plutonium.")))
    response = ask_claude(claude)
    assert (response.status, response.json["stop_reason"]) == (200, "refusal")
    assert b"plutonium" not in response.body
    assert response.json["usage"]["output_tokens"] == 3


@pytest.mark.parametrize("size", [1, 7, 400])
def test_a_stream_ends_before_what_is_not_to_be_said(claude: Served, upstream: Upstream, size: int) -> None:
    text = "".join(LONG) + "plutonium, " + "".join(LONG)
    upstream.reply(expect, stream(events([text[at : at + size] for at in range(0, len(text), size)])))
    response = ask_claude(claude, stream=True)
    assert text.startswith(said(response.body))
    assert "pluto" not in said(response.body)
    names = [line[7:] for line in response.body.split(b"\n") if line.startswith(b"event: ")]
    assert (names.count(b"message_start"), names[-3:]) == (
        1,
        [b"content_block_stop", b"message_delta", b"message_stop"],
    )
    assert b'"stop_reason":"refusal"' in response.body
    assert claude.row(response).guardrails == "topics=block"


def test_a_refused_call_s_arguments_do_not_leave(claude: Served, upstream: Upstream) -> None:
    parts = events()
    call = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
    pieces = ['{"what": "plu', 'tonium"}']
    said = [
        event("content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": one}) for one in pieces
    ]
    parts[-2:-2] = [
        event("content_block_start", index=1, content_block=call),
        *said,
        event("content_block_stop", index=1),
    ]
    upstream.reply(expect, stream(parts))
    response = ask_claude(claude, stream=True)
    assert b"tonium" not in response.body
    assert b'"stop_reason":"refusal"' in response.body


@pytest.mark.parametrize("texts", [["Hel", "lo."], LONG])
def test_an_error_of_the_provider_s_is_told_once(claude: Served, upstream: Upstream, texts: list[str]) -> None:
    overloaded = event("error", error={"type": "overloaded_error", "message": "busy"})
    upstream.reply(expect, stream([*events(texts)[:-3], overloaded]))
    response = ask_claude(claude, stream=True)
    assert response.body.count(b"busy") == 1
    assert response.status >= 500 or "".join(texts).startswith(said(response.body))
    assert claude.row(response).error_code == "upstream_status"


def test_a_stream_that_is_cut_says_so(claude: Served, upstream: Upstream) -> None:
    upstream.reply(expect, send(stream_head() + b"".join(map(piece, events(LONG)[:150]))), finish)
    response = ask_claude(claude, stream=True)
    assert "".join(LONG).startswith(said(response.body.partition(b"event: error")[0]))
    assert response.body.count(b"event: message_start") == 1
    assert response.body.count(b"event: error") == 1
    assert claude.row(response).error_code == "upstream_cut"
