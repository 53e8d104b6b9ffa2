"""Requests to and from Bedrock's Converse."""

from __future__ import annotations

from typing import Any

from tests.dialects.across import read, write

from dragoman.dialects.canonical import ToolResult

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
CALLS = [{"id": f"c{n}", "type": "function", "function": {"name": "f", "arguments": "{}"}} for n in (1, 2)]


def chat(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [*messages] or [{"role": "user", "content": "Hi"}], **fields}


def called(**fields: Any) -> dict[str, Any]:
    return chat(
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "", "tool_calls": CALLS},
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
        {"role": "tool", "tool_call_id": "c2", "content": ""},
        **fields,
    )


def test_edge_13_results_of_parallel_calls_come_in_one_message() -> None:
    messages = write("openai_chat", called(tools=[TOOL]), "bedrock").body["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]
    assert [block["toolResult"]["toolUseId"] for block in messages[2]["content"]] == ["c1", "c2"]


def test_edge_14_calls_without_tools_are_told_with_tools() -> None:
    body = write("openai_chat", called(), "bedrock").body
    assert [tool["toolSpec"]["name"] for tool in body["toolConfig"]["tools"]] == ["f"]


def test_edge_15_an_empty_text_beside_calls_is_left_out() -> None:
    content = write("openai_chat", called(tools=[TOOL]), "bedrock").body["messages"][1]["content"]
    assert all("toolUse" in block for block in content)


def test_edge_16_an_empty_result_is_not_empty() -> None:
    results = write("openai_chat", called(tools=[TOOL]), "bedrock").body["messages"][2]["content"]
    assert results[1]["toolResult"]["content"][0]["text"]


def test_edge_31_an_answer_in_json_is_asked_for_in_words() -> None:
    written = write("openai_chat", chat(response_format={"type": "json_object"}), "bedrock")
    assert any("JSON" in block["text"] for block in written.body["system"])
    assert "~response_format" in written.lossy


def test_the_path_names_the_model_and_the_kind() -> None:
    assert write("openai_chat", chat(), "bedrock").path == "/model/anthropic.claude-sonnet-4-5-v1%3A0/converse"
    assert write("openai_chat", chat(stream=True), "bedrock").path.endswith("/converse-stream")


def test_settings_have_their_places() -> None:
    body = write("openai_chat", chat(max_tokens=9, temperature=0.2, stop=["x"]), "bedrock").body
    assert body["inferenceConfig"] == {"maxTokens": 9, "temperature": 0.2, "stopSequences": ["x"]}


def test_the_choice_of_tools() -> None:
    forced = {"type": "function", "function": {"name": "f"}}
    assert write("openai_chat", chat(tools=[TOOL], tool_choice=forced), "bedrock").body["toolConfig"]["toolChoice"] == {
        "tool": {"name": "f"}
    }
    none = write("openai_chat", chat(tools=[TOOL], tool_choice="none"), "bedrock")
    assert "toolChoice" not in none.body.get("toolConfig", {})


def test_marks_for_the_cache_stand_behind_what_they_mark() -> None:
    part = {"type": "text", "text": "long", "cache_control": {"type": "ephemeral"}}
    content = write("openai_chat", chat({"role": "user", "content": [part]}), "bedrock").body["messages"][0]["content"]
    assert content == [{"text": "long"}, {"cachePoint": {"type": "default"}}]


def test_a_result_that_failed_says_so() -> None:
    result = {"toolResult": {"toolUseId": "t", "status": "error", "content": [{"json": {"a": 1}}]}}
    (block,) = read("bedrock", {"messages": [{"role": "user", "content": [result]}]}, model="m").messages[0].blocks
    assert isinstance(block, ToolResult)
    assert block.is_error
