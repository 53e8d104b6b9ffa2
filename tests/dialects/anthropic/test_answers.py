"""Whole answers, their usage and their errors, as Anthropic tells them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.dialects.across import answer

from dragoman.dialects.canonical import Report
from dragoman.dialects.dialect import Target
from dragoman.dialects.table import DIALECTS

ANTHROPIC = DIALECTS["anthropic"]
USAGE = {
    "input_tokens": 10,
    "cache_read_input_tokens": 4,
    "cache_creation_input_tokens": 6,
    "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 4},
    "output_tokens": 7,
}


def message(*content: dict[str, Any], stop: str = "end_turn", **more: Any) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": list(content),
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": USAGE,
        **more,
    }


def chat(message: dict[str, Any], stop: str = "stop") -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o",
        "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": stop}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
    }


def test_edge_24_cached_tokens_are_counted_once() -> None:
    usage = answer("anthropic", message({"type": "text", "text": "Hi"}), "openai_chat")["usage"]
    assert usage["prompt_tokens"] == 20
    assert usage["prompt_tokens_details"]["cached_tokens"] == 4
    assert usage["total_tokens"] == 27
    read = ANTHROPIC.read_answer(json.dumps(message()).encode(), Target(model="m")).usage
    assert read is not None
    assert (read.cached, read.cache_write, read.cache_write_1h) == (4, 6, 4)


def test_usage_of_another_dialect_is_split_into_what_was_cached_and_what_was_not() -> None:
    told = chat({"content": "Hi"})
    told["usage"]["prompt_tokens_details"] = {"cached_tokens": 3}
    usage = answer("openai_chat", told, "anthropic")["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) == (2, 3, 2)


STOPS = [
    ("end_turn", "stop"),
    ("max_tokens", "length"),
    ("stop_sequence", "stop"),
    ("tool_use", "tool_calls"),
    ("refusal", "content_filter"),
    ("model_context_window_exceeded", "length"),
]


@pytest.mark.parametrize(("native", "written"), STOPS)
def test_why_it_stopped_is_told_in_the_client_s_words(native: str, written: str) -> None:
    calls = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    content = calls if native == "tool_use" else {"type": "text", "text": "Hi"}
    assert answer("anthropic", message(content, stop=native), "openai_chat")["choices"][0]["finish_reason"] == written


@pytest.mark.parametrize(
    ("stop", "written"),
    [("stop", "end_turn"), ("length", "max_tokens"), ("content_filter", "refusal"), ("tool_calls", "tool_use")],
)
def test_and_back(stop: str, written: str) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    said = {"tool_calls": [call], "content": None} if stop == "tool_calls" else {"content": "Hi"}
    assert answer("openai_chat", chat(said, stop), "anthropic")["stop_reason"] == written


def test_edge_08_calls_are_why_it_stopped_whatever_the_provider_says() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    written = answer("openai_chat", chat({"content": None, "tool_calls": [call]}, "stop"), "anthropic")
    assert written["stop_reason"] == "tool_use"
    assert written["content"] == [{"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}}]


def test_thoughts_come_with_their_signatures() -> None:
    thoughts = {"type": "thinking", "thinking": "hm", "signature": "sig"}
    written = answer("anthropic", message(thoughts, {"type": "text", "text": "Hi"}), "bedrock")
    first, second = written["output"]["message"]["content"]
    assert first == {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "sig"}}}
    assert second == {"text": "Hi"}


TROUBLES = [
    (401, "authentication_error", "auth"),
    (403, "permission_error", "forbidden"),
    (404, "not_found_error", "not_found"),
    (413, "request_too_large", "too_large"),
    (429, "rate_limit_error", "rate_limit"),
    (529, "overloaded_error", "overloaded"),
    (500, "api_error", "server"),
    (400, "invalid_request_error", "invalid"),
]


@pytest.mark.parametrize(("status", "kind", "trouble"), TROUBLES)
def test_errors_are_read_and_written(status: int, kind: str, trouble: str) -> None:
    body = {"type": "error", "error": {"type": kind, "message": "no"}, "request_id": "req_9"}
    report = ANTHROPIC.read_error(status, {}, json.dumps(body).encode())
    assert (report.trouble, report.message, report.status) == (trouble, "no", status)
    told, _, written = ANTHROPIC.write_error(report, "req_1")
    assert told == status
    assert json.loads(written) == {"type": "error", "error": {"type": kind, "message": "no"}, "request_id": "req_1"}


def test_an_error_s_type_in_another_dialect_s_words_is_not_kept() -> None:
    report = Report(trouble="not_found", message="no", status=404, type="invalid_request_error")
    assert json.loads(ANTHROPIC.write_error(report, "req_1")[2])["error"]["type"] == "not_found_error"


def test_an_error_of_no_kind_is_read_by_its_status() -> None:
    assert ANTHROPIC.read_error(503, {}, b"<html>").trouble in ("server", "overloaded")
