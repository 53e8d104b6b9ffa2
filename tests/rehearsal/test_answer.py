from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from dragoman.core import TokenCounter
from dragoman.errors import InvalidRequest
from dragoman.rehearsal.answer import MOST_CHOICES, OUTPUT_LIMIT, Said, Speaker, answer_chat, answer_completion
from dragoman.rehearsal.pieces import Pieces
from dragoman.rehearsal.request import ChatRequest, CompletionRequest, read, read_prompts
from dragoman.rehearsal.script import Script

COUNTER = TokenCounter("o200k_base")
PIECES = Pieces(COUNTER)
CITY = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}


def tool(name: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": parameters or CITY}}


def chat(prompt: str = "Hello there.", *, script: Script | None = None, seed: int = 1, **fields: Any) -> list[Said]:
    fields.setdefault("messages", [{"role": "user", "content": prompt}])
    body = json.dumps({"model": "m", **fields}).encode()
    return answer_chat(read(body, ChatRequest), Speaker(PIECES, script or Script(), seed, body))


def text(said: Said) -> str:
    return "".join(said.pieces)


def names(said: list[Said]) -> list[str]:
    return [call.tool.name for call in said[0].calls]


def test_prose_is_the_seeds_and_counted_exactly() -> None:
    (said,) = chat(seed=5)
    assert chat(seed=5) == [said]
    assert chat(seed=6) != [said]
    assert said.tokens == COUNTER.count(text(said)) > 20
    assert said.finish_reason == "stop"


def test_choices_differ() -> None:
    said = chat(n=4)
    assert len({text(one) for one in said}) == 4


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("limit", [1, 2, 9])
def test_the_limit_cuts(field: str, limit: int) -> None:
    fields: dict[str, Any] = {field: limit}
    (said,) = chat(**fields)
    assert (said.tokens, said.finish_reason) == (limit, "length")
    assert COUNTER.count(text(said)) == limit


def test_a_limit_that_is_not_reached_is_none() -> None:
    assert chat(max_tokens=5000)[0].finish_reason == "stop"


def test_thinking_uses_up_the_limit() -> None:
    (said,) = chat(script=Script(reasoning_tokens=50), max_completion_tokens=40)
    assert (said.tokens, said.finish_reason, said.pieces) == (0, "length", [])


def test_a_stop_ends_the_text_before_itself() -> None:
    (said,) = chat(script=Script(text="one two three STOP four"), stop=["nowhere", " STOP", "three"])
    assert text(said) == "one two "
    assert (said.finish_reason, said.tokens) == ("stop", COUNTER.count("one two "))


def test_a_stop_past_the_limit_is_not_met() -> None:
    (said,) = chat(script=Script(text="one two three STOP four"), stop="STOP", max_tokens=2)
    assert said.finish_reason == "length"


@pytest.mark.parametrize("length", [1, 40, 500])
def test_the_script_sets_the_length(length: int) -> None:
    (said,) = chat(script=Script(tokens=length))
    assert (said.tokens, said.finish_reason) == (length, "stop")


def test_the_script_dictates() -> None:
    assert text(chat(script=Script(text="said so"), tools=[tool("x")], tool_choice="required")[0]) == "said so"
    assert chat(script=Script(finish_reason="content_filter"))[0].finish_reason == "content_filter"


def test_an_echo_is_the_request_itself() -> None:
    echoed = json.loads(text(chat("naïve 🫖", script=Script(echo=True))[0]))
    assert echoed["messages"][0]["content"] == "naïve 🫖"


def test_an_echo_is_no_longer_than_any_answer() -> None:
    (said,) = chat("word " * 20_000, script=Script(echo=True))
    assert (said.tokens, said.finish_reason) == (OUTPUT_LIMIT, "length")


def allowed(mode: str, name: str) -> dict[str, Any]:
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [tool(name)]}}


TOOLS = [tool("lookup_population"), tool("get_weather"), tool("sendEmail")]


@pytest.mark.parametrize(
    ("prompt", "fields", "called"),
    [
        ("Hello", {}, []),
        ("What is the weather in Paris?", {}, ["get_weather"]),
        ("The population, and the weather", {}, ["lookup_population", "get_weather"]),
        ("The population, and the weather", {"parallel_tool_calls": False}, ["lookup_population"]),
        ("please send an email", {}, ["sendEmail"]),
        ("use a tool", {}, ["lookup_population"]),
        ("the weather", {"tool_choice": "none"}, []),
        ("Hello", {"tool_choice": "required"}, ["lookup_population"]),
        ("the weather", {"tool_choice": "required"}, ["get_weather"]),
        ("Hello", {"tool_choice": {"type": "function", "function": {"name": "sendEmail"}}}, ["sendEmail"]),
        ("Hello", {"tool_choice": allowed("required", "sendEmail")}, ["sendEmail"]),
        ("the weather", {"tool_choice": allowed("auto", "sendEmail")}, []),
    ],
)
def test_when_tools_are_called(prompt: str, fields: dict[str, Any], called: list[str]) -> None:
    said = chat(prompt, tools=TOOLS, **fields)
    assert names(said) == called
    assert said[0].finish_reason == ("tool_calls" if called else "stop")


def test_a_tools_result_is_answered_in_words() -> None:
    history = [
        {"role": "user", "content": "the weather?"},
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "get_weather"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "sunny weather"},
    ]
    assert names(chat(messages=history, tools=TOOLS)) == []


def test_arguments_are_valid_and_counted() -> None:
    (said,) = chat("the weather", tools=TOOLS)
    arguments = "".join(said.calls[0].pieces)
    Draft202012Validator(CITY).validate(json.loads(arguments))
    assert said.tokens == COUNTER.count(arguments) + COUNTER.count("get_weather")
    assert said.calls[0].id.startswith("call_")


def test_a_call_is_cut_by_the_limit() -> None:
    (said,) = chat("the weather", tools=TOOLS, max_tokens=4)
    assert (said.finish_reason, said.tokens) == ("length", 4)


def test_custom_tools_and_deprecated_functions() -> None:
    (said,) = chat("take a note", tools=[{"type": "custom", "custom": {"name": "note"}}])
    assert "rehearsal" in "".join(said.calls[0].pieces)
    (said,) = chat("the weather", functions=[{"name": "get_weather", "parameters": CITY}])
    assert (said.finish_reason, said.legacy) == ("function_call", True)
    (said,) = chat("Hello", functions=[{"name": "f"}], function_call={"name": "f"})
    assert "".join(said.calls[0].pieces) == "{}"


def test_the_script_names_a_tool() -> None:
    assert names(chat("Hello", script=Script(tool="sendEmail"), tools=TOOLS, tool_choice="none")) == ["sendEmail"]


@pytest.mark.parametrize(
    ("script", "fields"),
    [
        (Script(), {"tool_choice": "required"}),
        (Script(), {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "other"}}}),
        (Script(tool="other"), {"tools": TOOLS}),
    ],
)
def test_a_tool_that_is_not_offered_is_refused(script: Script, fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        chat("Hello", script=script, **fields)
    assert caught.value.param == "tool_choice"


def test_shapes_are_kept_to() -> None:
    shape = {"type": "json_schema", "json_schema": {"name": "s", "schema": CITY, "strict": True}}
    Draft202012Validator(CITY).validate(json.loads(text(chat(response_format=shape)[0])))
    assert isinstance(json.loads(text(chat(response_format={"type": "json_object"})[0])), dict)
    assert text(chat(response_format={"type": "text"})[0]) == text(chat()[0])


@pytest.mark.parametrize("shape", [{"type": "xml"}, {"type": "json_schema"}])
def test_an_unknown_shape_is_refused(shape: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        chat(response_format=shape)


def completion(**fields: Any) -> list[Said]:
    body = json.dumps({"model": "m", **fields}).encode()
    request = read(body, CompletionRequest)
    return answer_completion(request, read_prompts(request), Speaker(PIECES, Script(), 1, body))


def test_completions_are_short_unless_asked() -> None:
    (said,) = completion(prompt="Once")
    assert (said.tokens, said.finish_reason) == (16, "length")
    assert completion(prompt="Once", max_tokens=1000)[0].finish_reason == "stop"


def test_each_prompt_gets_its_choices_in_order() -> None:
    said = completion(prompt=["a", "b"], n=2, echo=True)
    assert [one.prefix for one in said] == ["a", "a", "b", "b"]
    assert [one.prefix for one in completion(prompt=[[1, 2], [3]], echo=True)] == ["", ""]


def test_choices_are_limited() -> None:
    assert len(completion(prompt=["a"] * (MOST_CHOICES // 2), n=2)) == MOST_CHOICES
    with pytest.raises(InvalidRequest):
        completion(prompt=["a"] * (MOST_CHOICES // 2 + 1), n=2)


@pytest.mark.parametrize(("effort", "tokens"), [("none", 0), ("low", 16), ("high", 64), ("odd", 0)])
def test_it_thinks_aloud_as_hard_as_it_is_asked(effort: str, tokens: int) -> None:
    (said,) = chat(reasoning_effort=effort)
    assert said.thought_tokens == tokens == COUNTER.count("".join(said.thought))
    assert text(said) == text(chat(reasoning_effort=effort)[0])


def test_half_of_the_limit_is_thought_at_most() -> None:
    (said,) = chat(reasoning_effort="high", max_tokens=20)
    assert (said.thought_tokens, said.tokens, said.finish_reason) == (10, 10, "length")
