"""Streams to and from Cohere's events."""

from __future__ import annotations

from typing import Any

import pytest
from tests.dialects.across import events_of, failed, sse, stream

from dragoman.dialects.canonical import Delta, Finished, Metered, Report
from dragoman.dialects.fields import Unreadable

START = {"type": "message-start", "id": "a1", "delta": {"message": {"role": "assistant"}}}
END = {
    "type": "message-end",
    "delta": {"finish_reason": "COMPLETE", "usage": {"tokens": {"input_tokens": 70, "output_tokens": 1}}},
}


def told(kind: str, **message: Any) -> dict[str, Any]:
    return {"type": kind, "index": 0, "delta": {"message": message}}


def chunk(delta: dict[str, Any], stop: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": stop}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def test_text_is_read_and_metered() -> None:
    frames = sse(
        START,
        told("content-start", content={"type": "text", "text": ""}),
        told("content-delta", content={"text": "Hi"}),
        {"type": "content-end", "index": 0},
        END,
        b"[DONE]",
    )
    events = events_of("cohere", frames)
    assert [event.text for event in events if isinstance(event, Delta)] == ["Hi"]
    assert [event.usage.input for event in events if isinstance(event, Metered)] == [70]


def test_a_plan_and_a_call() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}
    frames = sse(
        START,
        told("tool-plan-delta", tool_plan="I look."),
        told("tool-call-start", tool_calls=call),
        told("tool-call-delta", tool_calls={"function": {"arguments": "{}"}}),
        {"type": "tool-call-end", "index": 0},
        END,
    )
    (finished,) = (event for event in events_of("cohere", frames) if isinstance(event, Finished))
    assert finished.stop == "tool_calls"
    written = stream("cohere", frames, "anthropic")
    blocks = [event["content_block"]["type"] for name, event in written if name == "content_block_start"]
    assert blocks == ["text", "tool_use"]


def test_events_come_in_order_and_by_name() -> None:
    frames = sse(chunk({"content": "He"}), chunk({"content": "y"}), chunk({}, "stop"), b"[DONE]")
    written = stream("openai_chat", frames, "cohere")
    assert [name for name, _ in written] == [
        "message-start",
        "content-start",
        "content-delta",
        "content-delta",
        "content-end",
        "message-end",
        "",
    ]


def test_a_failure_ends_it() -> None:
    (name, event), _ = failed("cohere", Report(trouble="overloaded", message="busy", status=503))
    assert (name, event["delta"]) == ("message-end", {"finish_reason": "ERROR", "error": "busy"})


def test_a_stream_without_its_end_was_cut() -> None:
    with pytest.raises(Unreadable):
        events_of("cohere", sse(START))
