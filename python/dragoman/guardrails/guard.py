"""What a guardrail is to those who use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from dragoman.config.guards import AppliesTo, OnStream, Place
    from dragoman.guardrails.screen import Rules
    from dragoman.guardrails.sieve import Sought
    from dragoman.guardrails.verdict import Finding, Passage, Verdict


class About(Struct, frozen=True):
    """What is known of a request where its answer is looked at."""

    said: list[Passage] = []  # all that it says
    schema: dict[str, Any] | None = None  # of the answer that it asks for


class Look(Protocol):
    """Looks at texts, within this process and at once."""

    def __call__(self, passages: list[Passage], about: About) -> Finding | None:
        """What it found, if anything."""


class Waiting(Struct, frozen=True):
    """What is done for a client that waits for a verdict."""

    every_s: float
    stay_alive: Callable[[], object]


class Guard(Struct, frozen=True, kw_only=True):
    """One guardrail, ready for use."""

    name: str
    places: frozenset[Place]
    applies_to: AppliesTo
    look: Look
    on_stream: OnStream  # how it looks at answers that are streamed
    each: bool  # it tells of each text by itself, whatever the others say
    blocks: bool  # what it finds is refused, not only told of
    shadow: bool
    closed: bool  # what it cannot look at is refused
    repairs: bool = False  # what it refuses is asked for once more
    rules: Rules | None = None  # all that it looks for, where it does nothing else
    sought: Sought | None = None  # the same, where that can be told from other texts in another way
    allows: Verdict  # what is noted where it finds nothing


class ByPlace:
    """Texts, sorted out for guardrails, of which many look at the same places."""

    __slots__ = ("_known", "passages", "places")

    def __init__(self, passages: list[Passage]) -> None:
        self.passages = passages
        self.places = frozenset([passage.place for passage in passages])
        self._known: dict[frozenset[Place], list[Passage]] = {}

    def at(self, places: frozenset[Place]) -> list[Passage]:
        """Those that stand there: most often all."""
        if self.places <= places:
            return self.passages
        known = self._known.get(places)
        if known is None:
            known = self._known[places] = [passage for passage in self.passages if passage.place in places]
        return known
