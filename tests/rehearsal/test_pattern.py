from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.rehearsal.pattern import LONGEST, Unsupported, matching


@pytest.mark.parametrize(
    "pattern",
    [
        r"^[A-Z]{3}-\d{4}$",
        r"^\+?[1-9]\d{1,14}$",
        r"^(red|green|blue)$",
        r"^[a-z0-9]+(?:-[a-z0-9]+)*$",
        r"^#([0-9a-fA-F]{6}|[0-9a-fA-F]{3})$",
        r"^\w+@\w+\.(com|org)$",
        r"^[^\s@]+$",
        r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$",
        r"^(?P<a>x){2,3}?y*z+$",
        r"^a.c\.\$\^\x41\u0042$",
        r"^[\]\-^]{2}$",
        r"^[]a]$",
        r"^$",
        r"^a{,b}{$",
        r"^((a|b)(c|d)){2}$",
        r"^\S\D\W$",
    ],
)
def test_what_is_made_matches(pattern: str) -> None:
    for seed in range(50):
        assert re.search(pattern, matching(pattern, Random(seed))), pattern


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?=a)b", r"(?!a)", r"(?<=a)", r"(a)\1", r"\p{L}", r"(a", r"a)", r"[a", r"[", "\\", r"*a", r"[^\s\S]",
        r"[z-a]", r"a{5,2}", r"a{99999}", "(" * 100 + ")" * 100, r"((a{1000}){1000}){1000}", r"\bx", r"\u12", "(?i)a",
        "a" * (LONGEST + 1),
    ],
)  # fmt: skip
def test_what_is_not_known_is_said(pattern: str) -> None:
    with pytest.raises(Unsupported):
        matching(pattern, Random(1))


@given(st.text(max_size=60), st.integers(0, 3))
def test_any_text_is_a_match_or_unsupported(pattern: str, seed: int) -> None:
    try:
        made = matching(pattern, Random(seed))
    except Unsupported:
        return
    assert len(made) <= LONGEST


@given(st.from_regex(r"\A(\[a-c\]|\\d|x|\(y\|z\)|\(\?:ab\))([?*+]|\{1,3\})?(\1|q)*\Z"), st.integers(0, 9))
def test_generated_patterns_match(pattern: str, seed: int) -> None:
    assert re.fullmatch(pattern, matching(pattern, Random(seed)))
