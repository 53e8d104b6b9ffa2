"""The rows of the table: what each measures, on whom, and what it must not exceed.

Subjects take turns in every round and the median of the rounds counts: a neighbour on the machine then slows all alike,
and the ratio to nginx holds where the figures drift.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

from instruments import SETTLE_S, BenchError
from subjects import PATH, Stage, Subject

Report = dict[str, Any]


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    rounds: int
    share: float  # of each row's requests
    latency_s: float
    starts: int


QUICK = Effort(rounds=1, share=0.3, latency_s=3, starts=1)
FULL = Effort(rounds=5, share=1.0, latency_s=12, starts=3)


@dataclass
class Row:
    """One line of the table."""

    name: str
    what: str
    unit: str
    values: dict[str, float] = field(default_factory=dict)
    most: float | None = None
    ratio_most: float | None = None
    least: float | None = None
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def ratio(self) -> float | None:
        """Ours over nginx's."""
        ours, nginx = self.values.get("gateway"), self.values.get("nginx")
        return ours / nginx if ours and nginx else None

    def passed(self) -> bool | None:
        """Whether the gateway met the target; ``None`` where there is none, or no gateway."""
        if self.faults:
            return False
        ours, ratio = self.values.get("gateway"), self.ratio()
        if ours is None or (self.most is None and self.ratio_most is None and self.least is None):
            return None
        within = (self.most is None or ours <= self.most) and (self.least is None or ours >= self.least)
        return within and (self.ratio_most is None or ratio is None or ratio <= self.ratio_most)


MESSAGES = "/v1/messages"
CACHED = ("x-dragoman-cache: on",)


@dataclass(frozen=True)
class Cost:
    """A row that is CPU time a request."""

    name: str
    what: str
    most_us: float
    ratio_most: float | None = None
    model: str = "bench.whole"
    connections: int = 8
    body_bytes: int = 934
    vary: str = "last"
    requests: int = 15000
    path: str = ""  # of another dialect's clients
    headers: tuple[str, ...] = ()

    @property
    def is_ours(self) -> bool:
        """Whether only the gateway can do it."""
        return bool(self.path or self.headers)


COSTS = (
    Cost("small-c8", "CPU a request, 934-byte body, 8 connections", 100, 5),
    Cost("small-c64", "CPU a request, 934-byte body, 64 connections", 75, 3, connections=64, requests=20000),
    Cost("prompt-20k", "CPU a request, 20 KB conversation with a new message, 8 connections", 150, body_bytes=20480),
    Cost("burst-64", "CPU a stream, 64 events in a burst, 8 connections", 400, model="bench.burst-64", requests=6000),
    Cost("drip-64", "CPU a stream, 64 events one by one, 8 connections", 0, model="bench.drip-64", requests=4000),
    Cost("fresh-20k", "CPU a request, 20 KB that was never seen, 8 connections", 0, body_bytes=20480, vary="all"),
    Cost("told-c8", "CPU a request translated from and to Anthropic's dialect, 8 connections", 250, path=MESSAGES),
    Cost(
        "told-burst-64",
        "CPU a stream translated to it, 64 events in a burst",
        2000,
        model="bench.burst-64",
        requests=4000,
        path=MESSAGES,
    ),
    Cost(
        "told-drip-64",
        "CPU a stream translated to it, 64 events one by one",
        2000,
        model="bench.drip-64",
        requests=2000,
        path=MESSAGES,
    ),
    Cost(
        "hit-c8",
        "CPU a request that the cache answers, 8 connections",
        60,
        vary="nothing",
        requests=30000,
        headers=CACHED,
    ),
    Cost(
        "hit-c64",
        "CPU a request that the cache answers, 64 connections",
        60,
        connections=64,
        vary="nothing",
        requests=50000,
        headers=CACHED,
    ),
)


def load(stage: Stage, subject: Subject, options: Mapping[str, object], mode: str = "closed") -> Report:
    """Send load to a subject, which must survive it."""
    report = stage.tools.run_load(stage.tools.load_command(mode, subject.url, subject.headers, options))
    if not subject.program.alive():
        raise BenchError(f"{subject.name} ended under load:\n{subject.program.said()}")
    return report


def right(report: Report, row: Row, who: str) -> Report:
    """Note what went wrong in a run."""
    for failure, count in report["failures"].items():
        row.faults.append(f"{who}: {count} x {failure}")
    return report


def costs(stage: Stage, subjects: list[Subject], wanted: list[Cost], effort: Effort) -> list[Row]:
    """Measure CPU time a request: every cost on every subject in each round."""
    rows = {
        cost: Row(cost.name, cost.what, "us", most=cost.most_us or None, ratio_most=cost.ratio_most) for cost in wanted
    }
    seen: dict[tuple[str, str], list[float]] = {}
    for turn in range(effort.rounds + 1):
        for cost in wanted:
            for subject in subjects:
                if cost.is_ours and subject.name != "gateway":
                    continue
                requests = 500 if turn == 0 else int(cost.requests * effort.share)
                cpu_us = _cost(stage, subject, cost, rows[cost], requests)
                if turn > 0:
                    seen.setdefault((cost.name, subject.name), []).append(cpu_us)
    for (name, who), figures in seen.items():
        row = next(row for row in rows.values() if row.name == name)
        row.values[who] = median(figures)
        if who == "gateway" and len(figures) > 1:
            row.notes.append(f"{min(figures):.0f} to {max(figures):.0f} over {len(figures)} rounds")
    return list(rows.values())


def _cost(stage: Stage, subject: Subject, cost: Cost, row: Row, requests: int) -> float:
    before_s = subject.program.cpu_s()
    shape = {
        "model": cost.model,
        "connections": cost.connections,
        "body_bytes": cost.body_bytes,
        "vary": cost.vary,
        "requests": requests,
        "seconds": 60,
    }
    url, headers = subject.url.replace(PATH, cost.path or PATH), subject.headers + cost.headers
    report = load(stage, replace(subject, url=url, headers=headers), shape)
    right(report, row, subject.name)
    time.sleep(SETTLE_S)
    requests_sent: int = report["requests"]
    return (subject.program.cpu_s() - before_s) / max(requests_sent, 1) * 1e6


GUARDED = (
    Cost("guards-2k", "CPU more a 2 KB request with all guardrails on", 60, body_bytes=2048, requests=8000),
    Cost(
        "guards-burst-64",
        "CPU more a stream of 64 events with all guardrails on",
        0,
        body_bytes=2048,
        model="bench.burst-64",
        requests=8000,
    ),
)
GOVERNED = (
    Cost("governed", "CPU more a request with 7 limits and budgets and the audit log", 25),
    Cost("governed-c64", "the same, 64 connections", 25, connections=64, requests=20000),
)


def more(
    stage: Stage, start: Callable[[], tuple[Subject, Subject]], costs: tuple[Cost, ...], effort: Effort
) -> list[Row]:
    """Measure what something adds to a request: the gateway without and with it, in turns.

    Both are started anew each round: from one start to the next the same differs by a tenth, which is as much as
    is to be found.
    """
    rows = [Row(cost.name, cost.what, "us", most=cost.most_us or None) for cost in costs]
    added_us: list[list[float]] = [[] for _ in costs]
    for turn in range(effort.rounds):
        without, with_it = pair = start()
        order = pair if turn % 2 else pair[::-1]
        for cost, row, added in zip(costs, rows, added_us, strict=True):
            for subject in pair:
                _cost(stage, subject, cost, row, 500)
            requests = int(cost.requests * effort.share) // 2
            seen = [(subject, _cost(stage, subject, cost, row, requests)) for subject in (*order, *order[::-1])]
            one, other = (sum(us for by, us in seen if by is subject) / 2 for subject in pair)
            added.append(other - one)
            row.notes.append(f"{one:.0f} and {other:.0f} us")
        for subject in (without, with_it):
            subject.program.stop()
    for row, added in zip(rows, added_us, strict=True):
        row.values["gateway"] = median(added)
    return rows


def shared(stage: Stage, pair: tuple[Subject, ...], effort: Effort) -> Row:
    """Measure what counting in Redis adds to the latency of one connection, beside counting in the process."""
    row = Row("redis", "added latency p50 of 7 limits and budgets counted in Redis, one connection", "ms", most=0.4)
    there, here = pair
    shape = {"compare": here.url, "model": "bench.whole", "connections": 1, "seconds": effort.latency_s}
    ours, theirs = _both(stage, there, row, shape, "latency_us")
    if ours and theirs:
        row.values["gateway"] = (ours["p50"] - theirs["p50"]) / 1e3
        row.notes.append(f"{ours['p50'] / 1e3:.3f} and {theirs['p50'] / 1e3:.3f} ms")
        row.notes.append(f"p99 adds {(ours['p99'] - theirs['p99']) / 1e3:.2f} ms")
    return row


def strict(stage: Stage, subject: Subject, effort: Effort) -> Row:
    """Count the records that a strict audit log makes durable in a second, two a request, one of them waited for."""
    row = Row("strict", "audit records a second, strict, 64 connections", "/s", least=2000)
    rates = []
    for turn in range(effort.rounds + 1):
        shape = {"model": "bench.whole", "connections": 64, "requests": 500 if turn == 0 else 8000, "seconds": 60}
        begun_s = time.monotonic()
        report = right(load(stage, subject, shape), row, subject.name)
        if turn > 0:
            rates.append(2 * report["requests"] / (time.monotonic() - begun_s))
    row.values["gateway"] = median(rates)
    return row


def added(stage: Stage, subjects: list[Subject], effort: Effort) -> Row:
    """Measure what a subject adds to the latency of one connection, beside direct in the same seconds."""
    row = Row("added-c1", "added latency p50, one connection", "ms", most=0.35)
    for subject in subjects:
        shape = {"compare": stage.url, "model": "bench.whole", "connections": 1, "seconds": effort.latency_s}
        ours, direct = _both(stage, subject, row, shape, "latency_us")
        if not ours or not direct:
            continue
        row.values[subject.name] = (ours["p50"] - direct["p50"]) / 1e3
        if subject.name == "gateway":
            p99 = (ours["p99"] - direct["p99"]) / 1e3
            row.notes.append(f"direct {direct['p50'] / 1e3:.3f} ms; p99 adds {p99:.2f} ms")
    return row


def chunk_delay(stage: Stage, subjects: list[Subject], effort: Effort) -> Row:
    """Measure how long a paced event takes from the mock to the client."""
    row = Row("chunk-delay", "delay of a paced event p50, 8 streams, one event every 20 ms", "ms", most=0.4)
    for subject in subjects:
        if subject.name == "bare":
            continue
        shape = {"compare": stage.url, "model": "bench.paced-20ms-50", "connections": 8, "seconds": effort.latency_s}
        ours, direct = _both(stage, subject, row, shape, "chunk_delay_us")
        if not ours or not direct:
            continue
        row.values[subject.name] = ours["p50"] / 1e3
        if subject.name == "gateway":
            row.notes.append(f"direct {direct['p50'] / 1e3:.3f} ms; p99 {ours['p99'] / 1e3:.2f} ms")
    return row


def _both(stage: Stage, subject: Subject, row: Row, shape: Mapping[str, object], figure: str) -> tuple[Any, Any]:
    """Take turns with going direct; a side that had no right answer is ``None``, and its faults are noted."""
    report = load(stage, subject, shape)
    return right(report["a"], row, subject.name)[figure], right(report["b"], row, "direct")[figure]


def starts(stage: Stage, makers: Mapping[str, Callable[[], Subject]], effort: Effort) -> Row:
    """Measure from the start of the process, with an empty data folder, to the first answer."""
    row = Row("start", "start to first 200, empty data folder", "s", most=1.0)
    for name, make in makers.items():
        times = []
        for _ in range(effort.starts):
            subject = make()
            times.append(subject.start_s or 0.0)
            subject.program.stop()
        row.values[name] = median(times)
    return row


def memory(name: str, what: str, subjects: list[Subject], most: float | None) -> Row:
    """Read the memory of each subject as it is now."""
    row = Row(name, what, "MB", most=most)
    for subject in subjects:
        row.values[subject.name] = subject.program.rss_mb()
    return row


def flatness(stage: Stage, gateway: Subject) -> list[Row]:
    """Send 200,000 requests and cut 2,000 streams short: memory and open files must stay as they were.

    What they were is read after a tenth of the requests and as many cut streams: an allocator keeps what the first
    fifty streams at once took, and that is no leak.
    """
    grown = Row("flat", "memory grown over 200,000 requests and 2,000 cut streams", "MB", most=5.0)
    files = Row("files", "open files more than before", "files", most=16)
    idle_mb = gateway.program.rss_mb()
    _wear(stage, gateway, grown, 20000)
    before_mb, open_files = gateway.program.rss_mb(), gateway.program.files()
    _wear(stage, gateway, grown, 200000)
    after_mb = gateway.program.rss_mb()
    grown.values["gateway"] = after_mb - before_mb
    grown.notes.append(f"{idle_mb:.1f} MB before, {before_mb:.1f} MB warm, {after_mb:.1f} MB after")
    files.values["gateway"] = gateway.program.files() - open_files
    files.notes.append(f"{open_files} before")
    return [grown, files]


def _wear(stage: Stage, gateway: Subject, row: Row, requests: int) -> None:
    whole = {"model": "bench.whole", "connections": 8, "requests": requests, "seconds": 300}
    right(load(stage, gateway, whole), row, "gateway")
    paced = {"model": "bench.paced-20ms-50", "connections": 50, "requests": 2000, "seconds": 120}
    right(load(stage, gateway, paced, "cut"), row, "gateway")
    time.sleep(3)


def many_streams(stage: Stage, subjects: list[Subject]) -> list[Row]:
    """Hold 1,000 paced streams for a minute: none lost, none garbled, memory bounded."""
    delay = Row("streams-1000", "delay of an event p99, 1,000 streams of 20 events a second for a minute", "ms")
    peak = Row("streams-rss", "most memory meanwhile", "MB", most=300)
    for subject in subjects:
        if subject.name != "bare":
            delay.values[subject.name], peak.values[subject.name] = _many_streams(stage, subject, delay)
    return [delay, peak]


def _many_streams(stage: Stage, subject: Subject, row: Row) -> tuple[float, float]:
    shape = {"model": "bench.paced-50ms-100", "connections": 1000, "seconds": 60, "ramp_ms": 5000}
    command = stage.tools.load_command("closed", subject.url, subject.headers, shape)
    peaks: list[float] = []
    before_s = subject.program.cpu_s()
    report = stage.tools.run_load(command, watch=lambda: peaks.append(subject.program.rss_mb()))
    right(report, row, subject.name)
    spread = report["chunk_delay_us"]
    if not spread:
        raise BenchError(f"{subject.name}: no stream came through: {row.faults}")
    if subject.name == "gateway":
        cpu_us = (subject.program.cpu_s() - before_s) / spread["count"] * 1e6
        row.notes.append(
            f"{report['answers']} of {report['requests']} streams right, {spread['count']} events; "
            f"p50 {spread['p50'] / 1e3:.2f} ms, max {spread['max'] / 1e3:.0f} ms, {cpu_us:.1f} us CPU an event"
        )
    return spread["p99"] / 1e3, max(peaks)
