"""Fields of what is taken as it comes: a value of another type is as good as none."""

from __future__ import annotations

from typing import Any

from dragoman.dialects.canonical import Json

# More than any model reads; sums and prices of less fit a row of the store.
MOST_TOKENS = 10**12


def text_of(raw: Json, name: str) -> str:
    """A string; empty where there is none."""
    value = raw.get(name)
    return value if type(value) is str else ""


def list_of(raw: Json, name: str) -> list[Any]:
    """A list; empty where there is none."""
    value = raw.get(name)
    return value if type(value) is list else []


def objects_of(raw: Json, name: str) -> list[Json]:
    """The objects of a list."""
    return [item for item in list_of(raw, name) if type(item) is dict]


def count(value: Any) -> int:
    """A number of tokens: hosts leave fields out, say ``null``, or write it with a point. The absurd is cut off."""
    return int(min(value, MOST_TOKENS)) if type(value) in (int, float) and value >= 0 else 0
