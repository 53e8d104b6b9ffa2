"""Streams to and from Converse's messages."""

from __future__ import annotations

from typing import Any

import pytest
from tests.dialects.across import events_of, failed, named, read, sse, stream

from dragoman.dialects.canonical import Failed, Metered, Report
from dragoman.dialects.fields import Unreadable

START = ("messageStart", {"role": "assistant"})
STOP = ("messageStop", {"stopReason": "end_turn"})
USAGE = ("metadata", {"usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}, "metrics": {"latencyMs": 4}})


def text(index: int, *pieces: str) -> list[tuple[str, Any]]:
    deltas = [("contentBlockDelta", {"contentBlockIndex": index, "delta": {"text": piece}}) for piece in pieces]
    return [*deltas, ("contentBlockStop", {"contentBlockIndex": index})]


def chunk(delta: dict[str, Any], stop: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": stop}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def test_messages_come_in_order() -> None:
    frames = sse(chunk({"content": "He"}), chunk({"content": "y"}), chunk({}, "stop"), b"[DONE]")
    written = stream("openai_chat", frames, "bedrock")
    assert [name for name, _ in written] == [
        "messageStart",
        "contentBlockDelta",
        "contentBlockDelta",
        "contentBlockStop",
        "messageStop",
        "metadata",
    ]


def test_calls_are_begun_and_told_in_pieces() -> None:
    pieces = [
        {"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"a"'}},
        {"index": 0, "function": {"arguments": ":1}"}},
    ]
    frames = sse(*(chunk({"tool_calls": [piece]}) for piece in pieces), chunk({}, "tool_calls"), b"[DONE]")
    written = stream("openai_chat", frames, "bedrock")
    (start,) = (event for name, event in written if name == "contentBlockStart")
    assert start["start"] == {"toolUse": {"toolUseId": "c", "name": "f"}}
    told = [event["delta"]["toolUse"]["input"] for name, event in written if name == "contentBlockDelta"]
    assert "".join(told) == '{"a":1}'


def test_usage_comes_behind_the_end() -> None:
    events = events_of("bedrock", named(START, *text(0, "Hi"), STOP, USAGE))
    usage = [event.usage for event in events if isinstance(event, Metered)][-1]
    assert (usage.input, usage.output) == (3, 2)


def test_edge_04_a_signature_alone_is_not_lost() -> None:
    delta = {"contentBlockIndex": 0, "delta": {"reasoningContent": {"signature": "s"}}}
    frames = named(START, ("contentBlockDelta", delta), ("contentBlockStop", {"contentBlockIndex": 0}), STOP, USAGE)
    thinking = {"type": "enabled", "budget_tokens": 1024}
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], "thinking": thinking}
    written = stream("bedrock", frames, "anthropic", asked=read("anthropic", body))
    assert {"type": "signature_delta", "signature": "s"} in [event.get("delta") for _, event in written]


def test_edge_38_an_exception_in_the_stream_is_an_error() -> None:
    frames = named(START, ("exception:throttlingException", {"message": "slow down"}))
    (failure,) = (event for event in events_of("bedrock", frames, end=False) if isinstance(event, Failed))
    assert (failure.report.trouble, failure.report.message) == ("rate_limit", "slow down")


def test_a_failure_is_told_as_an_exception() -> None:
    ((name, event),) = failed("bedrock", Report(trouble="rate_limit", message="slow down", status=429))
    assert (name, event["message"]) == ("exception:throttlingException", "slow down")


def test_a_stream_without_its_end_was_cut() -> None:
    with pytest.raises(Unreadable):
        events_of("bedrock", named(START, *text(0, "Hi")))
