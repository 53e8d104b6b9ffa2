from __future__ import annotations

import re
import threading
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple

from dragoman.telemetry import metrics as metrics_module
from dragoman.telemetry.metrics import OVERHEAD_SECONDS, SECONDS, Family, Histogram, Metrics, exposition, gauge
from dragoman.usage.count import count
from dragoman.usage.row import Cells, UsageRow

LINE = re.compile(r"([a-z_]+)(?:\{(.*)\})? (\S+)", re.DOTALL)
LABEL = re.compile(r'([a-z]+)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')


def row(**fields: object) -> Cells:
    usual: dict[str, object] = {
        "request_id": "r",
        "started_at_ms": 0,
        "snapshot": 1,
        "endpoint": "chat",
        "status": 200,
        "provider": "p",
        "deployment": "d",
        "attempts": 1,
        "total_ms": 20.0,
        "overhead_ms": 0.2,
    }
    return astuple(UsageRow(**usual | fields))  # type: ignore[arg-type]


def read(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """The exposition, read as Prometheus does; fails where it is not in the format."""
    found = {}
    kinds: dict[str, str] = {}
    assert text.endswith("\n")
    for line in text.removesuffix("\n").split("\n"):
        if line.startswith("# "):
            _, word, name, rest = line.split(" ", 3)
            if word == "TYPE":
                assert name not in kinds, f"{name} is said twice"
                kinds[name] = rest
            continue
        match = LINE.fullmatch(line)
        assert match, line
        name, labels, value = match.groups()
        assert kinds.keys() & {name, re.sub(r"_(bucket|sum|count)$", "", name)}, name
        pairs = LABEL.findall(labels or "")
        assert "".join(f'{one}="{other}",' for one, other in pairs).rstrip(",") == (labels or "")
        key = name, frozenset(pairs)
        assert key not in found, key
        found[key] = float(value)
    return found


def total(metrics: Metrics, name: str) -> float:
    series = read(exposition(metrics.families()))
    return sum(value for (found, _), value in series.items() if found == f"dragoman_{name}")


@given(st.lists(st.floats(0, 1e6), max_size=50))
def test_a_histogram_counts_each_observation_once(times_ms: list[float]) -> None:
    histogram = Histogram(SECONDS)
    histogram.observe([*times_ms, None])
    values = [time_ms / 1000 for time_ms in times_ms]
    *buckets, added, count = histogram.samples("h", ())
    assert count[2] == len(values) == buckets[-1][2]
    assert added[2] == pytest.approx(sum(values))
    for (_, labels, found), bound in zip(buckets, (*SECONDS, float("inf")), strict=True):
        assert found == sum(value <= bound for value in values), labels


def test_the_bounds_rise() -> None:
    for bounds in (SECONDS, OVERHEAD_SECONDS):
        assert list(bounds) == sorted(set(bounds))


def test_a_request_is_counted_in_every_figure() -> None:
    metrics = Metrics()
    count(metrics, [row(input_tokens=9, output_tokens=3, cost_nanousd=2_500, first_token_ms=7.0, attempts=2)], "d")
    count(metrics, [row(status=502, error_code="upstream_cut", cost_nanousd=None)], "d")
    series = read(exposition(metrics.families()))
    good = frozenset({("endpoint", "chat"), ("provider", "p"), ("deployment", "d"), ("status", "200"), ("error", "")})
    assert series["dragoman_request_seconds_count", good] == 1
    assert series["dragoman_request_seconds_sum", good] == 0.02
    assert series["dragoman_request_seconds_bucket", good | {("le", "0.025")}] == 1
    assert series["dragoman_request_seconds_bucket", good | {("le", "0.01")}] == 0
    assert series["dragoman_first_token_seconds_count", good] == 1
    assert series["dragoman_attempts_total", good] == 2
    assert series["dragoman_input_tokens_total", good] == 9
    assert series["dragoman_output_tokens_total", good] == 3
    assert series["dragoman_cost_usd_total", good] == 2.5e-6
    assert total(metrics, "request_seconds_count") == 2
    assert total(metrics, "overhead_seconds_count") == 2


def test_what_the_process_does_is_counted_from_the_first_scrape() -> None:
    metrics = Metrics()
    series = read(exposition(metrics.families()))
    for name in ("config_reloads_total", "config_reloads_failed_total", "internal_errors_total"):
        assert series[f"dragoman_{name}", frozenset()] == 0
    metrics.reloads, metrics.failed_reloads, metrics.internal_errors = 1, 2, 3
    series = read(exposition(metrics.families()))
    assert series["dragoman_config_reloads_failed_total", frozenset()] == 2


@pytest.mark.parametrize("said", ['a"b', "a\\b", "a\nb", "a\\nb", '"', "\\", "é,}", "{}"])
def test_labels_are_escaped(said: str) -> None:
    metrics = Metrics()
    count(metrics, [row()], said)
    series = read(exposition(metrics.families()))
    found = {dict(labels).get("deployment") for _, labels in series} - {None}
    assert [_unescaped(label or "") for label in found] == [said]


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: {"n": "\n"}.get(match[1], match[1]), text)


def test_the_number_of_series_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_module, "MAX_SERIES", 8)
    metrics = Metrics()
    for number in range(100):
        count(metrics, [row()], f"openai/made-up-{number}")
    assert total(metrics, "request_seconds_count") == 100
    labels = {labels for name, labels in read(exposition(metrics.families())) if name.endswith("attempts_total")}
    assert len(labels) <= 9


def test_two_threads_lose_nothing() -> None:
    metrics = Metrics()

    def count_many() -> None:
        for _ in range(2000):
            count(metrics, [row(input_tokens=1)], "d")

    threads = [threading.Thread(target=count_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert total(metrics, "request_seconds_count") == total(metrics, "input_tokens_total") == 8000


def test_a_family_without_samples_says_nothing() -> None:
    text = exposition([Family("dragoman_none", "gauge", "Nothing", []), gauge("one", "One", [((), 1)])])
    assert "none" not in text
    assert text == "# HELP dragoman_one One.\n# TYPE dragoman_one gauge\ndragoman_one 1\n"


def test_every_name_keeps_to_the_rules() -> None:
    families = Metrics().families()
    assert [name for name, times in Counter(family.name for family in families).items() if times > 1] == []
    for family in families:
        assert (family.kind == "counter") == family.name.endswith("_total"), family.name
