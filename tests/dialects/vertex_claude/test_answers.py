"""Answers and errors of Claude on Vertex AI."""

from __future__ import annotations

import json

import pytest
from tests.dialects.across import answer

from dragoman.dialects.table import DIALECTS

VERTEX = DIALECTS["vertex_claude"]
MESSAGE = {
    "id": "msg_vrtx_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "Hello."}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 9, "output_tokens": 3},
}
GOOGLES = {"error": {"code": 429, "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED"}}


def test_an_answer_is_anthropic_s() -> None:
    told = answer("vertex_claude", MESSAGE, "openai_chat")
    assert told["choices"][0]["message"]["content"] == "Hello."
    assert answer("vertex_claude", MESSAGE, "vertex_claude")["content"] == MESSAGE["content"]


@pytest.mark.parametrize("body", [GOOGLES, [GOOGLES]])
def test_the_platform_s_errors_are_google_s(body: object) -> None:
    report = VERTEX.read_error(429, {}, json.dumps(body).encode())
    assert (report.trouble, report.message) == ("rate_limit", "Quota exceeded.")
    status, _, told = VERTEX.write_error(report, "req_1")
    assert (status, json.loads(told)["error"]["type"]) == (429, "rate_limit_error")


def test_claude_s_errors_are_anthropic_s() -> None:
    body = {"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 9 tokens"}}
    assert VERTEX.read_error(400, {}, json.dumps(body).encode()).trouble == "context_length"
    assert VERTEX.read_error(500, {}, b"<html>").trouble == "server"
