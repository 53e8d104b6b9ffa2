"""Whole answers, their usage and their errors, as OpenAI's chat has them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.dialects.across import answer

from dragoman.dialects.canonical import Text
from dragoman.dialects.dialect import Target
from dragoman.dialects.fields import Unreadable
from dragoman.dialects.table import DIALECTS

CHAT = DIALECTS["openai_chat"]


def chat(message: dict[str, Any], stop: str = "stop", **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": stop}
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [choice],
        "usage": usage,
    } | more


def gemini(*parts: dict[str, Any], **usage: int) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP", "index": 0}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-2.5-flash", "responseId": "r"}


def test_edge_24_cached_tokens_are_part_of_the_prompt() -> None:
    told = chat({"content": "Hi"})
    told["usage"]["prompt_tokens_details"] = {"cached_tokens": 3}
    read = CHAT.read_answer(json.dumps(told).encode(), Target(model="m")).usage
    assert read is not None
    assert (read.input, read.cached) == (5, 3)


def test_edge_25_what_gemini_thought_is_part_of_what_it_said() -> None:
    told = gemini({"text": "Hi"}, promptTokenCount=4, candidatesTokenCount=3, thoughtsTokenCount=10, totalTokenCount=17)
    usage = answer("gemini", told, "openai_chat")["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (4, 13, 17)
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 10


def test_edge_08_calls_of_gemini_are_why_it_stopped() -> None:
    told = gemini({"functionCall": {"name": "f", "args": {"a": 1}}})
    (choice,) = answer("gemini", told, "openai_chat")["choices"]
    assert choice["finish_reason"] == "tool_calls"
    (call,) = choice["message"]["tool_calls"]
    assert (call["type"], call["function"]) == ("function", {"name": "f", "arguments": '{"a":1}'})
    assert call["id"]


def test_calls_of_gemini_without_ids_get_different_ones() -> None:
    part = {"functionCall": {"name": "f", "args": {}}}
    calls = answer("gemini", gemini(part, part), "openai_chat")["choices"][0]["message"]["tool_calls"]
    assert len({call["id"] for call in calls}) == 2


def test_thoughts_are_told_beside_the_answer() -> None:
    told = {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    message = answer("anthropic", told, "openai_chat")["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"]) == ("Hi", "hm")
    assert message["reasoning_details"][0]["signature"] == "s"


def test_an_answer_is_told_with_all_that_the_sdk_expects() -> None:
    written = answer("gemini", gemini({"text": "Hi"}), "openai_chat")
    assert {"id", "object", "created", "model", "choices"} <= written.keys()
    assert written["choices"][0]["message"]["role"] == "assistant"
    assert (written["object"], written["created"]) == ("chat.completion", 1_700_000_000)


def test_a_refusal_is_kept_apart() -> None:
    told = chat({"content": None, "refusal": "No."})
    assert answer("openai_chat", told, "openai_chat")["choices"][0]["message"]["refusal"] == "No."
    assert answer("openai_chat", told, "anthropic")["content"] == [{"type": "text", "text": "No."}]


def test_an_answer_without_choices_is_none() -> None:
    with pytest.raises(Unreadable):
        CHAT.read_answer(b'{"object":"chat.completion","choices":[]}', Target(model="m"))


def test_text_in_parts_is_read() -> None:
    read = CHAT.read_answer(json.dumps(chat({"content": [{"type": "text", "text": "Hi"}]})).encode(), Target(model="m"))
    (text,) = read.choices[0].blocks
    assert isinstance(text, Text)


ERRORS = [
    (401, "invalid_api_key", "auth"),
    (404, "model_not_found", "not_found"),
    (429, "rate_limit_exceeded", "rate_limit"),
    (429, "insufficient_quota", "quota"),
    (500, "server_error", "server"),
    (400, "context_length_exceeded", "context_length"),
]


@pytest.mark.parametrize(("status", "code", "trouble"), ERRORS)
def test_errors_are_told_apart_by_their_code(status: int, code: str, trouble: str) -> None:
    body = json.dumps({"error": {"message": "no", "type": "t", "code": code, "param": "p"}}).encode()
    report = CHAT.read_error(status, {}, body)
    assert (report.trouble, report.code, report.param) == (trouble, code, "p")
    told, _, written = CHAT.write_error(report, "req_1")
    assert told == status
    assert json.loads(written)["error"]["message"] == "no"


def test_edge_47_what_groq_could_not_read_as_a_call_is_shown() -> None:
    error = {"message": "no call", "type": "x", "code": "tool_use_failed", "failed_generation": "<f>1</f>"}
    report = CHAT.read_error(400, {}, json.dumps({"error": error}).encode())
    assert "<f>1</f>" in json.dumps(report.extra) + report.message
