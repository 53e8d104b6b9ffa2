from __future__ import annotations

import pytest

from dragoman.cli.columns import align, printable


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    text = align(("name", "n"), [("a", "1"), ("longer", "200")], right=frozenset({1}))
    assert text == "name      n\na         1\nlonger  200"


def test_no_rows_leave_the_header() -> None:
    assert align(("a", "b"), []) == "a  b"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é😀", "plain é😀"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\u2028\u202e", "\\u2028\\u202e"),
        ("\ud800", "\\ud800"),
        ("", ""),
    ],
)
def test_control_characters_are_spelt_out(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert shown in align(("h",), [(text,)])
