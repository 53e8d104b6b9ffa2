from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.cache.safetensors import Tensor, tensors_of


def file_of(header: Any, data: bytes = b"") -> bytes:
    written = json.dumps(header).encode()
    return len(written).to_bytes(8, "little") + written + data


def place(start: int, end: int) -> dict[str, Any]:
    return {"dtype": "F16", "shape": [2, 1], "data_offsets": [start, end]}


def test_tables_are_read() -> None:
    file = file_of({"__metadata__": {"format": "pt"}, "one": place(0, 4), "other": place(4, 6)}, b"abcdef")
    assert tensors_of(file) == {"one": Tensor("F16", (2, 1), b"abcd"), "other": Tensor("F16", (2, 1), b"ef")}


BAD = [b"", b"\x02", file_of([]), file_of({"one": {}}), file_of({"one": place(0, 5)}, b"abcd"), b"\xff" * 30]


@pytest.mark.parametrize("file", [*BAD, file_of({"one": place(-1, 2)}, b"ab"), file_of({"one": place(2, 1)}, b"ab")])
def test_what_is_no_such_file(file: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        tensors_of(file)


@given(st.binary(max_size=60))
def test_no_file_fails_otherwise(file: bytes) -> None:
    try:
        tensors_of(file)
    except ValueError:
        return
