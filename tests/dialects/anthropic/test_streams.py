"""Streams to and from Anthropic's events."""

from __future__ import annotations

from typing import Any

import pytest
from tests.dialects.across import events_of, failed, sse, stream

from dragoman.dialects.canonical import Failed, Metered, Proved, Reasoning, Report
from dragoman.dialects.fields import Unreadable

START: dict[str, Any] = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [],
        "usage": {"input_tokens": 5, "output_tokens": 1},
    },
}
END = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}
STOP = {"type": "message_stop"}


def block(index: int, content: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": content},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def chunk(delta: dict[str, Any], stop: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": stop}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **more}


def kinds(written: list[tuple[str, Any]]) -> list[str]:
    return [name for name, _ in written]


def test_edge_02_a_redacted_thought_comes_whole() -> None:
    redacted = {"type": "redacted_thinking", "data": "xyz"}
    events = events_of("anthropic", sse(START, *block(0, redacted), END, STOP))
    (thought,) = (event.block for event in events if hasattr(event, "block"))
    assert isinstance(thought, Reasoning)
    assert thought.proof is not None
    assert (thought.proof.kind, thought.proof.value) == ("redacted", "xyz")


def test_edge_04_a_signature_alone_is_not_lost() -> None:
    thought = block(0, {"type": "thinking", "thinking": ""}, {"type": "signature_delta", "signature": "s"})
    events = events_of("anthropic", sse(START, *thought, END, STOP))
    assert [event.proof.value for event in events if isinstance(event, Proved)] == ["s"]
    written = stream("anthropic", sse(START, *thought, END, STOP), "bedrock")
    assert ("contentBlockDelta", "s") in [
        (name, event["delta"]["reasoningContent"].get("signature"))
        for name, event in written
        if name == "contentBlockDelta"
    ]


def test_edge_17_the_empty_input_of_a_call_s_start_is_not_its_arguments() -> None:
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    pieces = [{"type": "input_json_delta", "partial_json": part} for part in ("", '{"a"', ":1}")]
    written = stream("anthropic", sse(START, *block(0, call, *pieces), END, STOP), "openai_chat")
    arguments = [
        call["function"].get("arguments", "")
        for _, event in written
        if event != "[DONE]" and event["choices"]
        for call in event["choices"][0]["delta"].get("tool_calls", [])
    ]
    assert "".join(arguments) == '{"a":1}'


def test_edge_18_arguments_are_told_in_deltas() -> None:
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"a":1}'}}
    written = stream("openai_chat", sse(chunk({"tool_calls": [call]}), chunk({}, "tool_calls"), b"[DONE]"), "anthropic")
    start = next(event for name, event in written if name == "content_block_start")
    assert start["content_block"]["input"] == {}
    deltas = [event["delta"]["partial_json"] for name, event in written if name == "content_block_delta"]
    assert "".join(deltas) == '{"a":1}'


def test_edge_19_arguments_are_passed_on_as_they_come() -> None:
    pieces = [{"index": 0, "function": {"arguments": part}} for part in ('{"a"', ":", "1}")]
    first = {"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}
    frames = sse(*(chunk({"tool_calls": [call]}) for call in (first, *pieces)), chunk({}, "tool_calls"), b"[DONE]")
    written = stream("openai_chat", frames, "anthropic")
    assert [event["delta"]["partial_json"] for name, event in written if name == "content_block_delta"] == [
        '{"a"',
        ":",
        "1}",
    ]


def test_edge_20_a_second_call_has_an_index_of_its_own() -> None:
    calls = [{"index": index, "id": f"c{index}", "function": {"name": "f", "arguments": "{}"}} for index in (0, 1)]
    frames = sse(*(chunk({"tool_calls": [call]}) for call in calls), chunk({}, "tool_calls"), b"[DONE]")
    written = stream("openai_chat", frames, "anthropic")
    assert [event["index"] for name, event in written if name == "content_block_start"] == [0, 1]
    assert [event["index"] for name, event in written if name == "content_block_stop"] == [0, 1]


def test_events_come_in_the_order_that_the_sdk_expects() -> None:
    frames = sse(chunk({"role": "assistant", "content": "He"}), chunk({"content": "y"}), chunk({}, "stop"), b"[DONE]")
    assert kinds(stream("openai_chat", frames, "anthropic")) == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_usage_is_of_the_start_and_of_the_end() -> None:
    events = events_of("anthropic", sse(START, *block(0, {"type": "text", "text": ""}), END, STOP))
    usage = [event.usage for event in events if isinstance(event, Metered)][-1]
    assert (usage.input, usage.output) == (5, 9)


def test_edge_38_an_error_inside_the_stream_is_one() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
    events = events_of("anthropic", sse(START, error), end=False)
    (failure,) = (event for event in events if isinstance(event, Failed))
    assert (failure.report.trouble, failure.report.message) == ("overloaded", "busy")


def test_a_failure_is_told_as_an_error_event() -> None:
    ((name, event),) = failed("anthropic", Report(trouble="overloaded", message="busy", status=529))
    assert name == "error"
    assert event["error"] == {"type": "overloaded_error", "message": "busy"}


def test_a_stream_without_its_end_was_cut() -> None:
    with pytest.raises(Unreadable):
        events_of("anthropic", sse(START, *block(0, {"type": "text", "text": "x"})))
