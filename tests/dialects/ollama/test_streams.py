"""Streams to and from Ollama's lines."""

from __future__ import annotations

from typing import Any

import pytest
from tests.dialects.across import asking, events_of, failed, named, sse, stream, told

from dragoman.dialects.canonical import Delta, Finished, Metered, Report
from dragoman.dialects.dialect import Frame
from dragoman.dialects.fields import Unreadable
from dragoman.dialects.table import DIALECTS

END = {"done": True, "done_reason": "stop", "prompt_eval_count": 5, "eval_count": 2}


def line(done: bool = False, **message: Any) -> tuple[str, Any]:
    said = {"role": "assistant", "content": "", **message}
    return "", {"model": "m", "created_at": "2026-01-02T03:04:05Z", "message": said, "done": done}


def ended(**message: Any) -> tuple[str, Any]:
    return "", line(**message)[1] | END


def chunk(delta: dict[str, Any], stop: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": stop}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def test_text_is_read_and_metered() -> None:
    events = events_of("ollama", named(line(thinking="hm"), line(content="He"), line(content="y"), ended()))
    assert [(event.index, event.text) for event in events if isinstance(event, Delta)] == [
        (0, "hm"),
        (1, "He"),
        (1, "y"),
    ]
    assert [event.usage.input for event in events if isinstance(event, Metered)] == [5]


def test_calls_come_whole_and_each_has_an_id() -> None:
    calls = [{"function": {"name": name, "arguments": {"a": 1}}} for name in ("f", "g")]
    frames = named(line(tool_calls=calls[:1]), line(tool_calls=calls[1:]), ended())
    (finished,) = (event for event in events_of("ollama", frames) if isinstance(event, Finished))
    assert finished.stop == "tool_calls"
    written = stream("ollama", frames, "anthropic")
    begun = [event["content_block"] for name, event in written if name == "content_block_start"]
    assert [block["name"] for block in begun] == ["f", "g"]
    assert len({block["id"] for block in begun}) == 2


def test_a_call_is_told_when_it_is_whole() -> None:
    function = {"name": "f", "arguments": ""}
    frames = sse(
        chunk({"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": function}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"a":'}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]}),
        chunk({}, "tool_calls"),
        b"[DONE]",
    )
    lines = [event for _, event in stream("openai_chat", frames, "ollama")]
    assert [event["message"].get("tool_calls") for event in lines] == [
        [{"id": "c1", "function": {"name": "f", "arguments": {"a": 1}}}],
        None,
    ]
    assert [event["done"] for event in lines] == [False, True]


def test_a_ping_says_nothing() -> None:
    ((_, event),) = told("ollama", DIALECTS["ollama"].writer(asking("ollama")).ping())
    assert (event["message"]["content"], event["done"]) == ("", False)


def test_a_failure_ends_it() -> None:
    ((_, event),) = failed("ollama", Report(trouble="overloaded", message="busy", status=503))
    assert event == {"error": "busy"}
    ((_, told_again),) = stream("ollama", named(("", {"error": "busy"}), ended()), "ollama")[:1]
    assert told_again == {"error": "busy"}


@pytest.mark.parametrize("frames", [named(line(content="x")), [("", b"{")], [("", b"[]")]])
def test_what_is_not_whole_is_refused(frames: list[Frame]) -> None:
    with pytest.raises(Unreadable):
        events_of("ollama", frames)
