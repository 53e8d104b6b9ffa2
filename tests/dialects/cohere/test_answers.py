"""Whole answers and errors, as Cohere has them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.dialects.across import answer

from dragoman.dialects.table import DIALECTS

COHERE = DIALECTS["cohere"]
USAGE = {"billed_units": {"input_tokens": 3, "output_tokens": 1}, "tokens": {"input_tokens": 70, "output_tokens": 1}}


def cohere(stop: str = "COMPLETE", **message: Any) -> dict[str, Any]:
    told = {"role": "assistant", **message}
    return {"id": "a1", "message": told, "finish_reason": stop, "usage": USAGE | {"cached_tokens": 16}}


def chat(message: dict[str, Any], stop: str = "stop") -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": stop}
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


def test_what_went_in_and_out_is_the_usage_not_what_is_billed() -> None:
    usage = answer("cohere", cohere(content=[{"type": "text", "text": "Hi"}]), "openai_chat")["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (70, 1)
    assert usage["prompt_tokens_details"]["cached_tokens"] == 16


def test_edge_08_calls_are_why_it_stopped() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    (choice,) = answer("cohere", cohere(tool_plan="I look.", tool_calls=[call]), "openai_chat")["choices"]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", "I look.")
    back = answer("openai_chat", chat({"content": "I look.", "tool_calls": [call]}, "tool_calls"), "cohere")
    assert back["message"] == {"role": "assistant", "tool_plan": "I look.", "tool_calls": [call]}
    assert back["finish_reason"] == "TOOL_CALL"


def test_thoughts_are_told_apart() -> None:
    content = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Hi"}]
    message = answer("cohere", cohere(content=content), "openai_chat")["choices"][0]["message"]
    assert (message["reasoning_content"], message["content"]) == ("hm", "Hi")


@pytest.mark.parametrize(
    ("native", "stop"),
    [("COMPLETE", "end_turn"), ("MAX_TOKENS", "max_tokens"), ("STOP_SEQUENCE", "end_turn")],
)
def test_why_it_stopped(native: str, stop: str) -> None:
    told = answer("cohere", cohere(native, content=[{"type": "text", "text": "x"}]), "anthropic")
    assert told["stop_reason"] == stop


def test_pages_that_an_answer_rests_on_are_sources() -> None:
    note = {
        "type": "url_citation",
        "url_citation": {"url": "https://x", "title": "X", "start_index": 0, "end_index": 2},
    }
    message = answer("openai_chat", chat({"content": "Hi", "annotations": [note]}), "cohere")["message"]
    (citation,) = message["citations"]
    assert (citation["start"], citation["end"], citation["sources"][0]["document"]["url"]) == (0, 2, "https://x")


@pytest.mark.parametrize(
    ("status", "trouble"), [(401, "auth"), (402, "quota"), (429, "rate_limit"), (498, "auth"), (422, "invalid")]
)
def test_errors(status: int, trouble: str) -> None:
    report = COHERE.read_error(status, {}, b'{"id":"e1","message":"no"}')
    assert (report.trouble, report.message) == (trouble, "no")
    told, _, body = COHERE.write_error(report, "req_1")
    assert (told, json.loads(body)) == (status, {"id": "req_1", "message": "no"})
