from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.dialects.fields import Unreadable
from dragoman.dialects.tasks.vectors import as_base64, read_floats

FLOATS = st.floats(width=32, allow_nan=False)


@given(st.lists(FLOATS, min_size=1))
def test_base64_there_and_back(vector: list[float]) -> None:
    assert read_floats(as_base64(vector), "v") == array("f", vector).tolist()


@pytest.mark.parametrize("value", [None, "?", "AAA=", {}, [True], ["a"], [[1.0]], 1])
def test_what_is_no_vector(value: object) -> None:
    with pytest.raises(Unreadable) as caught:
        read_floats(value, "data[0].embedding")
    assert caught.value.at == "data[0].embedding"
