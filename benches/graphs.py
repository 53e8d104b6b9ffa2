"""Finding a question among many: every one looked at, and by a graph of neighbours (hnswlib).

Questions are five words of English prose in a frame; asked is what differs from one of them by a word that changes
nothing. Timed is the whole look-up, its embedding included. Recall is the share of those of which the graph proposes
the nearest.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from time import perf_counter, perf_counter_ns
from typing import Any

from dragoman.cache.embedders import embedder_of
from dragoman.cache.graphs import STEP_ROWS, Graph
from dragoman.core import SemanticIndex

PROSE = (Path(__file__).parent.parent / "LICENSE").read_text()
ROWS = (5_000, 10_000, 20_000, 50_000, 200_000)
ASKED = 400
NAMESPACE = b"n" * 32
LEAST = 0.88


def questions(count: int) -> Iterator[str]:
    """So many different ones."""
    chance = Random(1)
    words = sorted({word.strip(".,;:()\"'").lower() for word in PROSE.split() if len(word) > 3})
    seen = set()
    while len(seen) < count:
        chosen = tuple(chance.choice(words) for _ in range(5))
        if chosen not in seen:
            seen.add(chosen)
            yield "How do I {} the {} {} of {} {}?".format(*chosen)


def p50_us(calls: list[Callable[[], object]]) -> float:
    """The median of what they take."""
    taken = []
    for call in calls:
        begun = perf_counter_ns()
        call()
        taken.append((perf_counter_ns() - begun) / 1000)
    return statistics.median(taken)


def measured(index: SemanticIndex, asked: list[str]) -> dict[str, Any]:
    """The figures of one index."""
    embedder = embedder_of("wordllama")
    ids, vectors = index.vectors(NAMESPACE)
    dimensions = len(vectors) // len(ids)
    begun = perf_counter()
    graph = Graph(dimensions, len(ids))
    for at in range(0, len(ids), STEP_ROWS):
        end = at + STEP_ROWS
        graph.add(ids[at:end], vectors[at * dimensions : end * dimensions])
    build_us = (perf_counter() - begun) / len(ids) * 1e6

    def by_graph(text: str) -> list[tuple[bytes, float, float]]:
        vector = embedder.embed(text)
        return index.find_among(graph.near(vector), NAMESPACE, text, LEAST, vector)

    found = [(index.find(NAMESPACE, text, LEAST), by_graph(text)) for text in asked]
    known = [(exact[0][0], [one[0] for one in near]) for exact, near in found if exact]
    exactly = p50_us([lambda text=text: index.find(NAMESPACE, text, LEAST) for text in asked])  # type: ignore[misc]
    graphed = p50_us([lambda text=text: by_graph(text) for text in asked])  # type: ignore[misc]
    return {
        "questions": f"{len(ids):,}",
        "every one, p50 us": round(exactly, 1),
        "by graph, p50 us": round(graphed, 1),
        "recall@1": round(sum(one in near for one, near in known) / len(known), 4),
        "of": len(known),
        "to add one, us": round(build_us, 1),
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    as_json = parser.parse_args().json
    index, figures, chance = SemanticIndex(embedder_of("wordllama"), ROWS[-1]), [], Random(2)
    known: list[str] = []
    for number, text in enumerate(questions(ROWS[-1])):
        index.add(NAMESPACE, number.to_bytes(32, "little"), text)
        known.append(text)
        if len(known) in ROWS:
            asked = [f"Please, {chance.choice(known)}" for _ in range(ASKED)]
            figures.append(measured(index, asked))
            if not as_json:
                print(figures[-1], flush=True)
    if as_json:
        print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
