"""The engines alone, from Python: what finding, hiding, showing again, judging and looking up take.

The same calls as ``benches/src/bin/engines.rs`` makes from Rust. Each figure is the best of several rounds.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dragoman.cache.embedders import embedder_of
from dragoman.core import Detector, ExactCache, Hold, Ledger, Masker, SemanticIndex
from micro import call_us

# English prose without anything to find but addresses of pages.
PROSE = (Path(__file__).parent.parent / "LICENSE").read_text()
PERSONAL = (
    "Write to ann.lee@example.com or +1 415 555 2671; her card is 4111 1111 1111 1111 and her server 203.0.113.7. "
)


def calls() -> Iterator[tuple[str, str, Callable[[str], object], str, float]]:
    """What is called with which text, and its bound: ``us`` at most, or ``mb_s`` at least."""
    kinds = [name for name, _ in Masker.known_entities()]
    masker = Masker(entities=[name for name in kinds if name != "PERSON"])
    long = PROSE * (1 + (1 << 20) // len(PROSE))
    personal = PERSONAL + PROSE[: 2048 - len(PERSONAL)]
    session = masker.session(b"key")
    hidden = session.mask(personal)

    def pieces(text: str) -> str:
        unmasker = session.unmasker()
        shown = [unmasker.push(text[at : at + 32]) for at in range(0, len(text), 32)]
        return "".join(shown) + unmasker.finish()

    assert session.unmask(hidden) == pieces(hidden) == personal != hidden
    yield "find in 1 MB of clean prose, every kind but names on", long, masker.find, "mb_s", 150
    yield "the same, with names", long, Masker(entities=kinds).find, "", 0
    yield "find in a clean prompt of 2 KB", PROSE[:2048], masker.find, "us", 25
    yield "hide 4 values in a prompt of 2 KB", personal, lambda text: masker.session(b"key").mask(text), "", 0
    yield "show them again", hidden, session.unmask, "", 0
    yield "show them again, in pieces of 32 bytes", hidden, pieces, "", 0
    yield "judge a prompt of 1 KB for injection", PROSE[:1024], Detector().judge, "us", 50
    yield from cache_calls()
    yield from ledger_calls()


def ledger_calls() -> Iterator[tuple[str, str, Callable[[str], object], str, float]]:
    """The same of the ledger: 8 limits of every kind, half of them durable and written down before."""
    ledger = Ledger()
    kinds = (
        ("requests", "sliding", 60.0),
        ("tokens", "sliding", 3600.0),
        ("cost", "month", None),
        ("tokens", "day", None),
    )
    numbers = [
        ledger.rule(f"{turn}", measure, 10**15, period=period, sliding_s=span, durable=span is None)
        for turn in range(2)
        for measure, period, span in kinds
    ]
    scope = ledger.scope([(number, "team") for number in numbers])
    if ledger.reserve(scope, tokens=100, cost_nanousd=1000) is None:
        ledger.saved(ledger.unsaved())

    def reserved(text: str) -> object:
        hold = ledger.reserve(scope, tokens=100, cost_nanousd=1000)
        assert isinstance(hold, Hold)
        return hold.settle(tokens=50, cost_nanousd=500)

    yield "reserve and settle under 8 limits", "", reserved, "us", 3


# What has made other engines slow: long runs, nearly matching starts, encodings within encodings. A bound of its own.
HOSTILE = (
    *("a", "1", "-", "@", ".", "(", "/", "=", "+", "%", " ", "\n", "\u200b", "\u202e", "é", "漢", "🎉", "\ud7ff"),
    *(
        "1-",
        "1 ",
        "a@",
        "a.",
        "@a.",
        "a@a.",
        "+1 ",
        "4111 ",
        "http://",
        "https://a:b@",
        "password=",
        "password: ",
        "key: ",
    ),
    *(
        "%25",
        "%2525",
        "&amp;",
        "&#x26;",
        "\\u0041",
        "\\\\u0041",
        "YWFh",
        "WVdGaA==",
        "6161",
        "DE89",
        "ghp_",
        "AKIA",
        "eyJ",
    ),
    *("-----BEGIN RSA PRIVATE KEY-----\n", "1.1.1.", "::", "0:", "A1", "EMAIL_AAAA", "ann@example.com", "born on 1"),
    *("Ann ", "ann lee ", "Mr. ", "van ", "1 A ", "1 Main St ", "Apt. 1 ", "rue ", "1 rue a b "),
)
HOSTILE_BYTES = 100_000
PATTERNS = {"nested": r"(a+)+$", "twice": r"(a|a)*b", "dots": r"(.*a){20}", "far": r"a.*b.*c.*d"}


def worst(call: Callable[[str], object]) -> tuple[str, float]:
    """The hostile text that takes longest, and how long for a KiB of it."""
    taken = {}
    for piece in HOSTILE:
        text = piece * (HOSTILE_BYTES // len(piece.encode("utf-8", "replace")))
        taken[piece] = call_us(lambda text=text: call(text)) / HOSTILE_BYTES * 1024  # type: ignore[misc]
    slowest = max(taken, key=lambda piece: taken[piece])
    return slowest, taken[slowest]


def hostile_rows() -> Iterator[dict[str, Any]]:
    """What the worst of them takes, a KiB."""
    kinds = [name for name, _ in Masker.known_entities()]
    engines: dict[str, Callable[[str], object]] = {
        "every kind": Masker(entities=kinds).find,
        "patterns of one's own": Masker(entities=[], patterns=PATTERNS).find,
        "the injection detector": Detector().judge,
    }
    for name, call in engines.items():
        piece, us = worst(call)
        row = {"engine": f"1 KiB of the worst of {len(HOSTILE)} hostile texts ({piece!r}), {name}", "us": round(us, 2)}
        yield row | {
            "mb_s": round(1024 / us, 2),
            "target": "at most 1000 us",
            " ": "pass" if us <= 1000 else "**fail**",
        }


def cache_calls() -> Iterator[tuple[str, str, Callable[[str], object], str, float]]:
    """The same of the caches."""
    cache, context = ExactCache(1 << 24), [b"tenant", b"plan", b"", b"way"]
    found = PROSE[:1024]
    cache.put(ExactCache.key([*context, found.encode()]), (b"{}", b""), now_ms=0, ttl_ms=1000)

    def exact(text: str) -> object:
        return cache.get(ExactCache.key([*context, text.encode()]), 1)

    assert exact(found) is not None
    yield "find a request of 1 KB in the exact cache", found, exact, "", 0
    words = sorted(set(PROSE.split()))
    for embedding in ("spelling", "wordllama"):
        index = SemanticIndex(embedder_of(embedding))
        for at in range(10_000):
            question = f"How do I {words[at % len(words)]} the {words[(at // 7) % len(words)]} of {words[at % 97]}?"
            index.add(b"n" * 32, at.to_bytes(32, "little"), question)
        asked = "What is the best way to grow tomatoes on a small balcony in the city?"

        def alike(text: str, index: SemanticIndex = index) -> object:
            return index.find(b"n" * 32, text, 0.88)

        assert alike(asked) == []
        yield f"miss among 10,000 questions, by {embedding}", asked, alike, "us", 150


def figure(name: str, text: str, call: Callable[[str], object], bounded: str, bound: float) -> dict[str, Any]:
    """One row."""
    us = call_us(lambda: call(text))
    row = {"engine": name, "us": round(us, 2), "mb_s": round(len(text) / us, 2)}
    kept = row["us"] <= bound if bounded == "us" else row["mb_s"] >= bound  # type: ignore[operator]
    targets = {"us": f"at most {bound:g} us", "mb_s": f"at least {bound:g} MB/s", "": ""}
    return row | {"target": targets[bounded], " ": ("pass" if kept else "**fail**") if bounded else ""}


def main() -> int:
    """Time every call and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    asked = parser.parse_args()
    found = [*(figure(*one) for one in calls()), *hostile_rows()]
    if asked.json:
        print(json.dumps(found))
    else:
        for row in found:
            print(f"{row['engine']:<48}{row['us']:>10} us{row['mb_s']:>9} MB/s   {row['target']} {row[' ']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
