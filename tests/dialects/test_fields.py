from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.dialects.fields import Fields, Unreadable, object_of, one_by_one, parse, parse_fields, pruned

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
TAKERS = ("text", "maybe_text", "integer", "number", "flag", "mapping", "fields", "items", "texts")


@given(value=JSON, taker=st.sampled_from(TAKERS))
def test_a_field_is_of_its_type_or_unreadable(value: Any, taker: str) -> None:
    fields = Fields({"a": value, "b": 1}, "messages[2]")
    try:
        getattr(fields, taker)("a")
    except Unreadable as error:
        assert error.at.startswith("messages[2].a")
        assert error.at in error.message
    assert fields.left == {"b": 1}


def test_what_nobody_took_is_left_and_the_original_is_whole() -> None:
    raw = {"a": 1, "b": {"c": 2}, "d": None}
    fields = Fields(raw)
    assert fields.integer("a") == 1
    assert fields.text("d", "else") == "else"
    assert fields.left == {"b": {"c": 2}}
    assert raw == {"a": 1, "b": {"c": 2}, "d": None}


def test_places_are_named_as_a_client_knows_them() -> None:
    fields = parse_fields(b'{"messages": [{"content": [{"text": 3}]}]}')
    (message,) = fields.each("messages")
    (part,) = message.each("content")
    with pytest.raises(Unreadable) as caught:
        part.text("text")
    assert caught.value.at == "messages[0].content[0].text"


@pytest.mark.parametrize(("written", "number"), [(3, 3), (3.0, 3), (None, None)])
def test_whole_numbers_however_they_are_written(written: object, number: int | None) -> None:
    assert Fields({"n": written}).integer("n") == number


@pytest.mark.parametrize("value", [True, 1.5, "1", [], {}])
def test_other_things_are_no_whole_numbers(value: object) -> None:
    with pytest.raises(Unreadable):
        Fields({"n": value}).integer("n")


def test_one_text_is_a_list_of_one() -> None:
    assert Fields({"stop": "x"}).texts("stop") == ("x",)
    assert Fields({"stop": ["x", "y"]}).texts("stop") == ("x", "y")
    assert Fields({}).texts("stop") == ()


def test_what_is_required_is_missed_by_name() -> None:
    fields = Fields({}, "tools[0]")
    with pytest.raises(Unreadable, match=r"tools\[0\]\.name is missing"):
        fields.required("name", fields.maybe_text("name"))
    assert fields.unknown("type", "x" * 99).message.count("x") == 64


@pytest.mark.parametrize("body", [b"", b"{", b'"\xff"', b"[" * 100_000, b"nul"])
def test_what_is_no_json_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        parse(body)


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"', b"3"])
def test_a_body_is_an_object(body: bytes) -> None:
    with pytest.raises(Unreadable, match="The body is not an object"):
        parse_fields(body)


@pytest.mark.parametrize(
    ("arguments", "value"),
    [("", {}), (" \n", {}), ('{"a": 1}', {"a": 1}), ("[1]", None), ("{", None), ("\ud800", None)],
)
def test_arguments_are_an_object_or_none(arguments: str, value: object) -> None:
    assert object_of(arguments) == value


def test_lists_are_read_one_by_one() -> None:
    assert one_by_one([{"a": 1}, {"a": 2}], lambda one: one.integer("a"), "x") == (1, 2)
    with pytest.raises(Unreadable, match=r"x\[1\] is not an object"):
        one_by_one([{}, 3], lambda one: None, "x")


def test_nothing_said_is_left_out() -> None:
    assert pruned({"a": None, "b": 0, "c": ""}) == {"b": 0, "c": ""}
