"""Requests to and from OpenAI's chat completions."""

from __future__ import annotations

from typing import Any

import pytest
from tests.dialects.across import read, write

from dragoman.dialects.canonical import Image, Text, ToolCall
from dragoman.dialects.fields import Unreadable


def chat(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [*messages] or [{"role": "user", "content": "Hi"}], **fields}


def claude(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"max_tokens": 9, **chat(*messages, **fields)}


THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "sig"}
CALLED = {"role": "assistant", "content": [THOUGHT, {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}]}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "ok", "is_error": True}]}


def test_edge_05_all_details_of_reasoning_come_back_in_order() -> None:
    details = [
        {"type": "reasoning.text", "text": "a", "signature": "s", "index": 0},
        {"type": "reasoning.encrypted", "data": "e", "index": 1},
        {"type": "reasoning.summary", "summary": "c", "index": 2},
    ]
    said = {"role": "assistant", "content": "x", "reasoning_details": details}
    body = chat({"role": "user", "content": "Hi"}, said)
    assert write("openai_chat", body, "openai_chat").body["messages"][1]["reasoning_details"] == details


def test_edge_27_the_limit_has_the_name_that_the_model_takes() -> None:
    assert write("openai_chat", chat(max_tokens=9), "openai_chat", "gpt-5.2").body["max_completion_tokens"] == 9
    other = write("openai_chat", chat(max_completion_tokens=9), "openai_chat", "m", max_tokens_field="max_tokens").body
    assert (other["max_tokens"], "max_completion_tokens" in other) == (9, False)


def test_edge_28_models_that_think_take_no_sampling() -> None:
    written = write("anthropic", claude(temperature=0.3, stop_sequences=["x"]), "openai_chat", "gpt-5.2")
    assert {"temperature", "stop"}.isdisjoint(written.body)
    assert written.lossy == "temperature, stop"
    assert write("anthropic", claude(stop_sequences=["x"]), "openai_chat", "o3-mini").body["stop"] == ["x"]


def test_edge_36_what_the_model_thought_comes_back_where_the_host_wants_it() -> None:
    said = {"role": "assistant", "content": "x", "reasoning_content": "hm"}
    written = write("openai_chat", chat({"role": "user", "content": "Hi"}, said), "openai_chat", provider="deepseek")
    assert written.body["messages"][1]["reasoning_content"] == "hm"


def test_edge_37_ids_of_calls_have_nine_letters_at_mistral() -> None:
    written = write(
        "anthropic", claude({"role": "user", "content": "Hi"}, CALLED, RESULT), "openai_chat", "m", provider="mistral"
    )
    called, result = written.body["messages"][1:]
    assert len(called["tool_calls"][0]["id"]) == 9
    assert called["tool_calls"][0]["id"] == result["tool_call_id"]


def test_edge_48_ids_that_occur_twice_are_told_apart() -> None:
    twice = chat({"role": "user", "content": "Hi"}, CALLED, RESULT, CALLED, RESULT, max_tokens=9)
    messages = write("anthropic", twice, "openai_chat").body["messages"]
    calls = [call["id"] for message in messages for call in message.get("tool_calls", [])]
    assert len(set(calls)) == 2
    assert [message["tool_call_id"] for message in messages if message["role"] == "tool"] == calls


def test_system_text_stands_first() -> None:
    written = write("anthropic", claude(system=[{"type": "text", "text": "S"}]), "openai_chat").body
    assert [message["role"] for message in written["messages"]] == ["system", "user"]


def test_a_result_that_failed_says_so() -> None:
    written = write("anthropic", claude({"role": "user", "content": "Hi"}, CALLED, RESULT), "openai_chat")
    assert "ok" in written.body["messages"][-1]["content"]
    assert written.body["messages"][1]["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a":1}'}
    assert "reasoning" in written.lossy


CHOICES = [
    ({"type": "auto"}, "auto"),
    ({"type": "any"}, "required"),
    ({"type": "none"}, "none"),
    ({"type": "tool", "name": "f"}, {"type": "function", "function": {"name": "f"}}),
]


@pytest.mark.parametrize(("choice", "written"), CHOICES)
def test_the_choice_of_tools(choice: dict[str, Any], written: Any) -> None:
    tools = [{"name": "f", "input_schema": {"type": "object"}}]
    assert write("anthropic", claude(tools=tools, tool_choice=choice), "openai_chat").body["tool_choice"] == written


def test_edge_23_usage_of_a_stream_is_asked_for_where_that_can_be() -> None:
    asked = write("anthropic", claude(stream=True), "openai_chat").body
    assert asked["stream_options"] == {"include_usage": True}
    assert "stream_options" not in write("anthropic", claude(stream=True), "openai_chat", stream_usage=False).body


def test_what_a_host_refuses_is_left_out_and_named() -> None:
    written = write("openai_chat", chat(seed=1, n=1), "anthropic")
    assert written.lossy == "seed"
    refused = write("anthropic", claude(top_k=4), "openai_chat", unsupported=frozenset({"top_k"}))
    assert refused.lossy == "top_k"


def test_parts_are_read() -> None:
    url = "data:image/png;base64,AAAA"
    content = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": url, "detail": "low"}}]
    text, image = read("openai_chat", chat({"role": "user", "content": content})).messages[0].blocks
    assert isinstance(text, Text)
    assert isinstance(image, Image)
    assert (image.source.media_type, image.source.data, image.detail) == ("image/png", "AAAA", "low")


def test_functions_of_old_are_tools() -> None:
    body = chat(functions=[{"name": "f", "parameters": {"type": "object"}}], function_call={"name": "f"})
    request = read("openai_chat", body)
    assert [tool.name for tool in request.tools] == ["f"]
    old = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    (call,) = read("openai_chat", chat({"role": "user", "content": "Hi"}, old)).messages[1].blocks
    assert isinstance(call, ToolCall)


BAD = [
    (chat({"role": "nobody", "content": "Hi"}), "messages[0].role"),
    (chat({"role": "user", "content": 5}), "messages[0].content"),
    (chat(temperature="hot"), "temperature"),
    (chat(tools={}), "tools"),
    (chat(tool_choice="sometimes"), "tool_choice"),
]


@pytest.mark.parametrize(("body", "field"), BAD)
def test_what_is_wrong_is_named(body: dict[str, Any], field: str) -> None:
    with pytest.raises(Unreadable) as raised:
        read("openai_chat", body)
    assert raised.value.at == field
