"""How good the engines are, on the recorded data, each beside the incumbent's figure (`make eval`).

The incumbents were measured on the same data: Presidio 2.2.366 for personal data, JailGuard for prompt injection,
MiniLM's cosine for questions in other words.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import semantic
from dragoman.core import Masker
from evasion import corpus
from report import publish

ROOT = Path(__file__).parent.parent
# What the data call an entity, what it is here, and Presidio's F1 by data set.
ENTITIES: dict[str, tuple[list[str], dict[str, float | None]]] = {
    "EMAIL_ADDRESS": (["EMAIL_ADDRESS"], {"synth_dataset_v2": 1.0, "generated_large": 1.0}),
    "IBAN_CODE": (["IBAN_CODE"], {"synth_dataset_v2": 1.0, "generated_large": 1.0}),
    "IP_ADDRESS": (["IP_ADDRESS"], {"synth_dataset_v2": 1.0}),
    "CREDIT_CARD": (["CREDIT_CARD"], {"synth_dataset_v2": 0.871, "generated_large": 1.0}),
    "US_SSN": (["US_SSN"], {"synth_dataset_v2": 1.0, "generated_large": 0.926}),
    "PHONE_NUMBER": (["PHONE_NUMBER"], {"synth_dataset_v2": 0.651, "generated_large": 0.667}),
    "DOMAIN_NAME": (["URL"], {"synth_dataset_v2": 0.602, "generated_large": 0.473}),
    "DATE_TIME": (["DATE_TIME", "DATE_OF_BIRTH"], {"synth_dataset_v2": 0.575, "generated_large": 0.928}),
    # Presidio with spaCy's en_core_web_md; 0.656 with its small one. Of the rest nothing was measured.
    "PERSON": (["PERSON"], {"synth_dataset_v2": 0.765, "generated_large": None}),
    "STREET_ADDRESS": (["STREET_ADDRESS"], {"synth_dataset_v2": None}),
    "ADDRESS": (["STREET_ADDRESS"], {"generated_large": None}),
}
# Secrets that are no secret by themselves: addresses count only where the data ask for public ones.
UNASKED = frozenset({"ip-private", "ipv6"})


def rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two spans share a character."""
    return one[0] < other[1] and other[0] < one[1]


def masking(recorded: Path) -> dict[tuple[str, str], tuple[float, float, float, float | None]]:
    """Precision, recall, F1 and Presidio's F1 of each entity in each data set. A find that overlaps a label counts."""
    labelled = rows(recorded / "pii" / "labelled.jsonl")
    told = {}
    for label, (entities, incumbent) in ENTITIES.items():
        masker = Masker(entities=entities)
        for dataset, theirs in incumbent.items():
            counts: Counter[str] = Counter()
            for row in labelled:
                if row["dataset"] != dataset:
                    continue
                wanted = [(span["start"], span["end"]) for span in row["spans"] if span["type"] == label]
                found = [(start, end) for _, _, start, end, _ in masker.find(row["text"])]
                hit = sum(any(overlap(one, other) for other in found) for one in wanted)
                counts["hit"] += hit
                counts["missed"] += len(wanted) - hit
                counts["wrong"] += sum(not any(overlap(one, other) for other in wanted) for one in found)
            precision = counts["hit"] / max(1, counts["hit"] + counts["wrong"])
            recall = counts["hit"] / max(1, counts["hit"] + counts["missed"])
            f1 = 2 * precision * recall / max(1e-9, precision + recall)
            told[label, dataset] = (precision, recall, f1, theirs)
    return told


def secrets(recorded: Path) -> tuple[float, float]:
    """The share of secrets that is found, and that of look-alikes that is taken for one."""
    masker = Masker(entities=["SECRET", "URL_CREDENTIALS", "IP_ADDRESS"])
    counts: Counter[tuple[bool, bool]] = Counter()
    for row in rows(recorded / "pii" / "secrets.jsonl"):
        found = [(entity, kind) for entity, kind, *_ in masker.find(row["text"]) if kind not in UNASKED]
        found = [one for one in found if one[0] != "IP_ADDRESS" or row["rule"] == "ip_public"]
        counts[bool(row["label"]), bool(found)] += 1
    recall = counts[True, True] / (counts[True, True] + counts[True, False])
    return recall, counts[False, True] / (counts[False, True] + counts[False, False])


def evasion() -> tuple[float, Counter[str]]:
    """The share of disguised values that is found, and what was missed by disguise."""
    masker = Masker()
    cases = list(corpus())
    missed = Counter(disguise for disguise, _, text in cases if not masker.find(text))
    return 1 - missed.total() / len(cases), missed


def injection(recorded: Path) -> str:
    """What the program that trains the detector says of it."""
    command = ["cargo", "run", "--quiet", "--profile", "fast", "--package", "dragoman-benches", "--bin", "injection"]
    return subprocess.run([*command, "--", str(recorded)], check=True, capture_output=True, text=True, cwd=ROOT).stdout


def main() -> None:
    """Print all of it, and write it into README.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    folder = os.environ.get("DRAGOMAN_RECORDED", str(ROOT.parent / "shared" / "recorded"))
    parser.add_argument("--recorded", type=Path, default=Path(folder), help="the recorded data")
    recorded = parser.parse_args().recorded
    if not recorded.is_dir():
        sys.exit(f"the recorded data is not at {recorded} (set DRAGOMAN_RECORDED)")
    text = evaluated(recorded)
    print(text)
    publish(f"```text\n{text}\n```", "evaluated")


def evaluated(recorded: Path) -> str:
    """All of it, as lines."""
    lines = ["Masking, threshold 0.5              precision  recall  F1     Presidio's F1"]
    for (label, dataset), (precision, recall, f1, theirs) in masking(recorded).items():
        their = "-" if theirs is None else f"{theirs:.3f}"
        lines.append(f"  {label:<15} {dataset:<18} {precision:.3f}      {recall:.3f}   {f1:.3f}  {their}")
    recall, wrong = secrets(recorded)
    kinds = len(Masker.known_secrets())
    lines.append(f"Secrets of {kinds} kinds: recall {recall:.3f}, look-alikes taken for one {wrong:.4f}")
    share, missed = evasion()
    lines.append(f"Disguised values found: {share:.3f} of 1,000{', missed: ' + str(dict(missed)) if missed else ''}")
    lines.append(
        "Prompt injection (JailGuard, all sets: recall 0.102 at a false-positive rate of 1 %, 0.253 at 5 %; 36 % of"
    )
    lines.append("NotInject flagged), " + injection(recorded).rstrip())
    lines += semantic.evaluated(recorded)
    return "\n".join(lines).rstrip()


if __name__ == "__main__":
    main()
