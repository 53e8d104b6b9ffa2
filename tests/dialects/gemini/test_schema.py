"""Every rule by which a schema is rewritten."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.dialects.gemini.schema import fitted_schema, from_openapi, to_openapi
from dragoman.dialects.losses import Losses

STRING = {"type": "STRING"}


def of(prop: dict[str, Any], **root: Any) -> Any:
    return fitted_schema({"type": "object", "properties": {"p": prop}, **root})["properties"]["p"]


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        ({"type": "string", "$id": "x", "examples": ["a"]}, STRING),
        ({"const": "a"}, {"type": "STRING", "enum": ["a"]}),
        ({"enum": [1, True]}, {"type": "STRING", "enum": ["1", "true"]}),
        ({"enum": ["a", None]}, {"type": "STRING", "enum": ["a"], "nullable": True}),
        ({"type": ["string", "null"]}, {"type": "STRING", "nullable": True}),
        ({"type": ["string", "integer"]}, {"anyOf": [STRING, {"type": "INTEGER"}]}),
        ({"oneOf": [{"type": "string"}, {"type": "number"}]}, {"anyOf": [STRING, {"type": "NUMBER"}]}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "STRING", "nullable": True}),
        ({"type": "integer", "exclusiveMinimum": 0}, {"type": "INTEGER", "minimum": 1}),
        ({"type": "string", "format": "email"}, STRING),
        ({"type": "string", "format": "date-time"}, {"type": "STRING", "format": "date-time"}),
        ({"type": "array"}, {"type": "ARRAY", "items": STRING}),
        ({}, STRING),
    ],
)
def test_edge_32_keywords_that_gemini_does_not_know(schema: dict[str, Any], written: dict[str, Any]) -> None:
    assert of(schema) == written


def test_references_are_put_in_their_place() -> None:
    assert of({"$ref": "#/$defs/a", "description": "d"}, **{"$defs": {"a": {"type": "string"}}}) == {
        "type": "STRING",
        "description": "d",
    }


def test_a_definition_inside_itself_ends() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}
    losses = Losses()
    assert to_openapi({"$ref": "#/$defs/node", "$defs": {"node": node}}, losses, "schema")
    assert "schema" in losses.found


def test_all_of_is_merged() -> None:
    parts = [
        {"properties": {"a": {"type": "string"}}, "required": ["a"]},
        {"properties": {"b": {"type": "string"}}, "required": ["b"]},
    ]
    merged = fitted_schema({"type": "object", "allOf": parts})
    assert (merged["properties"], merged["required"]) == ({"a": STRING, "b": STRING}, ["a", "b"])


def test_properties_may_be_called_like_keywords() -> None:
    properties = {name: {"type": "string"} for name in ("const", "$ref", "oneOf", "additionalProperties")}
    assert fitted_schema({"type": "object", "properties": properties})["properties"] == dict.fromkeys(
        properties, STRING
    )


def test_only_properties_that_are_there_are_required() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a", "gone"]}
    assert fitted_schema(schema)["required"] == ["a"]


def test_an_object_without_properties_is_nothing_to_say() -> None:
    assert to_openapi({"type": "object", "properties": {}}, Losses(), "schema") is None


def test_openapi_is_read_as_json_schema() -> None:
    schema = {"type": "OBJECT", "properties": {"type": {"type": "STRING", "nullable": True, "minLength": "2"}}}
    assert from_openapi(schema) == {
        "type": "object",
        "properties": {"type": {"type": ["string", "null"], "minLength": 2}},
    }


KEYWORDS = st.sampled_from(
    ["type", "properties", "items", "anyOf", "allOf", "oneOf", "$ref", "enum", "const", "required"]
)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["string", "#", "#/a", "null"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(KEYWORDS, ANY, max_size=4))
def test_any_schema_is_rewritten(schema: dict[str, Any]) -> None:
    assert isinstance(fitted_schema(schema), dict)
    assert isinstance(from_openapi(schema), dict)
