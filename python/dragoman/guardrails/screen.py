"""One look for all words and patterns of all guardrails: nearly every text has none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from dragoman.core import Masker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dragoman.guardrails.verdict import Passage


class Rules(Struct, frozen=True, kw_only=True):
    """What a guardrail looks for, where that is all it does: without any of it, it finds nothing."""

    patterns: dict[str, str] = {}
    words: tuple[str, ...] = ()


class Screen:
    """The rules of all guardrails."""

    def __init__(self, rules: Iterable[Rules]) -> None:
        known = list(enumerate(rules))
        patterns = {f"{number} {name}": one for number, its in known for name, one in its.patterns.items()}
        words = {str(number): list(its.words) for number, its in known if its.words}
        finder = Masker(entities=["CUSTOM"], patterns=patterns, words=words) if patterns or words else None
        self.finders = () if finder is None else (finder,)  # one, where there are rules

    def is_clean(self, passages: Iterable[Passage]) -> bool:
        """Whether none of the texts has anything that a rule asks for.

        Whose rule it was is not told: of finds that overlap one alone is, and it may be another's.
        """
        return not any(finder.find(passage.text) for finder in self.finders for passage in passages)
