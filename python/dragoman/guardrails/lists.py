"""Words and patterns that are not to be said, seen through whatever disguises them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman.core import Masker
from dragoman.guardrails.screen import Rules
from dragoman.guardrails.verdict import Finding

if TYPE_CHECKING:
    from dragoman.config.guards import Patterns, Words
    from dragoman.guardrails.guard import About
    from dragoman.guardrails.verdict import Passage


class DeniedWords:
    """Words, phrases and topics."""

    def __init__(self, words: Words) -> None:
        self.rules = Rules(words=words.deny)
        self._finder = Masker(entities=["CUSTOM"], words={"word": list(words.deny)})

    def __call__(self, passages: list[Passage], about: About) -> Finding | None:
        """Whether one of them is said."""
        for passage in passages:
            if self._finder.find(passage.text):
                return Finding(reason="a word that is not allowed here")
        return None


class DeniedPatterns:
    """Regular expressions."""

    def __init__(self, patterns: Patterns) -> None:
        self.rules = Rules(patterns=patterns.deny)
        self._denied = Masker(entities=["CUSTOM"], patterns=patterns.deny)
        self._required = {
            name: Masker(entities=["CUSTOM"], patterns={name: one}) for name, one in patterns.require.items()
        }

    def __call__(self, passages: list[Passage], about: About) -> Finding | None:
        """Whether one is found that must not be, or not found that must be."""
        for passage in passages:
            for found in self._denied.find(passage.text):
                return Finding(reason=f"the pattern {found[1]}", signals=(found[1],))
        for name, finder in self._required.items():
            if passages and not any(finder.find(passage.text) for passage in passages):
                return Finding(reason=f"the pattern {name} is missing", signals=(name,))
        return None
