"""Streams to and from OpenAI's chunks."""

from __future__ import annotations

from typing import Any

import pytest
from tests.dialects.across import events_of, failed, read, sse, stream

from dragoman.dialects.canonical import BlockStarted, Delta, Failed, Finished, Metered, Report, ToolCall
from dragoman.dialects.fields import Unreadable

DONE = b"[DONE]"


def chunk(delta: dict[str, Any] | None = None, stop: str | None = None, **more: Any) -> dict[str, Any]:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": stop}]
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, **more}


def gemini(*parts: dict[str, Any], stop: str = "", **more: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    return {"candidates": [candidate | ({"finishReason": stop} if stop else {})], "responseId": "r", **more}


def calls_of(written: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    chunks = [event for _, event in written if event != "[DONE]" and event["choices"]]
    return [call for event in chunks for call in event["choices"][0]["delta"].get("tool_calls", [])]


def reasons_of(written: list[tuple[str, Any]]) -> list[str | None]:
    return [event["choices"][0]["finish_reason"] for _, event in written if event != "[DONE]" and event["choices"]]


def test_edge_06_calls_are_counted_over_the_whole_stream() -> None:
    call = {"functionCall": {"name": "f", "args": {}}}
    written = stream("gemini", sse(gemini(call), gemini(call), gemini(call, stop="STOP")), "openai_chat")
    assert [call["index"] for call in calls_of(written) if call.get("id")] == [0, 1, 2]


def test_edge_07_calls_without_an_index_are_told_apart_by_their_ids() -> None:
    first = {"id": "a", "function": {"name": "f", "arguments": '{"x"'}}
    more = {"function": {"arguments": ":1}"}}
    second = {"id": "b", "function": {"name": "g", "arguments": "{}"}}
    frames = sse(*(chunk({"tool_calls": [call]}) for call in (first, more, second)), chunk({}, "tool_calls"), DONE)
    events = events_of("openai_chat", frames)
    started = [event for event in events if isinstance(event, BlockStarted)]
    assert [one.block.name for one in started if isinstance(one.block, ToolCall)] == ["f", "g"]
    said = {
        one.index: "".join(e.text for e in events if isinstance(e, Delta) and e.index == one.index) for one in started
    }
    assert list(said.values()) == ['{"x":1}', "{}"]


def test_edge_08_and_09_the_reason_is_told_once_and_is_the_calls() -> None:
    call = {"functionCall": {"name": "f", "args": {}}}
    written = stream("gemini", sse(gemini(call), gemini({"text": ""}, stop="STOP")), "openai_chat")
    assert [reason for reason in reasons_of(written) if reason] == ["tool_calls"]
    assert reasons_of(written)[-1] == "tool_calls"


def test_edge_21_the_first_chunk_says_who_speaks() -> None:
    written = stream("gemini", sse(gemini({"text": "He"}), gemini({"text": "y"}, stop="STOP")), "openai_chat")
    roles = [event["choices"][0]["delta"].get("role") for _, event in written if event != "[DONE]"]
    assert roles[0] == "assistant"
    assert not any(roles[1:])


@pytest.mark.parametrize("choices", [None, [], [{"delta": {}}]])
def test_edge_22_usage_comes_in_a_chunk_of_any_shape(choices: Any) -> None:
    last = chunk(usage={"prompt_tokens": 5, "completion_tokens": 2})
    last["choices"] = choices
    events = events_of("openai_chat", sse(chunk({"content": "x"}, "stop"), last, DONE))
    (metered,) = (event for event in events if isinstance(event, Metered))
    assert (metered.usage.input, metered.usage.output) == (5, 2)
    assert sum(isinstance(event, Finished) for event in events) == 1


def test_edge_23_and_45_who_asks_for_usage_gets_it_and_nobody_else() -> None:
    frames = sse(gemini({"text": "x"}, stop="STOP", usageMetadata={"promptTokenCount": 3, "candidatesTokenCount": 1}))
    body: dict[str, Any] = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    silent = stream("gemini", frames, "openai_chat", asked=read("openai_chat", body))
    assert not any(event.get("usage") for _, event in silent if event != "[DONE]")
    wanting = read("openai_chat", body | {"stream_options": {"include_usage": True}})
    told = stream("gemini", frames, "openai_chat", asked=wanting)
    assert told[-1] == ("", "[DONE]")
    assert told[-2][1]["choices"] == []
    assert told[-2][1]["usage"]["prompt_tokens"] == 3


def test_edge_38_an_error_in_a_stream_is_one() -> None:
    events = events_of("openai_chat", sse({"error": {"message": "busy", "code": 429}}), end=False)
    (failure,) = (event for event in events if isinstance(event, Failed))
    assert failure.report.trouble == "rate_limit"


def test_edge_39_chunks_that_say_nothing_are_passed_over() -> None:
    filtered = chunk()
    filtered["choices"] = [{"index": 0, "finish_reason": None, "content_filter_results": {"hate": {"filtered": False}}}]
    events = events_of(
        "openai_chat", sse(chunk(prompt_filter_results=[]), filtered, chunk({"content": "x"}, "stop"), DONE)
    )
    assert "".join(event.text for event in events if isinstance(event, Delta)) == "x"


def test_a_failure_is_told_in_the_stream() -> None:
    (_, event), *_ = failed("openai_chat", Report(trouble="overloaded", message="busy", status=503))
    assert event["error"]["message"] == "busy"


def test_a_stream_that_does_not_say_why_it_stopped_was_cut() -> None:
    with pytest.raises(Unreadable):
        events_of("openai_chat", sse(chunk({"content": "x"})))
