from __future__ import annotations

from dragoman.dialects.anthropic import DIALECT
from dragoman.dialects.canonical import Answer, Choice, Opaque, Reasoning, Text, ToolCall
from dragoman.dialects.dialect import Path
from dragoman.guardrails.passages import of_answer, of_body, of_request, strings

BODY = b"""{"model": "m", "max_tokens": 9, "system": "S", "tools": [{"name": "t", "description": "D",
"input_schema": {"type": "object", "properties": {"p": {"description": "P"}}}}], "messages": [
{"role": "user", "content": "U"}, {"role": "assistant", "content": [{"type": "tool_use", "id": "i", "name": "t",
"input": {"p": "A"}}]}, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "i", "content": "R"}]}]}"""


def test_every_place_of_a_request() -> None:
    found = {(passage.place, passage.role, passage.text) for passage in of_request(DIALECT.read_request(BODY, Path()))}
    assert {("input", "system", "S"), ("input", "user", "U"), ("tool_results", "tool", "R")} <= found
    assert {("input", "tools", text) for text in ("t", "D", "P")} <= found
    assert ("tool_arguments", "assistant", '{"p":"A"}') in found


def test_every_place_of_an_answer() -> None:
    blocks = (
        Text(text="T"),
        Reasoning(text="R"),
        ToolCall(id="i", name="n", arguments="{}"),
        Opaque(dialect="x", type="y", raw={"k": ["V"]}),
    )
    found = of_answer(Answer(dialect="x", id="1", model="m", choices=(Choice(blocks=blocks, stop="stop"),)))
    assert [(passage.place, passage.text) for passage in found] == [
        ("output", "T"),
        ("output", "R"),
        ("tool_arguments", "n"),
        ("tool_arguments", "{}"),
        ("output", "k"),
        ("output", "V"),
    ]


def test_strings_of_anything() -> None:
    assert list(strings({"a": [1, "b", {"c": None}]})) == ["a", "b", "c"]
    assert [passage.text for passage in of_body(b'{"prompt": "p"}')] == ["prompt", "p"]
    assert of_body(b"no") == []
