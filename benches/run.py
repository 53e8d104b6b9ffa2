"""Measure the gateway beside nginx and bare granian, print the table and rewrite README.md.

``python benches/run.py`` takes about six minutes, ``--quick`` one; ``--long`` adds the two rows that take minutes of
their own. ``--only NAME`` (repeatable) measures these rows alone and leaves README.md as it is. ``--gateway-cmd``
measures another command (``{config}`` and ``{port}`` are filled in), ``--hold`` starts everything and waits, for a
profiler.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import report
import rows
from instruments import DRIVER_CORE, ROOT, SUBJECT_CORE, BenchError, Tools, raise_file_limit
from rows import FULL, QUICK, Effort, Row
from subjects import (
    GATEWAY_COMMAND,
    GOVERNED,
    GUARDRAILS,
    NGINX_PROGRAM,
    REDIS_PROGRAM,
    STRICT,
    UNGOVERNED,
    Stage,
    Subject,
)

RESULTS = Path(__file__).with_name("results")
LONG = ("flat", "streams-1000")
CARGO_RUN = ["cargo", "run", "--release", "--quiet", "-p", "dragoman-benches", "--bin"]
# Other benches that print tables of their own: title, command, what is shown of it.
OTHERS: tuple[tuple[str, list[str], Callable[[Any], Any]], ...] = (
    ("Token counting", [sys.executable, "benches/tokens.py", "--json"], lambda found: found),
    ("One crossing into Rust", [sys.executable, "benches/micro.py", "--json"], lambda found: found),
    ("The engines, from Python", [sys.executable, "benches/engines.py", "--json"], lambda found: found),
    ("The engines, from Rust", [*CARGO_RUN, "engines", "--", "--json"], lambda found: found),
    ("Questions among many", [sys.executable, "benches/graphs.py", "--json"], lambda found: found),
    ("Usage of ten million requests", [sys.executable, "benches/analytics.py", "--json"], lambda found: found),
    ("From one dialect to another", [sys.executable, "benches/translation.py", "--json"], lambda found: found),
    ("Balancing, simulated", [*CARGO_RUN, "simulate", "--", "--json"], report.bounded),
)


def options() -> argparse.Namespace:
    """Read the command line."""
    names = [
        *(cost.name for cost in rows.COSTS),
        "added-c1",
        "chunk-delay",
        "start",
        "rss",
        "guards-2k",
        "governed",
        "redis",
        *LONG,
        "others",
    ]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round of everything, about a minute")
    parser.add_argument("--long", action="store_true", help="also 200,000 requests, and 1,000 streams for a minute")
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--rounds", type=int, help="rounds of the rows of CPU time")
    parser.add_argument("--gateway-cmd", default=GATEWAY_COMMAND, help="what to measure, default: %(default)s")
    parser.add_argument("--no-gateway", action="store_true", help="measure nginx and bare granian alone")
    parser.add_argument("--hold", action="store_true", help="start everything, say how to send load, wait for Ctrl-C")
    parser.add_argument("--no-build", action="store_true", help="use the mock and load generator that are built")
    parser.add_argument("--json", action="store_true", help="print JSON, not the table")
    return parser.parse_args()


@contextmanager
def stage(tools: Tools) -> Iterator[Stage]:
    """Hold the mock upstream in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as folder:
        opened = Stage.open(tools, Path(folder))
        try:
            yield opened
        finally:
            opened.mock.stop()


def makers(stage: Stage, asked: argparse.Namespace) -> dict[str, Callable[[], Subject]]:
    """Say how to start each subject that this machine has."""
    found: dict[str, Callable[[], Subject]] = {}
    if not asked.no_gateway:
        found["gateway"] = lambda: stage.gateway(asked.gateway_cmd)
    if NGINX_PROGRAM:
        found["nginx"] = stage.nginx
    else:
        print("nginx is not installed: no ratio to it", file=sys.stderr)
    found["bare"] = stage.bare
    return found


def measure(stage: Stage, asked: argparse.Namespace, effort: Effort) -> list[Row]:
    """Measure the wanted rows, in the table's order."""

    def wanted(name: str) -> bool:
        return name in asked.only if asked.only else name not in LONG or asked.long

    make = makers(stage, asked)
    found: list[Row] = []
    if wanted("start"):
        found.append(rows.starts(stage, make, effort))
    subjects = [start() for start in make.values()]
    try:
        if wanted("rss"):
            found.append(rows.memory("rss-idle", "memory, idle", subjects, 90))
        found = rows.costs(stage, subjects, [cost for cost in rows.COSTS if wanted(cost.name)], effort) + found
        if wanted("added-c1"):
            found.append(rows.added(stage, subjects, effort))
        if wanted("chunk-delay"):
            found.append(rows.chunk_delay(stage, subjects, effort))
        if wanted("rss"):
            found.append(rows.memory("rss-loaded", "memory, after this load", subjects, None))
        gateway = next((subject for subject in subjects if subject.name == "gateway"), None)
        for name, more in (("guards-2k", guarded), ("governed", governed), ("redis", counted_in_redis)):
            if gateway and wanted(name):
                found += more(stage, asked, subjects, effort)
        if gateway and wanted("flat"):
            found += rows.flatness(stage, gateway)
        if wanted("streams-1000"):
            found += rows.many_streams(stage, subjects)
    finally:
        for subject in subjects:
            subject.program.stop()
    return found


def guarded(stage: Stage, asked: argparse.Namespace, subjects: list[Subject], effort: Effort) -> list[Row]:
    """Measure all guardrails."""

    def start() -> tuple[Subject, Subject]:
        return stage.gateway(asked.gateway_cmd), stage.gateway(asked.gateway_cmd, {"guardrails": GUARDRAILS})

    return rows.more(stage, start, rows.GUARDED, effort)


def governed(stage: Stage, asked: argparse.Namespace, subjects: list[Subject], effort: Effort) -> list[Row]:
    """Measure limits, budgets and the audit log."""

    def start() -> tuple[Subject, Subject]:
        return stage.gateway(asked.gateway_cmd, UNGOVERNED), stage.gateway(asked.gateway_cmd, GOVERNED)

    found = rows.more(stage, start, rows.GOVERNED, effort)
    strict = stage.gateway(asked.gateway_cmd, STRICT)
    subjects.append(strict)
    return [*found, rows.strict(stage, strict, effort)]


def counted_in_redis(stage: Stage, asked: argparse.Namespace, subjects: list[Subject], effort: Effort) -> list[Row]:
    """Measure limits that are counted in Redis, where there is one."""
    if not REDIS_PROGRAM:
        print("there is no valkey-server or redis-server: no row of it", file=sys.stderr)
        return []
    program, told = stage.redis()
    try:
        pair = tuple(stage.gateway(asked.gateway_cmd, GOVERNED | more) for more in (told, {}))
        subjects += pair
        return [rows.shared(stage, pair, effort)]
    finally:
        program.stop()


def hold(stage: Stage, asked: argparse.Namespace) -> None:
    """Keep everything running for a profiler or a debugger."""
    subjects = [start() for start in makers(stage, asked).values()]
    try:
        for subject in subjects:
            shape = {"model": "bench.whole", "connections": 8, "seconds": 10}
            command = stage.tools.load_command("closed", subject.url, subject.headers, shape)
            quoted = " ".join(f"'{word}'" if " " in word else word for word in command)
            print(f"{subject.name}: pids {subject.program.tree()}\n  taskset -c {DRIVER_CORE} {quoted}")
        print(f"direct: {stage.url}\nCtrl-C ends it")
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        for subject in subjects:
            subject.program.stop()


def others() -> list[tuple[str, object]]:
    """Run the benches that print tables of their own; one that fails says so in its place."""
    found: list[tuple[str, object]] = []
    for title, command, shown in OTHERS:
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        try:
            found.append((title, shown(json.loads(ended.stdout))))  # a missed bound fails the bench, not its table
        except ValueError:
            found.append((title, "did not run: " + "".join(ended.stderr.strip().splitlines()[-1:])))
    return found


def main() -> int:
    """Measure, print, publish."""
    asked = options()
    raise_file_limit()
    effort = QUICK if asked.quick else FULL
    if asked.rounds:
        effort = Effort(asked.rounds, effort.share, effort.latency_s, effort.starts)
    facts = report.machine()
    try:
        with stage(Tools.find(build=not asked.no_build)) as opened:
            if asked.hold:
                hold(opened, asked)
                return 0
            measured = measure(opened, asked, effort)
    except BenchError as error:
        print(error, file=sys.stderr)
        return 1
    tables = others() if not asked.only or "others" in asked.only else []
    RESULTS.mkdir(exist_ok=True)
    plain = json.dumps({"facts": facts, "rows": [asdict(row) for row in measured], "others": dict(tables)}, indent=1)
    (RESULTS / "last.json").write_text(plain)
    command = " ".join(["python", "benches/run.py", *sys.argv[1:]])
    cores = f"driver on core {DRIVER_CORE}, subject on core {SUBJECT_CORE}"
    text = f"`{command}` · {facts} · {cores}\n\n{report.table(measured)}\n"
    text += "".join(f"\n### {title}\n\n{report.listing(found)}\n" for title, found in tables)
    print(plain if asked.json else text)
    if not asked.only and not asked.no_gateway:
        report.publish(text)
    return 0 if all(row.passed() is not False for row in measured) else 2


if __name__ == "__main__":
    sys.exit(main())
