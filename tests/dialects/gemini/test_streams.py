"""Streams to and from Gemini's partial answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.dialects.across import asking, events_of, failed, sse, stream

from dragoman.dialects.canonical import Delta, Failed, Finished, Metered, Report
from dragoman.dialects.fields import Unreadable
from dragoman.dialects.gemini.events_out import ArrayWriter
from dragoman.dialects.table import DIALECTS


def chunk(delta: dict[str, Any], stop: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": stop}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def gemini(*parts: dict[str, Any], stop: str = "", **more: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    return {"candidates": [candidate | ({"finishReason": stop} if stop else {})], "responseId": "r", **more}


def parts_of(written: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    return [part for _, event in written for one in event["candidates"] for part in one["content"]["parts"]]


def test_text_is_told_piece_by_piece() -> None:
    frames = sse(chunk({"content": "He"}), chunk({"content": "y"}), chunk({}, "stop"), b"[DONE]")
    written = stream("openai_chat", frames, "gemini")
    assert "".join(part["text"] for part in parts_of(written)) == "Hey"
    assert written[-1][1]["candidates"][0]["finishReason"] == "STOP"
    assert not any("finishReason" in event["candidates"][0] for _, event in written[:-1])


def test_calls_are_told_whole() -> None:
    pieces = [
        {"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"a"'}},
        {"index": 0, "function": {"arguments": ":1}"}},
    ]
    frames = sse(*(chunk({"tool_calls": [piece]}) for piece in pieces), chunk({}, "tool_calls"), b"[DONE]")
    written = stream("openai_chat", frames, "gemini")
    calls = [part["functionCall"] for part in parts_of(written) if "functionCall" in part]
    assert calls == [{"id": "c", "name": "f", "args": {"a": 1}}]


def test_a_signature_of_its_own_stays_with_its_part() -> None:
    signed = gemini({"text": "", "thoughtSignature": "c2ln"}, stop="STOP")
    written = stream("gemini", sse(gemini({"text": "x"}), signed), "gemini")
    assert [part.get("thoughtSignature") for part in parts_of(written) if part.get("text") == "x"] == [None]
    assert "c2ln" in [part.get("thoughtSignature") for part in parts_of(written)]


def test_edge_25_usage_is_the_last_that_was_told() -> None:
    first = gemini({"text": "x"}, usageMetadata={"promptTokenCount": 3})
    last = gemini(
        {"text": "y"},
        stop="STOP",
        usageMetadata={"promptTokenCount": 3, "candidatesTokenCount": 2, "thoughtsTokenCount": 5},
    )
    events = events_of("gemini", sse(first, last))
    usage = [event.usage for event in events if isinstance(event, Metered)][-1]
    assert (usage.input, usage.output, usage.reasoning) == (3, 7, 5)


def test_edge_42_a_stream_that_broke_off_says_so() -> None:
    events = events_of("gemini", sse(gemini(stop="MALFORMED_FUNCTION_CALL")))
    (finished,) = (event for event in events if isinstance(event, Finished))
    assert finished.stop == "error"
    assert not any(isinstance(event, Delta) for event in events)


def test_edge_38_an_error_in_the_stream_is_one() -> None:
    error = {"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}
    (failure,) = (e for e in events_of("gemini", sse(error), end=False) if isinstance(e, Failed))
    assert failure.report.trouble == "overloaded"


def test_a_failure_is_told_as_an_error() -> None:
    ((_, event),) = failed("gemini", Report(trouble="overloaded", message="busy", status=503))
    assert (event["error"]["status"], event["error"]["message"]) == ("UNAVAILABLE", "busy")


def test_silence_is_kept_alive_by_nothing_that_the_sdk_would_read() -> None:
    assert DIALECTS["gemini"].writer(asking("gemini")).ping().strip() == b""


def test_without_events_it_is_one_array() -> None:
    events = events_of("openai_chat", sse(chunk({"content": "x"}, "stop"), b"[DONE]"))
    writer = ArrayWriter(asking("gemini"))
    written = json.loads(writer.write(events) + writer.finish())
    assert written[0]["candidates"][0]["content"]["parts"] == [{"text": "x"}]


def test_a_stream_without_a_reason_was_cut() -> None:
    with pytest.raises(Unreadable):
        events_of("gemini", sse(gemini({"text": "x"})))
