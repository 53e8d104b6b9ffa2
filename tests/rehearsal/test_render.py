from __future__ import annotations

import json
from typing import Any

import pytest

from dragoman.rehearsal.answer import Call, Said
from dragoman.rehearsal.render import CHAT, COMPLETION, Head, Shape, Usage, body, events
from dragoman.rehearsal.request import Custom, Function, Tool

HEAD = Head("chatcmpl-1", 1_700_000_000, "m")
USAGE = Usage(prompt=9, completion=5, cached=2, reasoning=1)
WEATHER = Call("call_a", Tool(function=Function("weather")), ['{"x"', ":1}"])
NOTE = Call("call_b", Tool(type="custom", custom=Custom("note")), ["free ", "text"])


def streamed(shape: Shape, said: list[Said], usage: Usage | None = None) -> list[Any]:
    return [json.loads(event.removeprefix(b"data: ")) for event in events(shape, HEAD, said, usage)]


def test_a_whole_chat_answer() -> None:
    answer = json.loads(body(CHAT, HEAD, [Said(pieces=["Hi", " é"]), Said(finish_reason="length")], USAGE))
    assert answer["object"] == "chat.completion"
    assert [choice["message"]["content"] for choice in answer["choices"]] == ["Hi é", ""]
    assert [choice["finish_reason"] for choice in answer["choices"]] == ["stop", "length"]
    assert [choice["index"] for choice in answer["choices"]] == [0, 1]
    assert answer["usage"]["total_tokens"] == 14
    assert answer["usage"]["prompt_tokens_details"]["cached_tokens"] == 2
    assert answer["usage"]["completion_tokens_details"]["reasoning_tokens"] == 1
    assert "usage" not in json.loads(body(CHAT, HEAD, [], None))


def test_a_stream_has_a_role_then_pieces_then_a_finish() -> None:
    chunks = streamed(CHAT, [Said(pieces=["Hi", '"\n'])])
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": "", "refusal": None},
        {"content": "Hi"},
        {"content": '"\n'},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, None, "stop"]
    assert all(chunk["object"] == "chat.completion.chunk" and chunk["id"] == "chatcmpl-1" for chunk in chunks)
    assert all("usage" not in chunk for chunk in chunks)


def test_usage_comes_last_and_alone_and_is_null_before() -> None:
    chunks = streamed(CHAT, [Said(pieces=["Hi"])], USAGE)
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == USAGE.fields()


def test_choices_take_turns() -> None:
    chunks = streamed(CHAT, [Said(pieces=["a", "b", "c"]), Said(pieces=["x"])])
    assert [chunk["choices"][0]["index"] for chunk in chunks] == [0, 1, 0, 1, 0, 1, 0, 0]


def test_tool_calls_open_with_their_name_and_go_on_in_pieces() -> None:
    chunks = streamed(CHAT, [Said(calls=[WEATHER, NOTE], finish_reason="tool_calls")])
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": None, "refusal": None}
    assert [delta["tool_calls"][0] for delta in deltas[1:-1]] == [
        {"index": 0, "id": "call_a", "type": "function", "function": {"name": "weather", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"x"'}},
        {"index": 0, "function": {"arguments": ":1}"}},
        {"index": 1, "id": "call_b", "type": "custom", "custom": {"name": "note", "input": ""}},
        {"index": 1, "custom": {"input": "free "}},
        {"index": 1, "custom": {"input": "text"}},
    ]


def test_whole_tool_calls() -> None:
    message = json.loads(body(CHAT, HEAD, [Said(calls=[WEATHER, NOTE])], None))["choices"][0]["message"]
    assert message["content"] is None
    assert message["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"x":1}'}
    assert message["tool_calls"][1]["custom"] == {"name": "note", "input": "free text"}


def test_the_deprecated_function_call() -> None:
    said = Said(calls=[WEATHER], legacy=True, finish_reason="function_call")
    assert json.loads(body(CHAT, HEAD, [said], None))["choices"][0]["message"]["function_call"] == {
        "name": "weather",
        "arguments": '{"x":1}',
    }
    deltas = [chunk["choices"][0]["delta"] for chunk in streamed(CHAT, [said])]
    assert [delta["function_call"] for delta in deltas[1:-1]] == [
        {"name": "weather", "arguments": ""},
        {"arguments": '{"x"'},
        {"arguments": ":1}"},
    ]


def test_completions_carry_text() -> None:
    said = [Said(pieces=[" a", " b"], prefix="prompt", finish_reason="length")]
    whole = json.loads(body(COMPLETION, HEAD, said, USAGE))
    assert whole["object"] == "text_completion"
    assert whole["choices"] == [{"text": "prompt a b", "index": 0, "logprobs": None, "finish_reason": "length"}]
    assert "".join(chunk["choices"][0]["text"] for chunk in streamed(COMPLETION, said)) == "prompt a b"


@pytest.mark.parametrize("shape", [CHAT, COMPLETION])
def test_an_empty_answer_still_finishes(shape: Shape) -> None:
    assert streamed(shape, [Said()])[-1]["choices"][0]["finish_reason"] == "stop"
