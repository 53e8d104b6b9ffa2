"""The table as Markdown, for the terminal and for README.md."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from instruments import ROOT
from rows import Row

README = Path(__file__).with_name("README.md")
HEADS = ("", "ours", "nginx", "bare granian", "ours / nginx", "target", "", "")


def table(rows: Sequence[Row]) -> str:
    """Lay out the gateway's rows."""
    lines: list[tuple[str, ...]] = [HEADS, ("---",) + ("--:",) * 5 + ("---",) * 2]
    for row in rows:
        values = [figure(row.values.get(who), row.unit) for who in ("gateway", "nginx", "bare")]
        ratio = row.ratio() if row.unit == "us" else None
        verdict = {True: "pass", False: "**fail**", None: ""}[row.passed()]
        shown = "" if ratio is None else f"{ratio:.1f}"
        lines.append((row.what, *values, shown, target(row), verdict, "; ".join(row.faults + row.notes)))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def figure(value: float | None, unit: str) -> str:
    """Write a figure with its unit, at a precision that the measurement can bear."""
    if value is None:
        return ""
    digits = {"us": 0 if value >= 10 else 1, "MB": 1, "files": 0}.get(unit, 2)
    return f"{value:.{digits}f} {unit}"


def target(row: Row) -> str:
    """Write what the gateway may take at most, or is to reach at least."""
    parts = [] if row.most is None else [f"{row.most:g} {row.unit}"]
    if row.least is not None:
        parts.append(f"at least {row.least:g} {row.unit}")
    if row.ratio_most is not None:
        parts.append(f"{row.ratio_most:g} x nginx")
    return ", ".join(parts)


def machine() -> str:
    """Tell where and when, with the versions that matter."""
    try:
        commit = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        commit = "unknown"
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    facts = (
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC",
        f"commit {commit}",
        f"{model}, {os.cpu_count()} cores",
        f"Linux {platform.release()}",
        f"Python {platform.python_version()} ({sys.base_prefix})",
        f"granian {metadata.version('granian')}",
        f"load average before {os.getloadavg()[1]:.2f}",
    )
    return " · ".join(facts)


def listing(found: Any) -> str:
    """Lay out what another bench printed as JSON: a list of rows, or lists and figures by name."""
    if isinstance(found, list) and found and all(isinstance(entry, dict) for entry in found):
        heads = list(dict.fromkeys(key for entry in found for key in entry))
        named = next((head for head in heads if isinstance(found[0].get(head), str)), heads[0])
        heads.sort(key=lambda head: head != named)  # what a row is about comes first
        lines = [heads, ["---"] * len(heads)]
        lines += [[_cell(entry.get(head)) for head in heads] for entry in found]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)
    if isinstance(found, dict):
        parts = [f"- {name}: {_cell(value)}" for name, value in found.items() if not isinstance(value, list | dict)]
        parts += [f"\n{name}\n\n{listing(value)}" for name, value in found.items() if isinstance(value, list | dict)]
        return "\n".join(parts)
    return _cell(found)


def bounded(found: Any) -> Any:
    """Keep of a simulation's figures those that must not pass a bound; the program itself prints them all."""
    rows = []
    for figure in found["figures"]:
        least, most = figure["at_least"], figure["at_most"]
        if least is None and most is None:
            continue
        kept = (least is None or figure["value"] >= least) and (most is None or figure["value"] <= most)
        bound = f"at most {most:g}" if least is None else f"at least {least:g}"
        rows.append(
            {"": figure["name"], "value": figure["value"], "target": bound, " ": "pass" if kept else "**fail**"}
        )
    return rows


def _cell(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: ""}[value]
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return str(value).replace("|", "\\|")


def publish(text: str, part: str = "measured") -> None:
    """Replace a part of README.md."""
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    head, _, rest = README.read_text().partition(begin)
    _, _, tail = rest.partition(end)
    README.write_text(f"{head}{begin}\n{text}\n{end}{tail}")
