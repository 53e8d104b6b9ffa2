"""Whole answers and errors, as Gemini has them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.dialects.across import Written, answer, read, target

from dragoman.dialects.dialect import Target
from dragoman.dialects.fields import Unreadable
from dragoman.dialects.table import DIALECTS

GEMINI = DIALECTS["gemini"]


def gemini(*parts: dict[str, Any], stop: str = "STOP", **more: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": list(parts)}, "finishReason": stop, "index": 0, **more}
    return {"candidates": [candidate], "modelVersion": "gemini-2.5-flash", "responseId": "r"}


def claude(*content: dict[str, Any]) -> dict[str, Any]:
    usage = {"input_tokens": 3, "output_tokens": 2, "cache_read_input_tokens": 4}
    about = {"id": "m", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "stop_reason": "end_turn"}
    return about | {"content": list(content), "usage": usage}


def test_what_another_model_thought_is_a_thought() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    (candidate,) = answer("anthropic", claude(thought, {"type": "text", "text": "Hi"}), "gemini")["candidates"]
    first, second = candidate["content"]["parts"]
    assert (first["text"], first["thought"]) == ("hm", True)
    assert second == {"text": "Hi"}
    assert candidate["finishReason"] == "STOP"


def test_a_signature_of_another_family_comes_back_through_the_client() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    told = answer("anthropic", claude(thought, {"type": "text", "text": "Hi"}), "gemini")
    body = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}, told["candidates"][0]["content"]]}
    written = Written(read("gemini", body, model="g"), "anthropic", target("anthropic")).body
    assert written["messages"][1]["content"][0] == {"type": "thinking", "thinking": "hm", "signature": "s"}


def test_usage_is_told_with_what_was_cached() -> None:
    usage = answer("anthropic", claude({"type": "text", "text": "Hi"}), "gemini")["usageMetadata"]
    assert (usage["promptTokenCount"], usage["cachedContentTokenCount"], usage["candidatesTokenCount"]) == (7, 4, 2)
    assert usage["totalTokenCount"] == 9


def test_calls_have_their_arguments_as_objects() -> None:
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}
    (part,) = answer("anthropic", claude(call), "gemini")["candidates"][0]["content"]["parts"]
    assert part["functionCall"] == {"id": "t", "name": "f", "args": {"a": 1}}


def test_offsets_of_citations_count_bytes_here_and_letters_elsewhere() -> None:
    grounding = {
        "groundingChunks": [{"web": {"uri": "https://x", "title": "X"}}],
        "groundingSupports": [{"segment": {"startIndex": 3, "endIndex": 6}, "groundingChunkIndices": [0]}],
    }
    told = gemini({"text": "é abc"}, groundingMetadata=grounding)
    (note,) = answer("gemini", told, "openai_chat")["choices"][0]["message"]["annotations"]
    assert (note["url_citation"]["start_index"], note["url_citation"]["end_index"]) == (2, 5)


@pytest.mark.parametrize(
    ("native", "stop"),
    [("STOP", "end_turn"), ("MAX_TOKENS", "max_tokens"), ("SAFETY", "refusal"), ("PROHIBITED_CONTENT", "refusal")],
)
def test_why_it_stopped(native: str, stop: str) -> None:
    assert answer("gemini", gemini({"text": "x"}, stop=native), "anthropic")["stop_reason"] == stop


def test_edge_42_a_call_that_could_not_be_made_is_an_error() -> None:
    told = GEMINI.read_answer(json.dumps(gemini(stop="MALFORMED_FUNCTION_CALL")).encode(), Target(model="m"))
    assert (told.choices[0].stop, told.choices[0].blocks) == ("error", ())


def test_a_prompt_that_was_blocked_is_an_answer_that_was_filtered() -> None:
    told = {"promptFeedback": {"blockReason": "SAFETY"}, "responseId": "r"}
    assert answer("gemini", told, "openai_chat")["choices"][0]["finish_reason"] == "content_filter"


def test_an_answer_without_candidates_is_none() -> None:
    with pytest.raises(Unreadable):
        GEMINI.read_answer(b"{}", Target(model="m"))


ERRORS = [
    (400, "INVALID_ARGUMENT", "invalid"),
    (401, "UNAUTHENTICATED", "auth"),
    (403, "PERMISSION_DENIED", "forbidden"),
    (404, "NOT_FOUND", "not_found"),
    (429, "RESOURCE_EXHAUSTED", "rate_limit"),
    (503, "UNAVAILABLE", "overloaded"),
    (500, "INTERNAL", "server"),
]


@pytest.mark.parametrize(("status", "name", "trouble"), ERRORS)
def test_errors(status: int, name: str, trouble: str) -> None:
    body = json.dumps({"error": {"code": status, "message": "no", "status": name}}).encode()
    report = GEMINI.read_error(status, {}, body)
    assert (report.trouble, report.message) == (trouble, "no")
    told, _, written = GEMINI.write_error(report, "req_1")
    error = json.loads(written)["error"]
    assert (told, error["code"], error["status"], error["message"]) == (status, status, name, "no")


def test_how_long_to_wait_is_told_in_the_error() -> None:
    wait = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}
    body = {"error": {"code": 429, "message": "no", "status": "RESOURCE_EXHAUSTED", "details": [wait]}}
    assert GEMINI.read_error(429, {}, json.dumps(body).encode()).retry_after_s == 7
