"""A path that clients ask models by: which dialect it is of, and what a provider of that dialect calls it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from dragoman.dialects.dialect import Path

# How much of OpenAI's rules for counting a prompt applies; ``text``: to its texts alone.
Counted = Literal["chat", "completions", "embeddings", "text"]


class Surface(Struct, frozen=True, kw_only=True):
    """One row of the table of such paths."""

    endpoint: str  # in figures and usage rows
    dialect: str  # of its requests, answers and errors
    spoken: str = ""  # what a deployment that takes them as they are says that it speaks; empty: the dialect
    native: Callable[[Path, str], str]  # the path behind the base URL of a provider that speaks it, for a model
    counted: Counted = "text"
    forwarded: tuple[str, ...] = ()  # headers that mean something to such a provider
    streams_by_default: bool = False
    stores: bool = False  # answers are kept, to be gone on from
    translated: bool = True  # to providers of other dialects
    task: str = ""  # the wire format, where it asks for something else than to generate
    rewritten: bool = False  # never passed on as it came: the body names the model in places of its own
    known_by: str = ""  # the field that bodies of the dialect have; others are passed through

    @property
    def native_to(self) -> str:
        """What a deployment speaks that takes these requests as they are."""
        return self.spoken or self.dialect
