"""Prometheus figures. A request costs a few dictionary additions; the text is made when it is asked for.

Labels come from configuration and from fixed tables, never from what a client makes up; a provider's error codes are
among them, so there is a cap as well. Requests are counted from two threads, hence the lock.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from threading import Lock
from typing import Literal

from msgspec import Struct

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
OVERHEAD_SECONDS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0)
MAX_SERIES = 4096
PREFIX = "dragoman_"
Labels = tuple[tuple[str, str], ...]
Sample = tuple[str, Labels, float]
Key = tuple[str, str, str, int, str]
"""What requests are told apart by: endpoint, provider, deployment, status, error."""
Figures = tuple[float, float, float | None, int, int, int, int | None, int]
"""Of a request: milliseconds in all, in the gateway, until the first token; attempts; input and output tokens;
nano-dollars spent, and saved."""
Over = Literal["sum", "max", "each"]
"""What several workers' figures come to: their sum, the highest, or each by itself, labelled."""


class Histogram:
    """Times by upper bound, in seconds."""

    __slots__ = ("bounds", "buckets", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.buckets = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, times_ms: Iterable[float | None]) -> None:
        """Count those that there are."""
        bounds, buckets = self.bounds, self.buckets
        for time_ms in times_ms:
            if time_ms is not None:
                buckets[bisect_left(bounds, time_ms / 1000)] += 1
                self.total += time_ms / 1000

    def samples(self, name: str, labels: Labels) -> Iterator[Sample]:
        """The series of the histogram."""
        running = 0
        for bound, count in zip((*self.bounds, float("inf")), self.buckets, strict=True):
            running += count
            yield f"{name}_bucket", (*labels, ("le", "+Inf" if bound == float("inf") else f"{bound:g}")), running
        yield f"{name}_sum", labels, self.total
        yield f"{name}_count", labels, running


class Series:
    """What is counted of one kind of request."""

    __slots__ = ("attempts", "cost_nanousd", "first_token", "input_tokens", "output_tokens", "overhead", "total")

    def __init__(self) -> None:
        self.total = Histogram(SECONDS)
        self.first_token = Histogram(SECONDS)
        self.overhead = Histogram(OVERHEAD_SECONDS)
        self.attempts = 0
        self.input_tokens = 0
        self.output_tokens = 0
        self.cost_nanousd = 0


class Family(Struct, frozen=True):
    """One metric of the exposition."""

    name: str
    kind: str  # "counter", "gauge", "histogram"
    help: str
    samples: list[Sample]
    over: Over = "sum"


class Metrics:
    """The figures of one process."""

    def __init__(self) -> None:
        self.reloads = 0
        self.failed_reloads = 0
        self.internal_errors = 0
        self.gather: Callable[[], None] = lambda: None  # has those counted that are over
        self._lock = Lock()
        self._series: dict[Key, Series] = {}
        self._by_cache: dict[str, int] = {}
        self._saved_nanousd = 0

    def count(self, key: Key, requests: Iterable[Figures], cache: str = "") -> None:
        """Count requests of one kind that are over, one at least; ``cache`` is what it did for each, if asked."""
        total, overhead, first_token, *sums = zip(*requests, strict=True)
        attempts, input_tokens, output_tokens, cost_nanousd, saved_nanousd = (sum(filter(None, each)) for each in sums)
        with self._lock:
            series = self._series.get(key)
            if series is None:
                if len(self._series) >= MAX_SERIES:
                    key = ("other", "", "", *key[3:])
                series = self._series.setdefault(key, Series())
            series.total.observe(total)
            series.overhead.observe(overhead)
            series.first_token.observe(first_token)
            series.attempts += attempts
            series.input_tokens += input_tokens
            series.output_tokens += output_tokens
            series.cost_nanousd += cost_nanousd
            if cache:
                self._by_cache[cache] = self._by_cache.get(cache, 0) + len(total)
                self._saved_nanousd += saved_nanousd

    def families(self) -> list[Family]:
        """Everything counted per request."""
        self.gather()
        with self._lock:
            items = [(_labels(key), series) for key, series in self._series.items()]
            by_cache = [((("result", result),), count) for result, count in self._by_cache.items()]
            saved_usd = self._saved_nanousd / 1e9
        return [
            _histogram("request_seconds", "From the request's arrival to its end", items, "total"),
            _histogram("first_token_seconds", "From an attempt's start to its first content", items, "first_token"),
            _histogram("overhead_seconds", "What the gateway added", items, "overhead"),
            counter("attempts_total", "Attempts at providers", [(labels, one.attempts) for labels, one in items]),
            counter("input_tokens_total", "Input tokens", [(labels, one.input_tokens) for labels, one in items]),
            counter("output_tokens_total", "Output tokens", [(labels, one.output_tokens) for labels, one in items]),
            counter("cost_usd_total", "Cost", [(labels, one.cost_nanousd / 1e9) for labels, one in items]),
            counter("cache_requests_total", "Requests that the cache was asked for", by_cache),
            counter("cache_saved_usd_total", "Cost of answers that were given again", [((), saved_usd)]),
            counter("config_reloads_total", "Configurations put in force", [((), self.reloads)]),
            counter("config_reloads_failed_total", "Configurations refused", [((), self.failed_reloads)]),
            counter("internal_errors_total", "Requests that met a bug", [((), self.internal_errors)]),
        ]


def _labels(key: Key) -> Labels:
    endpoint, provider, deployment, status, code = key
    named = (("endpoint", endpoint), ("provider", provider), ("deployment", deployment))
    return (*named, ("status", str(status)), ("error", code))


def _histogram(name: str, text: str, items: list[tuple[Labels, Series]], attribute: str) -> Family:
    full = PREFIX + name
    samples: list[Sample] = []
    for labels, series in items:
        samples.extend(getattr(series, attribute).samples(full, labels))
    return Family(full, "histogram", text, samples)


def counter(name: str, text: str, values: Iterable[tuple[Labels, float]]) -> Family:
    """A figure that only rises, and begins anew with its process."""
    full = PREFIX + name
    return Family(full, "counter", text, [(full, labels, value) for labels, value in values])


def gauge(name: str, text: str, values: Iterable[tuple[Labels, float]], over: Over = "sum") -> Family:
    """A figure that goes up and down."""
    full = PREFIX + name
    return Family(full, "gauge", text, [(full, labels, value) for labels, value in values], over)


def exposition(families: Iterable[Family]) -> str:
    """The text format (https://prometheus.io/docs/instrumenting/exposition_formats/)."""
    lines: list[str] = []
    for family in families:
        if not family.samples:
            continue
        lines.append(f"# HELP {family.name} {family.help}.")
        lines.append(f"# TYPE {family.name} {family.kind}")
        for name, labels, value in family.samples:
            text = ",".join(f'{label}="{_escaped(said)}"' for label, said in labels)
            lines.append(f"{name}{{{text}}} {value:.12g}" if text else f"{name} {value:.12g}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
