"""Requests to and from OpenAI's Responses."""

from __future__ import annotations

from typing import Any

import pytest
from tests.dialects.across import Written, read, target, write

from dragoman.dialects.fields import Unreadable

TOOL = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}
CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "ok"}


def asked(*items: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "gpt-5.2", "input": [*items] or "Hi", **fields}


def said(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def test_text_alone_is_what_the_user_says() -> None:
    written = write("openai_responses", asked(instructions="S"), "openai_chat").body["messages"]
    assert [(message["role"], message["content"]) for message in written] == [("system", "S"), ("user", "Hi")]


def test_items_become_turns() -> None:
    written = write("openai_responses", asked(said("Hi"), CALL, OUTPUT, tools=[TOOL]), "anthropic").body
    assert [message["role"] for message in written["messages"]] == ["user", "assistant", "user"]
    assert written["messages"][1]["content"][0] == {"type": "tool_use", "id": "c1", "name": "f", "input": {}}


def test_edge_34_reasoning_goes_back_with_what_proves_it_or_not_at_all() -> None:
    proved = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "enc"}
    bare = {"type": "reasoning", "id": "rs_1", "summary": []}
    kept = write("openai_responses", asked(said("Hi"), proved, CALL, OUTPUT, store=False), "openai_responses").body
    assert kept["input"][1]["encrypted_content"] == "enc"
    claude = {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}]}
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}, claude]}
    written = write("anthropic", body, "openai_responses")
    assert not any(item["type"] == "reasoning" for item in written.body["input"])
    assert "reasoning" in written.lossy
    assert write("openai_responses", asked(said("Hi"), bare, CALL, OUTPUT), "anthropic").body["messages"][1]["content"]


def test_edge_35_reasoning_always_has_a_summary() -> None:
    proved = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "enc"}
    request = read("openai_responses", asked(said("Hi"), proved, CALL, OUTPUT))
    items = Written(request, "openai_responses", target("openai_responses")).body["input"]
    assert [item["summary"] for item in items if item["type"] == "reasoning"] == [[]]


def test_what_is_asked_of_another_dialect_stores_nothing_at_openai() -> None:
    written = write("openai_chat", {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}, "openai_responses")
    assert (written.body["store"], written.path) == (False, "/responses")
    assert written.body["include"] == ["reasoning.encrypted_content"]


def test_an_answer_by_schema() -> None:
    form = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}
    written = write("openai_responses", asked(text={"format": form}), "openai_chat").body["response_format"]
    assert written["json_schema"] == {"name": "n", "schema": {"type": "object"}, "strict": True}


def test_custom_tools_become_functions_where_there_are_none() -> None:
    tool = {"type": "custom", "name": "sql", "description": "d"}
    written = write("openai_responses", asked(tools=[tool]), "anthropic")
    assert written.undo.custom == frozenset({"sql"})
    assert written.body["tools"][0]["input_schema"]["required"] == ["input"]


@pytest.mark.parametrize(
    ("body", "field"),
    [(asked(tools=3), "tools"), (asked({"type": "message", "role": "x"}), "input[0].role"), (asked(5), "input[0]")],
)
def test_what_is_wrong_is_named(body: dict[str, Any], field: str) -> None:
    with pytest.raises(Unreadable) as raised:
        read("openai_responses", body)
    assert raised.value.at == field
