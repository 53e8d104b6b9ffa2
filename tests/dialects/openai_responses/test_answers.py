"""Whole answers and errors, as OpenAI's Responses has them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.dialects.across import answer

from dragoman.dialects.table import DIALECTS

RESPONSES = DIALECTS["openai_responses"]


def response(*output: dict[str, Any], **more: Any) -> dict[str, Any]:
    usage = {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 2},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 9,
    }
    about = {"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-5.2", "status": "completed"}
    return about | {"output": list(output), "usage": usage} | more


def said(text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}


def chat(message: dict[str, Any], stop: str = "stop") -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": stop}
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


def test_output_becomes_a_message() -> None:
    call = {"type": "function_call", "call_id": "c1", "id": "fc_1", "name": "f", "arguments": "{}"}
    (choice,) = answer("openai_responses", response(said("Hi"), call), "openai_chat")["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Hi", "tool_calls")
    assert choice["message"]["tool_calls"][0]["id"] == "c1"


def test_a_message_becomes_output() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    written = answer("openai_chat", chat({"content": "Hi", "tool_calls": [call]}, "tool_calls"), "openai_responses")
    assert [item["type"] for item in written["output"]] == ["message", "function_call"]
    assert (written["object"], written["status"]) == ("response", "completed")
    assert written["output"][0]["content"][0]["text"] == "Hi"
    assert written["usage"]["total_tokens"] == 7


def test_what_was_cut_is_incomplete() -> None:
    written = answer("openai_chat", chat({"content": "Hi"}, "length"), "openai_responses")
    assert (written["status"], written["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    told = response(said("Hi"), status="incomplete", incomplete_details={"reason": "content_filter"})
    assert answer("openai_responses", told, "openai_chat")["choices"][0]["finish_reason"] == "content_filter"


def test_edge_24_usage_is_counted_once() -> None:
    usage = answer("openai_responses", response(said("Hi")), "anthropic")["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) == (3, 2, 4)


def test_thoughts_of_claude_are_reasoning_that_comes_back() -> None:
    content = [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "Hi"}]
    told = {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": content,
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    reasoning, message = answer("anthropic", told, "openai_responses")["output"]
    assert reasoning["type"] == "reasoning"
    assert reasoning["summary"] == [{"type": "summary_text", "text": "hm"}]
    assert reasoning["encrypted_content"]
    assert message["content"][0]["text"] == "Hi"


@pytest.mark.parametrize(("status", "trouble"), [(401, "auth"), (429, "rate_limit"), (500, "server"), (400, "invalid")])
def test_errors(status: int, trouble: str) -> None:
    body = json.dumps({"error": {"message": "no", "type": "t", "code": None, "param": None}}).encode()
    report = RESPONSES.read_error(status, {}, body)
    assert (report.trouble, report.message) == (trouble, "no")
    told, _, written = RESPONSES.write_error(report, "req_1")
    assert told == status
    assert json.loads(written)["error"]["message"] == "no"
