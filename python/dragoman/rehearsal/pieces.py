"""Cuts a text into what a provider would stream: one token a chunk.

The counter tells a text's token ids but not where each ends. Byte-pair encoding makes that easy to find: the shortest
beginning of the rest that encodes to the next id alone is that token's text, and an id's text never changes, so it is
looked for once and remembered. Where a token ends inside a character (emoji, rare scripts) the next ones join it until
the text is whole, as OpenAI's streams do.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

LONGEST = 64  # characters of a token that are looked for


class Tokeniser(Protocol):
    """What is needed of ``dragoman.core.TokenCounter``."""

    def encode(self, text: str) -> list[int]:
        """The ids of a text's tokens."""


class Split(Struct, frozen=True):
    """A text in pieces. ``tokens`` is exact; ``whole`` is false when the limit cut the text short."""

    pieces: list[str]
    tokens: int
    whole: bool

    @property
    def text(self) -> str:
        """The pieces together."""
        return "".join(self.pieces)


class Pieces:
    """The splitter; it remembers the text of each token that it has met (at most a vocabulary's worth)."""

    def __init__(self, tokeniser: Tokeniser) -> None:
        self._tokeniser = tokeniser
        self._text_of: dict[int, str] = {}

    def split(self, text: str, limit: int) -> Split:
        """The first ``limit`` tokens of ``text``, or all of it."""
        read = text[: limit * LONGEST]
        ids = self._tokeniser.encode(read)
        known = self._text_of
        pieces: list[str] = []
        at = end = 0
        while at < len(ids) and at < limit:
            piece, width = known.get(ids[at], ""), 1
            if not piece or not read.startswith(piece, end):
                piece, width = self._find(read[end : end + LONGEST], ids, at)
            if at + width > limit:
                break
            pieces.append(piece)
            at += width
            end += len(piece)
        if at == len(ids) and end < len(read):
            pieces.append(read[end:])
        return Split(pieces, at, at == len(ids) and len(read) == len(text))

    def _find(self, rest: str, ids: list[int], at: int) -> tuple[str, int]:
        for length in range(1, len(rest) + 1):
            beginning = rest[:length]
            found = self._tokeniser.encode(beginning)
            width = len(found)
            if found == ids[at : at + width]:
                if width == 1:
                    self._text_of[ids[at]] = beginning
                return beginning, width
        return rest[:1], 1
