"""One look for all guardrails at once: nearly every request, and every answer, has nothing for any of them.

What a guardrail looks for it says as :class:`Sought`, where a text that has none of it can be told from others without
the guardrail. The sieve is sure of nothing else: what it does not let through is looked at as if there were no sieve.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from dragoman.core import Masker, Pattern, Sieve

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dragoman.config.guards import Place
    from dragoman.guardrails.guard import Guard
    from dragoman.guardrails.masking import Hider
    from dragoman.guardrails.screen import Screen

# Characters that texts may have: see :class:`Sieve`.
Characters = Literal["ascii", "latin", "any"]
_FEWEST: tuple[Characters, ...] = ("ascii", "latin", "any")


class Sought(Struct, frozen=True, kw_only=True):
    """What a guardrail looks for: in a text without all of this it finds nothing."""

    finders: tuple[Masker, ...] = ()  # what these find
    attempts: float | None = None  # injections of this score, in what users write
    beyond: Characters = "any"  # all characters but these
    signs: tuple[Pattern, ...] = ()
    repeated: int = 0  # so many words in a row, in an answer, that a system prompt has as well


class Sifting(Struct, frozen=True):
    """What requests pass by, and whole answers to them, where nothing but sieves looks at them."""

    requests: Sieve
    answers: Sieve | None  # None: nobody looks at answers
    told: str  # of those that pass


def is_told_by_texts(place: Place, guards: Sequence[Guard]) -> bool:
    """Whether all guardrails that look there find nothing in what a sieve lets through."""
    return all(guard.rules or guard.sought for guard in guards if place in guard.places)


def sieve_of(place: Place, guards: Sequence[Guard], screen: Screen, hiders: Iterable[Hider] = ()) -> Sieve:
    """What tells that nothing is to be found in the texts that stand there, where all guardrails are told by them.

    :param screen: what finds what any rule of these guardrails asks for.
    :param hiders: they find nothing in the whole body, whatever the guardrails are.
    """
    hidden = [hider.masker for hider in hiders]
    if not is_told_by_texts(place, guards):
        return Sieve(hidden=hidden)
    looking = [guard for guard in guards if place in guard.places and guard.rules is None]
    sought = [guard.sought for guard in looking if guard.sought is not None]
    attempts = [one.attempts for one in sought if one.attempts is not None]
    return Sieve(
        hidden=hidden,
        found=[*screen.finders, *chain.from_iterable(one.finders for one in sought)],
        attempts=min(attempts, default=None),
        characters=min((one.beyond for one in sought), key=_FEWEST.index, default="any"),
        signs=list(chain.from_iterable(one.signs for one in sought)),
        repeated=min((one.repeated for one in sought if one.repeated), default=0),
    )
