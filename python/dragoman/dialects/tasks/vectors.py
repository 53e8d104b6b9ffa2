"""Vectors in hostile JSON, and in the formats that clients ask for."""

from __future__ import annotations

import sys
from array import array
from base64 import b64decode, b64encode
from typing import Any

from dragoman.dialects.fields import Unreadable


def read_floats(value: Any, at: str) -> list[float]:
    """A vector, as numbers or as base64 of 32-bit floats, little end first.

    Raises:
        Unreadable: it is neither.
    """
    if type(value) is str:
        return _decoded(value, at)
    if type(value) is not list or not all(type(one) is float or type(one) is int for one in value):
        raise Unreadable(f"The field {at} is no vector.", at)
    return value


def _decoded(text: str, at: str) -> list[float]:
    floats = array("f")
    try:
        floats.frombytes(b64decode(text, validate=True))
    except ValueError:
        raise Unreadable(f"The field {at} is no vector.", at) from None
    if sys.byteorder == "big":
        floats.byteswap()
    return floats.tolist()


def as_base64(vector: list[float]) -> str:
    """A vector as base64 of 32-bit floats, little end first."""
    floats = array("f", vector)
    if sys.byteorder == "big":
        floats.byteswap()
    return b64encode(floats.tobytes()).decode()
