"""Whole answers and errors, as Bedrock's Converse has them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.dialects.across import answer

from dragoman.dialects.dialect import Target
from dragoman.dialects.table import DIALECTS

BEDROCK = DIALECTS["bedrock"]


def converse(*content: dict[str, Any], stop: str = "end_turn") -> dict[str, Any]:
    usage = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 12}
    usage |= {"cacheReadInputTokens": 4, "cacheWriteInputTokens": 3}
    message = {"role": "assistant", "content": list(content)}
    return {"output": {"message": message}, "stopReason": stop, "usage": usage, "metrics": {"latencyMs": 5}}


def chat(message: dict[str, Any], stop: str = "stop") -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": stop}
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


def test_edge_24_cached_tokens_are_counted_once() -> None:
    usage = answer("bedrock", converse({"text": "Hi"}), "openai_chat")["usage"]
    assert (usage["prompt_tokens"], usage["prompt_tokens_details"]["cached_tokens"]) == (10, 4)
    read = BEDROCK.read_answer(json.dumps(converse()).encode(), Target(model="m")).usage
    assert read is not None
    assert read.cache_write == 3


@pytest.mark.parametrize(
    ("native", "stop"),
    [
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("stop_sequence", "stop"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
    ],
)
def test_why_it_stopped(native: str, stop: str) -> None:
    assert answer("bedrock", converse({"text": "x"}, stop=native), "openai_chat")["choices"][0]["finish_reason"] == stop


def test_calls_there_and_back() -> None:
    told = converse({"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": 1}}}, stop="tool_use")
    (call,) = answer("bedrock", told, "openai_chat")["choices"][0]["message"]["tool_calls"]
    assert (call["id"], call["function"]) == ("t", {"name": "f", "arguments": '{"a":1}'})
    back = answer("openai_chat", chat({"content": None, "tool_calls": [call]}, "tool_calls"), "bedrock")
    assert back["output"]["message"]["content"] == [{"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": 1}}}]
    assert back["stopReason"] == "tool_use"


def test_an_answer_has_what_the_sdk_requires() -> None:
    written = answer("openai_chat", chat({"content": "Hi"}), "bedrock")
    assert written["usage"] | {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7} == written["usage"]
    assert "latencyMs" in written["metrics"]


ERRORS = [
    (400, "ValidationException", "invalid"),
    (403, "AccessDeniedException", "forbidden"),
    (404, "ResourceNotFoundException", "not_found"),
    (429, "ThrottlingException", "rate_limit"),
    (500, "InternalServerException", "server"),
    (503, "ServiceUnavailableException", "overloaded"),
]


@pytest.mark.parametrize(("status", "name", "trouble"), ERRORS)
def test_errors(status: int, name: str, trouble: str) -> None:
    report = BEDROCK.read_error(status, {"x-amzn-errortype": f"{name}:http://x"}, b'{"message":"no"}')
    assert (report.trouble, report.message) == (trouble, "no")
    told, headers, written = BEDROCK.write_error(report, "req_1")
    assert told == status
    assert dict(headers)["x-amzn-errortype"] == name
    assert json.loads(written)["message"] == "no"
