from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dragoman.core import Words


@given(st.lists(st.binary(min_size=1, max_size=3), max_size=4), st.binary(max_size=40))
def test_they_are_in_a_body_that_has_one_of_them(words: list[bytes], body: bytes) -> None:
    assert Words(*words).are_in(body) is any(word in body for word in words)
