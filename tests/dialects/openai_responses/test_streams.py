"""Streams to and from Responses' events."""

from __future__ import annotations

from typing import Any

import pytest
from tests.dialects.across import events_of, failed, sse, stream

from dragoman.dialects.canonical import BlockStopped, Delta, Failed, Metered, Report
from dragoman.dialects.fields import Unreadable

RESPONSE = {"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-5.2", "status": "in_progress"}
CREATED = {"type": "response.created", "response": RESPONSE}


def chunk(delta: dict[str, Any], stop: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": stop}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def gemini(*parts: dict[str, Any], stop: str = "") -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    return {"candidates": [candidate | ({"finishReason": stop} if stop else {})], "responseId": "r"}


def test_events_come_in_the_order_that_the_sdk_expects() -> None:
    frames = sse(chunk({"content": "He"}), chunk({"content": "y"}), chunk({}, "stop"), b"[DONE]")
    written = stream("openai_chat", frames, "openai_responses")
    assert [name for name, _ in written] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event["sequence_number"] for _, event in written] == list(range(len(written)))
    assert written[-1][1]["response"]["output"][0]["content"][0]["text"] == "Hey"


def test_calls_are_items_of_their_own() -> None:
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"a":1}'}}
    frames = sse(chunk({"tool_calls": [call]}), chunk({}, "tool_calls"), b"[DONE]")
    written = dict(stream("openai_chat", frames, "openai_responses"))
    assert written["response.function_call_arguments.done"]["arguments"] == '{"a":1}'
    assert written["response.output_item.done"]["item"]["call_id"] == "c"


def test_edge_43_a_stream_without_its_last_event_was_cut() -> None:
    delta = {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "x"}
    with pytest.raises(Unreadable):
        events_of("openai_responses", sse(CREATED, delta))
    ((name, event),) = failed("openai_responses", Report(trouble="server", message="cut", status=502))[-1:]
    assert name in ("response.failed", "error")
    assert "cut" in str(event)


def test_edge_46_a_signature_is_told_when_its_item_is_done() -> None:
    call = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2ln"}
    written = stream("gemini", sse(gemini(call, stop="STOP")), "openai_responses")
    done = [event["item"] for name, event in written if name == "response.output_item.done"]
    assert any(item.get("encrypted_content") for item in done)


def test_it_is_read() -> None:
    item = {"type": "message", "id": "m", "role": "assistant", "content": [], "status": "in_progress"}
    delta = {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "Hey"}
    usage = {"input_tokens": 3, "output_tokens": 1, "total_tokens": 4}
    done = {"type": "response.completed", "response": RESPONSE | {"status": "completed", "output": [], "usage": usage}}
    added = {"type": "response.output_item.added", "output_index": 0, "item": item}
    events = events_of("openai_responses", sse(CREATED, added, delta, done))
    assert [event.text for event in events if isinstance(event, Delta)] == ["Hey"]
    assert [event.usage.input for event in events if isinstance(event, Metered)] == [3]


def test_edge_38_an_error_in_the_stream_is_one() -> None:
    error = {"type": "error", "code": "rate_limit_exceeded", "message": "busy"}
    (failure,) = (e for e in events_of("openai_responses", sse(CREATED, error), end=False) if isinstance(e, Failed))
    assert (failure.report.trouble, failure.report.message) == ("rate_limit", "busy")


def test_an_item_that_ends_as_another_is_ended() -> None:
    text = {"type": "output_text", "text": "a"}
    frames = sse(
        {"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning", "id": "r"}},
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": {"type": "message", "role": "assistant", "content": [text, text]},
        },
    )
    assert isinstance(events_of("openai_responses", frames, end=False)[-1], BlockStopped)
