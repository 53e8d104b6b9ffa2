"""Whole answers and errors, as Ollama has them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.dialects.across import answer

from dragoman.dialects.table import DIALECTS

OLLAMA = DIALECTS["ollama"]
TIMES = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")


def ollama(reason: str = "stop", **message: Any) -> dict[str, Any]:
    about = {"model": "m", "created_at": "2026-01-02T03:04:05.6Z", "done": True, "done_reason": reason}
    counts = {"total_duration": 7, "prompt_eval_count": 5, "eval_count": 2}
    return about | {"message": {"role": "assistant", "content": "", **message}} | counts


def chat(message: dict[str, Any], stop: str = "stop") -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": stop}
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


def test_text_thoughts_and_usage() -> None:
    told = answer("ollama", ollama(content="Hi", thinking="hm"), "openai_chat")
    message = told["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"]) == ("Hi", "hm")
    assert (told["usage"]["prompt_tokens"], told["usage"]["completion_tokens"]) == (5, 2)


def test_edge_08_calls_are_why_it_stopped() -> None:
    calls = [{"function": {"name": "f", "arguments": {"a": 1}}}, {"function": {"name": "g", "arguments": {}}}]
    (choice,) = answer("ollama", ollama(tool_calls=calls), "openai_chat")["choices"]
    first, second = choice["message"]["tool_calls"]
    assert (choice["finish_reason"], first["function"]) == ("tool_calls", {"name": "f", "arguments": '{"a":1}'})
    assert first["id"] != second["id"]


def test_an_answer_of_another_has_its_fields() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    told = answer("openai_chat", chat({"content": "I look.", "tool_calls": [call]}, "tool_calls"), "ollama")
    calls = [{"id": "c1", "function": {"name": "f", "arguments": {"a": 1}}}]
    assert told["message"] == {"role": "assistant", "content": "I look.", "tool_calls": calls}
    assert (told["done"], told["done_reason"], told["prompt_eval_count"], told["eval_count"]) == (True, "stop", 5, 2)
    assert all(told[name] > 0 for name in TIMES)


def test_its_own_answer_stays_as_it_was() -> None:
    assert answer("ollama", ollama(content="Hi"), "ollama") | {"created_at": ""} == ollama(content="Hi") | {
        "created_at": ""
    }


@pytest.mark.parametrize(("native", "stop"), [("stop", "end_turn"), ("length", "max_tokens")])
def test_why_it_stopped(native: str, stop: str) -> None:
    assert answer("ollama", ollama(native, content="x"), "anthropic")["stop_reason"] == stop


@pytest.mark.parametrize(
    ("status", "body", "trouble", "message"),
    [
        (404, b'{"error":"model not found"}', "not_found", "model not found"),
        (400, b'{"error":"too long: context length"}', "context_length", "too long: context length"),
        (500, b"no JSON", "server", "no JSON"),
        (400, b'{"error":{}}', "invalid", ""),
    ],
)
def test_errors(status: int, body: bytes, trouble: str, message: str) -> None:
    report = OLLAMA.read_error(status, {}, body)
    assert (report.trouble, report.message) == (trouble, message)
    told, _, written = OLLAMA.write_error(report, "req_1")
    assert (told, json.loads(written)) == (status, {"error": message})
