"""Texts in which nothing was found: a conversation says all of them again with every turn.

What is kept of a text is a number of 64 bits, from Python's own keyed hash (SipHash), whose key is drawn when the
process starts (unless PYTHONHASHSEED fixes it): nobody can look for a text that has another's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dragoman.guardrails.verdict import Passage

MOST = 1 << 15
# Shorter ones are looked at sooner than looked up.
LEAST_CHARS = 64


class Harmless:
    """The numbers of such texts, for one set of guardrails."""

    def __init__(self) -> None:
        self._known: set[int] = set()

    def unknown(self, passages: Sequence[Passage]) -> list[Passage]:
        """Those of the passages that have to be looked at."""
        known = self._known
        return [one for one in passages if len(one.text) < LEAST_CHARS or _number(one) not in known]

    def note(self, passages: Sequence[Passage]) -> None:
        """Nothing was found in them."""
        if len(self._known) > MOST:
            self._known.clear()
        self._known.update(_number(one) for one in passages if len(one.text) >= LEAST_CHARS)


def _number(passage: Passage) -> int:
    return hash((passage.place, passage.role, passage.text))
