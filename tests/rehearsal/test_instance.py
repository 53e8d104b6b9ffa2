from __future__ import annotations

import contextlib
import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from dragoman.errors import InvalidRequest
from dragoman.rehearsal.instance import instance

TREE = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#"}}},
    "required": ["name", "children"],
    "additionalProperties": False,
}
LINKED = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "value": {"type": "integer"},
                "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
            },
            "required": ["value", "next"],
        }
    },
}
EVENT = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 40},
        "when": {"type": "string", "format": "date-time"},
        "participants": {
            "type": "array",
            "items": {"type": "string"},
            "minItems": 2,
            "maxItems": 5,
            "uniqueItems": True,
        },
        "kind": {"enum": ["meeting", "party"]},
        "budget": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 0.5},
        "code": {"type": "string", "pattern": "^[A-Z]{2}\\d{3}$"},
        "rating": {"type": "integer", "minimum": 1, "maximum": 5},
        "share": {"type": "number", "multipleOf": 0.25, "minimum": 0, "maximum": 1},
        "place": {"oneOf": [{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}]},
        "ready": {"type": "boolean"},
        "version": {"const": 3},
        "nothing": {"type": "null"},
        "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
        "long": {"type": "string", "minLength": 120},
    },
    "required": ["name", "when", "participants", "kind", "budget", "code", "rating", "share", "place", "ready"],
    "additionalProperties": False,
}
MERGED = {
    "allOf": [
        {"type": "object", "properties": {"a": {"type": "integer", "minimum": 3}}, "required": ["a"]},
        {"properties": {"a": {"maximum": 4}, "b": {"$ref": "#/$defs/b~1~0x"}}, "required": ["b"]},
        {"anyOf": [{"required": ["c"]}, {"required": ["d"]}]},
    ],
    "$defs": {"b/~x": {"enum": ["one"]}},
}
OTHERS: list[Any] = [
    True,
    {},
    {"enum": [1, "a", None]},
    {"type": "object", "minProperties": 3},
    {"type": "object", "required": ["x"], "additionalProperties": {"type": "integer"}},
    {"type": "array", "contains": {"const": 7}, "minItems": 2},
    {"type": "array", "items": {"type": "boolean"}, "uniqueItems": True, "maxItems": 2},
    {"type": "integer", "multipleOf": 7, "minimum": 8, "maximum": 20},
    {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5},
    {"type": "number", "minimum": -5, "maximum": -4.5},
    {"type": "number", "maximum": -1000},
    {"type": "integer", "minimum": 10**9},
    {"properties": {"a": {}}, "required": ["a"]},
    {"items": {"type": "null"}, "minItems": 1},
    {"anyOf": [{"type": "string"}], "oneOf": [{"minLength": 30}]},
    {"allOf": [{"enum": [1, 2]}, {"enum": [2, 3]}]},
]


@pytest.mark.parametrize("schema", [TREE, LINKED, EVENT, MERGED, *OTHERS], ids=lambda schema: json.dumps(schema)[:40])
def test_what_is_made_is_valid_and_the_same_each_time(schema: Any) -> None:
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    for seed in range(40):
        made = instance(schema, Random(seed))
        validator.validate(made)
        assert made == instance(schema, Random(seed))
        json.dumps(made, allow_nan=False)


def leaves() -> st.SearchStrategy[dict[str, Any]]:
    low = st.integers(-50, 50)
    return st.one_of(
        st.just({"type": "boolean"}),
        st.just({"type": "null"}),
        st.builds(lambda n, w: {"type": "integer", "minimum": n, "maximum": n + w}, low, st.integers(0, 9)),
        st.builds(lambda n, w: {"type": "number", "exclusiveMinimum": n, "maximum": n + w}, low, st.integers(1, 9)),
        st.builds(
            lambda n, w: {"type": "string", "minLength": n, "maxLength": n + w}, st.integers(0, 40), st.integers(0, 9)
        ),
        st.builds(
            lambda values: {"enum": values}, st.lists(st.integers() | st.text(max_size=4), min_size=1, max_size=4)
        ),
    )


def nested(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from(["city", "count", "tags", "x y", ""])
    return st.one_of(
        st.builds(lambda items, n: {"type": "array", "items": items, "minItems": n}, inner, st.integers(0, 4)),
        st.builds(
            lambda parts: {"type": "object", "properties": parts, "required": sorted(parts)},
            st.dictionaries(names, inner, max_size=3),
        ),
        st.builds(lambda choices: {"anyOf": choices}, st.lists(inner, min_size=1, max_size=3)),
    )


@given(st.recursive(leaves(), nested, max_leaves=8), st.integers(0, 1 << 30))
def test_generated_schemas_are_satisfied(schema: dict[str, Any], seed: int) -> None:
    Draft202012Validator(schema).validate(instance(schema, Random(seed)))


ENDLESS: Any = {"type": "object", "properties": {"again": {"$ref": "#"}}, "required": ["again"]}


@pytest.mark.parametrize(
    "schema",
    [
        False,
        ENDLESS,
        {"$ref": "#/nowhere"},
        {"$ref": "https://example.com/schema"},
        {"$ref": "#"},
        {"type": "array", "minItems": 10**9},
        {"type": "object", "minProperties": 10**9},
        {"type": "string", "minLength": 10**9},
        {"type": "integer", "minimum": 5, "maximum": 4},
        {"type": "array", "items": {"const": 1}, "minItems": 2, "uniqueItems": True},
        {"type": "object", "properties": [1]},
        {"type": "object", "required": 5},
        {"type": "array", "prefixItems": 5},
        {"type": "array", "prefixItems": {"type": None}},
        {"type": "integer", "multipleOf": "a"},
        {"type": "string", "maxLength": "a"},
        {"type": "integer", "minimum": 1e400},
        {"allOf": 5},
    ],
    ids=lambda schema: json.dumps(schema)[:40],
)
def test_what_cannot_be_satisfied_is_the_requests_fault(schema: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        instance(schema, Random(3))
    assert caught.value.error_code == "invalid_schema"


WORDS = (
    "type", "properties", "items", "anyOf", "allOf", "$ref", "enum", "minItems", "minimum", "multipleOf", "pattern",
    "required", "prefixItems", "maxLength", "contains",
)  # fmt: skip
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
)


@given(ANYTHING)
def test_malformed_schemas_never_fail_otherwise(schema: Any) -> None:
    with contextlib.suppress(InvalidRequest):
        instance(schema, Random(5))
