"""Token counting beside tiktoken: the same texts, one thread, each encoding, and what whole requests take.

The texts are the corpus of the recorded data, or where that is absent this repository's own files. tiktoken gets the
vocabulary out of our library, so that no download is needed; ids are compared before anything is timed.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import tiktoken
from tiktoken_ext import openai_public  # type: ignore[import-untyped]

from dragoman.core import TokenCounter

ROOT = Path(__file__).resolve().parent.parent
ENCODINGS = ("o200k_base", "cl100k_base", "p50k_base")
ROUNDS = 15
EIGHT_KB = 8192


def reference(counter: TokenCounter) -> tiktoken.Encoding:
    """Build tiktoken's encoding from our vocabulary and its own expression."""
    ranks: dict[bytes, int] = {}
    for token in range(200_000):
        try:
            ranks[counter.decode([token])] = token
        except ValueError:
            continue
    with mock.patch.object(openai_public, "load_tiktoken_bpe", lambda *_, **__: ranks):
        return tiktoken.Encoding(**openai_public.ENCODING_CONSTRUCTORS[counter.encoding]())


def corpus() -> tuple[str, list[str]]:
    """Name and read the texts to count."""
    recorded = Path(os.environ.get("DRAGOMAN_RECORDED", ROOT.parent / "shared" / "recorded"))
    path = recorded / "tokens" / "corpus.jsonl.gz"
    if path.is_file():
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            return "recorded corpus", [json.loads(line)["text"] for line in lines]
    sources = sorted(path for suffix in ("py", "rs", "md") for path in ROOT.glob(f"*/**/*.{suffix}"))
    return "this repository", [path.read_text(encoding="utf-8") for path in sources]


def best_s(work: Callable[[], object]) -> float:
    """Time the fastest of some rounds, in CPU time: a neighbour on the machine slows a round, nothing speeds it up."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.thread_time()
        work()
        best = min(best, time.thread_time() - started)
    return best


def compare(name: str, texts: list[str], counter: TokenCounter, peer: tiktoken.Encoding) -> dict[str, Any]:
    """Count the texts with both."""
    size = sum(len(text.encode()) for text in texts)
    for text in texts:
        assert counter.encode(text) == peer.encode_ordinary(text), text[:200]
        assert counter.count(text) == len(peer.encode_ordinary(text))
    ours = best_s(lambda: [counter.count(text) for text in texts])
    encoding = best_s(lambda: [counter.encode(text) for text in texts])
    theirs = best_s(lambda: [len(peer.encode_ordinary(text)) for text in texts])
    return {
        "texts": f"{name}, {size / 1e6:.1f} MB",
        "encoding": counter.encoding,
        "count_mb_s": round(size / ours / 1e6, 1),
        "encode_mb_s": round(size / encoding / 1e6, 1),
        "tiktoken_mb_s": round(size / theirs / 1e6, 1),
        "times_tiktoken": round(theirs / ours, 1),
    }


def main() -> int:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    asked = parser.parse_args()
    name, texts = corpus()
    prose = [text for text in texts if text.isascii() and " " in text]
    joined = "\n".join(prose)
    even = [joined[start : start + EIGHT_KB] for start in range(0, len(joined), EIGHT_KB)]
    found = []
    for encoding in ENCODINGS:
        counter = TokenCounter(encoding)
        peer = reference(counter)
        found.append(compare(name, texts, counter, peer))
        found.append(compare("its English and code in texts of 8 KB", even, counter, peer))
    if asked.json:
        print(json.dumps(found))
        return 0
    for row in found:
        print("   ".join(f"{key} {value}" if isinstance(value, float) else str(value) for key, value in row.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
