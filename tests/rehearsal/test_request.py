from __future__ import annotations

import json
from typing import Any

import pytest

from dragoman.errors import InvalidRequest
from dragoman.rehearsal.request import (
    MOST_INPUTS,
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
    read,
    read_inputs,
    read_messages,
    read_prompts,
    read_tools,
)

HELLO = [{"role": "user", "content": "hello"}]


def chat(**fields: Any) -> ChatRequest:
    return read(json.dumps({"model": "m", "messages": HELLO, **fields}).encode(), ChatRequest)


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"messages": HELLO}, "model", "missing_required_parameter"),
        ({"model": "m"}, "messages", "missing_required_parameter"),
        ({"model": 5, "messages": HELLO}, "model", "invalid_type"),
        ({"model": "", "messages": HELLO}, "model", "invalid_type"),
        ({"model": "m", "messages": HELLO, "n": 129}, "n", "invalid_type"),
        ({"model": "m", "messages": HELLO, "max_tokens": 0}, "max_tokens", "invalid_type"),
        ({"model": "m", "messages": HELLO, "stream": "yes"}, "stream", "invalid_type"),
    ],
)
def test_a_wrong_field_is_named(body: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(json.dumps(body).encode(), ChatRequest)
    assert (caught.value.param, caught.value.error_code) == (param, code)


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b'{"model":"\xff"}', b"[]"])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read(body, ChatRequest)


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([], "messages"),
        ([{"content": "x"}], "messages[0]"),
        ([HELLO[0], {"role": 5}], "messages[1].role"),
        (5, "messages"),
    ],
)
def test_wrong_messages_are_named(messages: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_messages(chat(messages=messages))
    assert caught.value.param in (param, "role")


def test_unknown_fields_and_content_parts_are_let_be() -> None:
    request = chat(
        temperature=1,
        logprobs=True,
        whatever={"a": [1]},
        messages=[
            {
                "role": "user",
                "content": [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": "x"}}],
            }
        ],
    )
    assert read_messages(request)[0].text == "see"


def test_tools_functions_and_custom_tools_are_read() -> None:
    offered = [
        {"type": "function", "function": {"name": "a", "parameters": {"type": "object"}}},
        {"type": "custom", "custom": {"name": "b"}},
        {"type": "web_search"},
    ]
    assert [tool.name for tool in read_tools(chat(tools=offered))] == ["a", "b"]
    assert [tool.name for tool in read_tools(chat(functions=[{"name": "c"}]))] == ["c"]
    assert read_tools(chat(tools=None)) == read_tools(chat()) == []


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [("a", ["a"]), (None, [""]), (["a", "b"], ["a", "b"]), ([1, 2], [[1, 2]]), ([[1], [2]], [[1], [2]]), ("", [""])],
)
def test_prompts_come_apart(prompt: Any, texts: list[Any]) -> None:
    assert read_prompts(read(json.dumps({"model": "m", "prompt": prompt}).encode(), CompletionRequest)) == texts


@pytest.mark.parametrize("prompt", [[1, "a"], {"a": 1}, [None], 5])
def test_a_prompt_of_another_shape_is_refused(prompt: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_prompts(read(json.dumps({"model": "m", "prompt": prompt}).encode(), CompletionRequest))
    assert str(caught.value.param).startswith("prompt")


@pytest.mark.parametrize("given", ["", [], [""], ["a", ""], [[]], ["a"] * (MOST_INPUTS + 1)])
def test_empty_inputs_and_too_many_are_refused(given: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_inputs(read(json.dumps({"model": "m", "input": given}).encode(), EmbeddingRequest))
    assert caught.value.param == "input"


def test_the_most_inputs_are_read() -> None:
    body = json.dumps({"model": "m", "input": ["a"] * MOST_INPUTS}).encode()
    assert len(read_inputs(read(body, EmbeddingRequest))) == MOST_INPUTS


def test_stops_are_a_list_without_empty_texts() -> None:
    assert chat(stop="x").stops == ["x"]
    assert chat(stop=["x", "", "y"]).stops == ["x", "y"]
    assert chat(stop=None).stops == chat().stops == []
