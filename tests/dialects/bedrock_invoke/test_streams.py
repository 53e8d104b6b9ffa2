"""Streams by InvokeModel: Anthropic's events, each in a message of its own."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.dialects.across import events_of, named, sse, stream

from dragoman.dialects.canonical import Delta, Failed


def wrapped(event: dict[str, Any]) -> tuple[str, Any]:
    return "chunk", {"bytes": base64.b64encode(json.dumps(event).encode()).decode()}


def chunk(delta: dict[str, Any], stop: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": stop}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def test_events_are_in_their_chunks() -> None:
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "m", "type": "message", "role": "assistant", "model": "c", "content": [], "usage": usage}
    frames = named(
        wrapped({"type": "message_start", "message": message}),
        wrapped({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        wrapped({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}),
        wrapped({"type": "content_block_stop", "index": 0}),
        wrapped({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}),
        wrapped({"type": "message_stop"}),
    )
    assert [event.text for event in events_of("bedrock_invoke", frames) if isinstance(event, Delta)] == ["Hi"]


def test_a_stream_is_written_in_chunks() -> None:
    written = stream("openai_chat", sse(chunk({"content": "x"}, "stop"), b"[DONE]"), "bedrock_invoke")
    assert {name for name, _ in written} == {"chunk"}
    kinds = [json.loads(base64.b64decode(event["bytes"]))["type"] for _, event in written]
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")


def test_an_exception_is_an_error() -> None:
    frames = named(("exception:modelTimeoutException", {"message": "slow"}))
    (failure,) = (event for event in events_of("bedrock_invoke", frames, end=False) if isinstance(event, Failed))
    assert failure.report.trouble == "timeout"
