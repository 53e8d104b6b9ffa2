"""How often questions in other words get an answer that may serve them, and how often one that may not.

The pairs are labelled: one answer may serve both, or must not. At each score the share of the first that would be hit
is the hit rate, the share of the second among all that would be hit the wrong share. Asked is the hit rate at the best
score whose wrong share is no more than a bound; the interval is of 200 resamplings of the pairs.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

from dragoman.cache.embedders import embedder_of
from dragoman.cache.minilm import LEAST_COSINE, MiniLM
from dragoman.config.caching import Semantic
from dragoman.core import SemanticIndex

BOUNDS = (0.01, 0.02, 0.05, 0.10)
RESAMPLINGS = 200
LEAST = Semantic().least_score
QUESTIONS = "qqp_gptcache_full"
# The cosine of all-MiniLM-L6-v2 on the same pairs, at the same wrong shares, and at its usual threshold for 1 %.
MINILM = {QUESTIONS: (0.0, 0.0, 0.0, 0.157), "others": (0.100, 0.100, 0.100, 0.109)}
MINILM_USUAL = "at a cosine of 0.986 it hits .058, and .083 of that is wrong"
Pair = tuple[str, str, int]


def pairs(recorded: Path) -> dict[str, list[Pair]]:
    """The labelled pairs: questions, and sentences of the other data sets."""
    found: dict[str, list[Pair]] = {QUESTIONS: [], "others": []}
    with gzip.open(recorded / "semantic" / "pairs.jsonl.gz", "rt") as lines:
        for line in lines:
            row = json.loads(line)
            if row["label"] is not None:
                name = QUESTIONS if row["dataset"] == QUESTIONS else "others"
                found[name].append((row["a"], row["b"], row["label"]))
    return found


def hit_rate(scored: list[tuple[float, int]], wrong_share: float) -> float:
    """The hit rate at the best score with no more wrong hits than that."""
    ranked = sorted(scored, reverse=True)
    total = sum(label for _, label in ranked)
    right = best = 0
    for place, (score, label) in enumerate(ranked, 1):
        right += label
        ends = place == len(ranked) or ranked[place][0] != score
        if ends and place - right <= wrong_share * place:
            best = right
    return best / total


def interval(scored: list[tuple[float, int]], wrong_share: float) -> tuple[float, float]:
    """Where nineteen of twenty resamplings lie."""
    chance = Random(1)
    rates = sorted(hit_rate(chance.choices(scored, k=len(scored)), wrong_share) for _ in range(RESAMPLINGS))
    return rates[RESAMPLINGS // 40], rates[-1 - RESAMPLINGS // 40]


def plain(text: str) -> str:
    """A text without what nobody would call a difference: case, white space and what stands at its end."""
    return " ".join(text.lower().rstrip(" ?.!").split())


def floor(labelled: list[Pair]) -> tuple[int, int]:
    """How many pairs differ in nothing that counts, and how many of these are labelled as if they did."""
    index = SemanticIndex(embedder_of("spelling"))
    same = [label for one, other, label in labelled if index.judge(plain(one), plain(other))[0] == 1.0]
    return len(same), same.count(0)


def row(name: str, way: str, scored: list[tuple[float, int]]) -> str:
    """One line of hit rates."""
    told = []
    for bound in BOUNDS:
        low, high = interval(scored, bound)
        told.append(f"{hit_rate(scored, bound):.3f} [{low:.3f}, {high:.3f}]")
    return f"  {name:<18} {way:<18}" + "".join(f"{one:>22}" for one in told)


def verified(verifier: MiniLM, of: list[Pair], scored: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """The same scores, of those alone to which the network agrees. What scores low is no candidate."""

    def agrees(one: str, other: str) -> bool:
        return one == other or verifier.cosine(one, other) >= LEAST_COSINE

    pairs_scored = zip(of, scored, strict=True)
    return [(score if score >= 0.5 and agrees(*pair[:2]) else -1.0, label) for pair, (score, label) in pairs_scored]


def at_default(scored: list[tuple[float, int]]) -> str:
    """What comes of the score that is asked for where nothing else is said."""
    hits = [label for score, label in scored if score >= LEAST]
    right = sum(hits)
    return f"{right / sum(label for _, label in scored):.3f} hit, {1 - right / len(hits):.3f} of it wrong"


def evaluated(recorded: Path) -> Iterator[str]:
    """All of it, as lines."""
    labelled, verifier = pairs(recorded), MiniLM()
    yield "Questions in other words: hit rate at a wrong share of at most"
    yield "                                      " + "".join(f"{bound:>22.0%}" for bound in BOUNDS)
    for name, of in labelled.items():
        for embedding in ("spelling", "wordllama"):
            index = SemanticIndex(embedder_of(embedding))
            scored = [(index.judge(one, other)[0], label) for one, other, label in of]
            yield row(name, embedding, scored)
        agreed = verified(verifier, of, scored)
        yield row(name, "and MiniLM's word", agreed)
        yield f"  {name:<18} at a score of {LEAST:.2f}: {at_default(scored)}, with MiniLM's word {at_default(agreed)}"
        theirs = "".join(f"{rate:>22.3f}" for rate in MINILM[name])
        yield f"  {name:<18} MiniLM's cosine   {theirs}"
    same, wrong = floor(labelled[QUESTIONS])
    yield f"  (MiniLM on questions: {MINILM_USUAL}."
    yield f"  Of {same} questions that differ only in case, articles, contractions and number {wrong} are labelled"
    yield f"  as must-not: {wrong / same:.1%}, which is the least wrong share that can be measured on them.)"
