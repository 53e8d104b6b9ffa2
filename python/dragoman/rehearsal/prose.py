"""Made-up prose: what the rehearsal says when nothing else is asked of it.

A few stock phrases, put together by a seeded generator. It is plainly no model's answer, which its first sentence says
too, and it is plain ASCII of common words, so that it comes to about one token a word in every vocabulary.
"""

from __future__ import annotations

from random import Random

OPENING = "This is a rehearsal: no model was asked."

_WHO = (
    "The interpreter", "The old dragoman", "A merchant from the coast", "The keeper of the gate", "Her clerk",
    "The envoy", "A caravan of forty camels", "The court", "The harbour master", "An honest scribe",
)  # fmt: skip
_DID = (
    "weighed every word of", "carried home", "wrote down", "asked about", "spoke at length of", "made little of",
    "translated", "sealed", "sent a runner with", "remembered",
)  # fmt: skip
_WHAT = (
    "the letter", "a bill of lading", "the price of saffron", "the second treaty", "an old promise",
    "three bolts of silk", "the answer", "a list of names", "the news from the north", "the usual complaint",
)  # fmt: skip
_WHEN = (
    "before the evening bell", "in four languages", "without being asked", "on the way to the market",
    "while the tea was hot", "at the bridge", "for the third time that week", "as the custom is",
    "and said nothing more", "in a clear hand",
)  # fmt: skip


def passage(random: Random, sentences: int) -> str:
    """So many made-up sentences, after one that says what they are."""
    pick = random.random
    said = [
        f"{_WHO[int(pick() * 10)]} {_DID[int(pick() * 10)]} {_WHAT[int(pick() * 10)]} {_WHEN[int(pick() * 10)]}."
        for _ in range(sentences)
    ]
    return " ".join([OPENING, *said])
