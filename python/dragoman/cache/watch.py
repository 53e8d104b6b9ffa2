"""How often hits are wrong, and how sure they have to be for that to be seldom enough.

Some hits are checked: what was asked is asked of the provider as well, and the answers compared. Whoever is wrong
raises the score that is asked for, whoever is right lowers it, by steps in the proportion in which wrong ones are
tolerated (Robbins and Monro's stochastic approximation), so that it comes to rest where just that share is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dragoman.config.caching import Semantic

if TYPE_CHECKING:
    from dragoman.core import Embedder

# How much one wrong hit raises the score that is asked for.
STEP = 0.02
# With another score than 1 there is a difference; a namespace in which even equal questions are wrong gets no hits.
NEVER = 1.0 + STEP
# Answers whose vectors are nearer than this say the same in other words.
AGREEING_COSINE = 0.6
MOST_WATCHED = 4096


class Watch:
    """One namespace."""

    def __init__(self, rule: Semantic) -> None:
        self.rule = rule
        self.least_score = rule.least_score
        self.hits = 0
        self.checked = 0
        self.wrong = 0

    def note(self, *, right: bool) -> None:
        """A hit has been checked."""
        self.checked += 1
        self.wrong += not right
        share = self.rule.target_wrong_share
        moved = -STEP * share / (1 - share) if right else STEP
        self.least_score = min(NEVER, max(self.rule.least_score, self.least_score + moved))

    @property
    def wrong_share(self) -> float | None:
        """The share of checked hits that were wrong; ``None``: none was checked."""
        return self.wrong / self.checked if self.checked else None


class Watches:
    """All namespaces, by the alias that was asked and the name that clients gave."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], Watch] = {}

    def of(self, alias: str, namespace: str, rule: Semantic) -> Watch:
        """The watch of a namespace; begun anew where its rule has changed."""
        watch = self.known.get((alias, namespace))
        if watch is None or watch.rule != rule:
            if len(self.known) >= MOST_WATCHED:
                self.known.clear()
            watch = self.known[alias, namespace] = Watch(rule)
        return watch


def agree(one: str, other: str, embedder: Embedder) -> bool:
    """Whether two answers say the same, as far as can be told from their words."""
    plain: Callable[[str], str] = lambda text: " ".join(text.lower().split())  # noqa: E731
    if plain(one) == plain(other):
        return True
    first, second = embedder.embed(one), embedder.embed(other)
    dot = sum(a * b for a, b in zip(first, second, strict=True))
    norms = sum(a * a for a in first) * sum(b * b for b in second)
    return bool(norms) and dot / norms**0.5 >= AGREEING_COSINE
