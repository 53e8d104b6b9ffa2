from __future__ import annotations

from typing import Any

import pytest
from tests.guardrails.looking import finds

from dragoman.config.guards import Schema
from dragoman.guardrails.guard import About
from dragoman.guardrails.schema import OfSchema

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
