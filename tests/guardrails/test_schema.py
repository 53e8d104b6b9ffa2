from __future__ import annotations

from typing import Any

import pytest
from tests.guardrails.looking import finds

from dragoman.config.guards import Schema
from dragoman.guardrails.guard import About
from dragoman.guardrails.schema import OfSchema
from dragoman.guardrails.verdict import Passage

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def test_an_answer_of_the_schema() -> None:
    assert finds(OfSchema(Schema(schema=SCHEMA)), '{"n": 1}', place="output") is None
    assert finds(OfSchema(Schema()), '{"n": 1}', place="output", about=About([], SCHEMA)) is None
    assert finds(OfSchema(Schema()), "anything", place="output") is None


@pytest.mark.parametrize(
    ("text", "reason"), [("no", "no JSON"), ('{"n": "x"}', "n: type"), ("{}", "the whole: required")]
)
def test_an_answer_of_another(text: str, reason: str) -> None:
    found = finds(OfSchema(Schema(schema=SCHEMA)), text, place="output")
    assert found is not None
    assert reason in found.reason


def answered(*texts: str, aside: str = "") -> list[Passage]:
    thought = [Passage("output", aside, "assistant", aside=True)] if aside else []
    return thought + [Passage("output", text, "assistant", choice) for choice, text in enumerate(texts)]


def test_what_a_model_thinks_is_no_part_of_it() -> None:
    assert OfSchema(Schema(schema=SCHEMA))(answered('{"n": 1}', aside="Let me count."), About()) is None


def test_each_of_several_answers_is_held_to_it() -> None:
    look = OfSchema(Schema(schema=SCHEMA))
    assert look(answered('{"n": 1}', '{"n": 2}'), About()) is None
    assert look(answered('{"n": 1}', '{"n": "x"}'), About()) is not None


@pytest.mark.parametrize("schema", [{"type": "no such"}, {"$ref": "http://127.0.0.1:9/x.json"}, {"pattern": 3}])
def test_a_schema_that_is_none(schema: dict[str, Any]) -> None:
    found = finds(OfSchema(Schema(schema=schema)), "{}", place="output")
    assert found is not None
    assert found.reason == "the schema is none"


def test_a_pattern_makes_nothing_slow() -> None:
    schema = {"properties": {"a": {"pattern": r"^(\w+\s?)*$"}}, "patternProperties": {"^x": {"type": "integer"}}}
    look = OfSchema(Schema(schema=schema))
    assert finds(look, '{"a": "' + "a" * 5000 + '!"}', place="output") is not None
    assert finds(look, '{"a": "fine words", "x1": 3}', place="output") is None
    assert finds(look, '{"x1": "no"}', place="output") is not None
