from __future__ import annotations

from typing import Any

import pytest

from dragoman.dialects.lenient import count, list_of, objects_of, text_of


@pytest.mark.parametrize("value", [None, 7, [], {}])
def test_what_is_no_text_is_none(value: Any) -> None:
    assert text_of({"a": value}, "a") == ""


def test_only_lists_are_lists_and_only_objects_objects() -> None:
    assert list_of({"a": "xy"}, "a") == []
    assert objects_of({"a": [{"b": 1}, 7, None]}, "a") == [{"b": 1}]
    assert objects_of({}, "a") == []


@pytest.mark.parametrize(
    ("value", "number"), [(3, 3), (3.0, 3), (-1, 0), (None, 0), ("3", 0), (True, 0), (1e300, 10**12)]
)
def test_tokens_are_counted_in_whole_numbers(value: Any, number: int) -> None:
    assert count(value) == number
