"""Requests to and from Anthropic's Messages."""

from __future__ import annotations

from typing import Any

import pytest
from tests.dialects.across import read, write

from dragoman.dialects.canonical import Reasoning, ToolCall, ToolResult
from dragoman.dialects.fields import Unreadable

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
CALLS = [
    {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
    {"id": "call_2", "type": "function", "function": {"name": "f", "arguments": ""}},
]


def chat(**fields: object) -> dict[str, object]:
    return {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}


def thought(**block: str) -> dict[str, object]:
    """A conversation in which the model has thought."""
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [block, {"type": "tool_use", "id": "t1", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "ok"}]},
    ]
    return {"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": messages}


def test_edge_01_a_thought_whose_text_is_left_out_keeps_its_signature() -> None:
    body = thought(type="thinking", thinking="", signature="sig")
    (block, _) = read("anthropic", body).messages[1].blocks
    assert isinstance(block, Reasoning)
    assert block.text == ""
    assert write("anthropic", body, "anthropic").body["messages"][1]["content"][0] == {
        "type": "thinking",
        "thinking": "",
        "signature": "sig",
    }


def test_edge_03_each_thought_has_a_signature_of_its_own() -> None:
    body = thought(type="thinking", thinking="a", signature="1")
    body["messages"][1]["content"].insert(1, {"type": "thinking", "thinking": "b", "signature": "2"})  # type: ignore[index]
    first, second, _ = write("anthropic", body, "bedrock").body["messages"][1]["content"]
    assert [one["reasoningContent"]["reasoningText"]["signature"] for one in (first, second)] == ["1", "2"]


def test_edge_13_results_of_parallel_calls_come_in_one_message() -> None:
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": None, "tool_calls": CALLS},
        {"role": "tool", "tool_call_id": "call_1", "content": "one"},
        {"role": "tool", "tool_call_id": "call_2", "content": ""},
        {"role": "user", "content": "and?"},
    ]
    written = write("openai_chat", chat(messages=messages, tools=[TOOL]), "anthropic").body["messages"]
    assert [message["role"] for message in written] == ["user", "assistant", "user"]
    assert [block["type"] for block in written[2]["content"]] == ["tool_result", "tool_result", "text"]
    assert [block["input"] for block in written[1]["content"]] == [{"a": 1}, {}]


def test_edge_14_calls_without_tools_are_told_with_tools() -> None:
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": None, "tool_calls": CALLS[:1]},
        {"role": "tool", "tool_call_id": "call_1", "content": "one"},
    ]
    written = write("openai_chat", chat(messages=messages), "anthropic").body
    assert [tool["name"] for tool in written["tools"]] == ["f"]


def test_edge_15_an_empty_text_beside_calls_is_left_out() -> None:
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "", "tool_calls": CALLS[:1]},
        {"role": "tool", "tool_call_id": "call_1", "content": "one"},
    ]
    written = write("openai_chat", chat(messages=messages, tools=[TOOL]), "anthropic").body
    assert [block["type"] for block in written["messages"][1]["content"]] == ["tool_use"]


def test_edge_26_no_more_than_four_marks_for_the_cache() -> None:
    marked = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
    messages = [{"role": "user", "content": [{**marked, "text": str(index)} for index in range(6)]}]
    written = write("openai_chat", chat(messages=messages), "anthropic").body
    marks = [part for part in written["messages"][0]["content"] if "cache_control" in part]
    assert len(marks) == 4


def test_edge_28_thinking_takes_no_sampling() -> None:
    written = write("openai_chat", chat(temperature=0.3, reasoning_effort="high", max_tokens=9000), "anthropic")
    assert written.body["thinking"]["type"] == "enabled"
    assert "temperature" not in written.body
    assert "temperature" in written.lossy


def test_of_two_ways_to_sample_the_temperature_is_kept() -> None:
    written = write("openai_chat", chat(temperature=0.3, top_p=0.9), "anthropic")
    assert written.body["temperature"] == 0.3
    assert "top_p" not in written.body
    assert written.lossy == "top_p"


def test_edge_29_models_that_adapt_are_told_an_effort() -> None:
    adaptive = write("openai_chat", chat(reasoning_effort="low"), "anthropic", "claude-opus-4-7").body
    assert adaptive["thinking"]["type"] == "adaptive"
    assert adaptive["output_config"]["effort"] == "low"
    counted = write("openai_chat", chat(reasoning_effort="low", max_tokens=9000), "anthropic").body
    assert counted["thinking"]["budget_tokens"] >= 1024


def test_edge_30_an_answer_by_schema_forces_nothing_while_thinking() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object", "properties": {}}}}
    written = write("openai_chat", chat(response_format=form, max_tokens=9000), "anthropic").body
    native = "output_config" in written or "output_format" in written
    assert native or written["tool_choice"]["type"] in ("tool", "auto")


def test_edge_49_a_schema_that_is_no_object_is_wrapped_in_one() -> None:
    anyof = {"anyOf": [{"type": "object", "properties": {"a": {"type": "string"}}}, {"type": "object"}]}
    tool = {"type": "function", "function": {"name": "f", "parameters": anyof}}
    (written,) = write("openai_chat", chat(tools=[tool]), "anthropic").body["tools"]
    assert written["input_schema"]["type"] == "object"
    assert "anyOf" not in written["input_schema"]


@pytest.mark.parametrize("parameters", [{"anyOf": True}, {"oneOf": [7]}, {"allOf": [], "properties": 7}])
def test_a_schema_that_is_none_is_an_empty_object(parameters: Any) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": parameters}}
    (written,) = write("openai_chat", chat(tools=[tool]), "anthropic").body["tools"]
    assert written["input_schema"] == {"type": "object", "properties": {}}


def test_a_limit_is_always_set() -> None:
    assert write("openai_chat", chat(), "anthropic", max_output=8192).body["max_tokens"] > 0
    assert write("openai_chat", chat(max_tokens=99_999), "anthropic", max_output=8192).body["max_tokens"] == 8192


def test_a_field_of_the_wrong_type_is_named() -> None:
    with pytest.raises(Unreadable, match="max_tokens"):
        read("anthropic", {"model": "m", "max_tokens": "9", "messages": [{"role": "user", "content": "Hi"}]})


def test_calls_and_results_are_read_where_they_stand() -> None:
    request = read("anthropic", thought(type="thinking", thinking="a", signature="s"))
    assert isinstance(request.messages[1].blocks[1], ToolCall)
    (result,) = request.messages[2].blocks
    assert isinstance(result, ToolResult)
    assert (result.call_id, result.is_error) == ("t1", False)


def test_a_server_s_tool_is_named_as_a_loss_elsewhere() -> None:
    body = {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Hi"}],
        "tools": [{"type": "bash_20250124", "name": "bash"}],
    }
    assert "tools" in write("anthropic", body, "openai_chat").lossy
