from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from dragoman.endpoints.admin.pages import converted, listed, read_cursor, written
from dragoman.errors import InvalidRequest


@given(st.lists(st.text(), min_size=2, max_size=2))
def test_a_cursor_comes_back_as_it_was(cursor: list[str]) -> None:
    assert read_cursor(written(cursor)) == cursor


@given(st.text(max_size=20))
def test_anything_else_is_refused_or_read(text: str) -> None:
    try:
        assert len(read_cursor(text)) == 2
    except InvalidRequest as error:
        assert error.param == "after"


def test_the_last_part_names_no_next() -> None:
    items = [([str(number), ""], number) for number in range(3)]
    for limit, shown, more in ((2, [0, 1], True), (3, [0, 1, 2], False), (4, [0, 1, 2], False)):
        answer = listed(SimpleNamespace(limit=limit, after=""), lambda _: iter(items)).body
        assert (answer["data"], answer["next"] is not None) == (shown, more)


class Inner(Struct, forbid_unknown_fields=True):
    size: int


class Outer(Struct, forbid_unknown_fields=True):
    inner: Inner


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"inner": {"size": "x"}}, "inner.size"),
        ({"inner": {}}, "inner"),
        ({"inner": {"size": 1, "y": 1}}, "inner"),
        ({"y": 1, "inner": {"size": 1}}, "y"),
        ({}, "inner"),
    ],
)
def test_the_wrong_field_is_named(fields: object, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        converted(fields, Outer)
    assert refused.value.param == param
