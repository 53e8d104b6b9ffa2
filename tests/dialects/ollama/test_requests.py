"""Requests to and from Ollama's chat."""

from __future__ import annotations

from typing import Any

import pytest
from tests.dialects.across import read, write

from dragoman.dialects.fields import Unreadable

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
PIXEL = "iVBORw0KGgo="


def chat(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [*messages] or [{"role": "user", "content": "Hi"}], **fields}


def test_settings_are_options() -> None:
    written = write("openai_chat", chat(max_tokens=9, top_p=0.5, stop=["x"], seed=3), "ollama")
    assert written.body["options"] == {"num_predict": 9, "top_p": 0.5, "stop": ["x"], "seed": 3}
    assert (written.path, written.body["stream"], written.lossy) == ("/chat", False, "")


def test_options_of_its_own_come_back_as_they_were() -> None:
    body = chat(options={"num_ctx": 8192, "temperature": 0.5}, keep_alive="5m", think="high")
    written = write("ollama", body, "ollama")
    assert written.body["options"] == {"num_ctx": 8192, "temperature": 0.5}
    assert (written.body["keep_alive"], written.body["think"], written.lossy) == ("5m", "high", "")
    del body["think"], body["options"]["temperature"]
    assert write("ollama", body, "anthropic").lossy == "keep_alive, options.num_ctx"


def test_a_stream_is_asked_for_unless_it_is_not() -> None:
    assert read("ollama", chat()).stream
    assert not read("ollama", chat(stream=False)).stream


def test_results_say_which_tool_they_are_of() -> None:
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
    ]
    _, called, result = write("openai_chat", chat(*messages, tools=[TOOL]), "ollama").body["messages"]
    assert called["tool_calls"] == [{"function": {"name": "f", "arguments": {"a": 1}}}]
    assert result == {"role": "tool", "content": "one", "tool_name": "f"}


def test_edge_15_calls_without_ids_get_them_and_results_find_them() -> None:
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]},
        {"role": "tool", "tool_name": "f", "content": "one"},
    ]
    _, called, result = write("ollama", chat(*messages, tools=[TOOL]), "openai_chat").body["messages"]
    assert called["tool_calls"][0]["id"] == result["tool_call_id"] != ""


def test_pictures_are_base64_alone() -> None:
    url = f"data:image/png;base64,{PIXEL}"
    part = {"type": "image_url", "image_url": {"url": url}}
    (message,) = write("openai_chat", chat({"role": "user", "content": [part]}), "ollama").body["messages"]
    assert message == {"role": "user", "content": "", "images": [PIXEL]}
    (back,) = write("ollama", chat(message), "openai_chat").body["messages"]
    assert back["content"][0]["image_url"]["url"] == url


CHOICES: list[tuple[Any, list[str] | None, str]] = [
    ("auto", ["f", "g"], ""),
    ("none", None, ""),
    ("required", ["f", "g"], "~tool_choice"),
    ({"type": "function", "function": {"name": "f"}}, ["f"], "~tool_choice"),
]


@pytest.mark.parametrize(("choice", "names", "lossy"), CHOICES)
def test_the_choice_of_tools(choice: Any, names: list[str] | None, lossy: str) -> None:
    other = {"type": "function", "function": {"name": "g", "parameters": {"type": "object"}}}
    made = write("openai_chat", chat(tools=[TOOL, other], tool_choice=choice), "ollama")
    tools = made.body.get("tools")
    assert (tools and [tool["function"]["name"] for tool in tools], made.lossy) == (names, lossy)


def test_an_answer_by_schema() -> None:
    schema = {"type": "object"}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    assert write("openai_chat", chat(response_format=form), "ollama").body["format"] == schema
    assert write("ollama", chat(format="json"), "openai_chat").body["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize(
    ("effort", "think", "lossy"),
    [
        ("low", "low", ""),
        ("none", False, ""),
        ("minimal", "low", "~reasoning_effort"),
        ("max", "high", "~reasoning_effort"),
    ],
)
def test_how_much_to_think(effort: str, think: Any, lossy: str) -> None:
    written = write("openai_chat", chat(reasoning_effort=effort), "ollama")
    assert (written.body["think"], written.lossy) == (think, lossy)


def test_what_it_does_not_take_is_named() -> None:
    body = chat(n=2, user="u", logit_bias={"1": 2}, parallel_tool_calls=False, tools=[TOOL])
    assert write("openai_chat", body, "ollama").lossy == "n, parallel_tool_calls, logit_bias, user"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (chat(think="much"), "think"),
        (chat({"role": "robot", "content": "x"}), "messages[0].role"),
        (chat({"role": "user", "content": "x", "images": [1]}), "messages[0].images[0]"),
        (chat(format="xml"), "format"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], field: str) -> None:
    with pytest.raises(Unreadable) as raised:
        read("ollama", body)
    assert raised.value.at == field
