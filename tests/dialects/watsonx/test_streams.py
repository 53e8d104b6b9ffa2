"""Streams of watsonx.ai: OpenAI's chunks, in events with names and ids, and no last word."""

from __future__ import annotations

import json
from typing import Any

from tests.dialects.across import events_of, named, stream

from dragoman.dialects.canonical import Finished, Metered


def chunk(content: str = "", stop: str | None = None, **more: Any) -> tuple[str, Any]:
    choice = {"index": 0, "delta": {"role": "assistant", "content": content}, "finish_reason": stop}
    return "message", {"id": "c", "model_id": "granite", "created": 1, "choices": [choice], **more}


def test_a_stream_ends_with_its_reason_and_usage() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    frames = named(
        chunk("Hel"), chunk("lo."), chunk(stop="stop"), ("message", chunk()[1] | {"choices": [], "usage": usage})
    )
    events = events_of("watsonx", frames)
    assert [event.stop for event in events if isinstance(event, Finished)] == ["stop"]
    assert [event.usage.output for event in events if isinstance(event, Metered)] == [3]
    written = stream("watsonx", frames, "anthropic")
    assert (
        "".join(event["delta"].get("text", "") for name, event in written if name == "content_block_delta") == "Hello."
    )
    assert json.dumps(written).count("message_stop") == 2
