"""What a guardrail is to those who use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from dragoman.config.guards import AppliesTo, Place
    from dragoman.guardrails.verdict import Finding, Passage


class Look(Protocol):
    """Looks at texts, within this process and at once."""

    def __call__(self, passages: list[Passage]) -> Finding | None:
        """What it found, if anything."""


class Guard(Struct, frozen=True, kw_only=True):
    """One guardrail, ready for use."""

    name: str
    places: frozenset[Place]
    applies_to: AppliesTo
    look: Look
    blocks: bool  # what it finds is refused, not only told of
    shadow: bool
    closed: bool  # what it cannot look at is refused

    def at(self, passages: list[Passage]) -> list[Passage]:
        """Those of the passages that it is for."""
        return [passage for passage in passages if passage.place in self.places]
