"""Requests to and from Cohere's chat."""

from __future__ import annotations

from typing import Any

import pytest
from tests.dialects.across import read, write

from dragoman.dialects.fields import Unreadable

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}


def chat(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [*messages] or [{"role": "user", "content": "Hi"}], **fields}


def test_settings_have_other_names() -> None:
    written = write("openai_chat", chat(top_p=0.5, stop=["x"], max_tokens=9), "cohere")
    assert (written.body["p"], written.body["stop_sequences"], written.body["max_tokens"]) == (0.5, ["x"], 9)
    assert (written.path, written.lossy) == ("/chat", "")


def test_what_an_assistant_says_before_its_calls_is_its_plan() -> None:
    messages = [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "I look.", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": ""},
    ]
    system, _, called, result = write("openai_chat", chat(*messages, tools=[TOOL]), "cohere").body["messages"]
    assert system == {"role": "system", "content": "S"}
    assert (called["tool_plan"], called["tool_calls"], "content" in called) == ("I look.", [CALL], False)
    assert result == {"role": "tool", "tool_call_id": "c1", "content": "(empty)"}


CHOICES: list[tuple[Any, str | None]] = [
    ("auto", None),
    ("required", "REQUIRED"),
    ("none", "NONE"),
    ({"type": "function", "function": {"name": "f"}}, "REQUIRED"),
]


@pytest.mark.parametrize(("choice", "written"), CHOICES)
def test_the_choice_of_tools(choice: Any, written: str | None) -> None:
    other = {"type": "function", "function": {"name": "g", "parameters": {"type": "object"}}}
    made = write("openai_chat", chat(tools=[TOOL, other], tool_choice=choice), "cohere")
    assert made.body.get("tool_choice") == written
    named = isinstance(choice, dict)
    assert [tool["function"]["name"] for tool in made.body["tools"]] == (["f"] if named else ["f", "g"])
    assert made.lossy == ("~tool_choice" if named else "")


def test_what_it_does_not_take_is_named() -> None:
    body = chat(n=2, user="u", frequency_penalty=1.5, logit_bias={"1": 2}, parallel_tool_calls=False, tools=[TOOL])
    written = write("openai_chat", body, "cohere")
    assert written.lossy == "n, parallel_tool_calls, logit_bias, user, ~frequency_penalty"
    assert written.body["frequency_penalty"] == 1


def test_an_answer_by_schema() -> None:
    schema = {"type": "object"}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    written = write("openai_chat", chat(response_format=form), "cohere").body["response_format"]
    assert written == {"type": "json_object", "json_schema": schema}


def test_a_client_of_cohere_reaches_another_dialect() -> None:
    body = chat(
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {"role": "assistant", "tool_plan": "I look.", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "one"}]},
        tools=[TOOL],
        tool_choice="REQUIRED",
        k=3,
        max_tokens=9,
        safety_mode="OFF",
    )
    written = write("cohere", body, "anthropic")
    assert [turn["role"] for turn in written.body["messages"]] == ["user", "assistant", "user"]
    assert [block["type"] for block in written.body["messages"][1]["content"]] == ["text", "tool_use"]
    assert (written.body["tool_choice"]["type"], written.body["top_k"], written.lossy) == ("any", 3, "safety_mode")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (chat(tool_choice="SOME"), "tool_choice"),
        (chat({"role": "robot", "content": "x"}), "messages[0].role"),
        (chat(response_format={"type": "xml"}), "response_format.type"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], field: str) -> None:
    with pytest.raises(Unreadable) as raised:
        read("cohere", body)
    assert raised.value.at == field
