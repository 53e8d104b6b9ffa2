from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import astuple

from dragoman.telemetry.metrics import Metrics
from dragoman.usage.count import count
from dragoman.usage.row import UsageRow


def figures(metrics: Metrics) -> list[tuple[str, tuple[tuple[str, str], ...], float]]:
    return [one for family in metrics.families() for one in family.samples]


def test_rows_counted_together_come_to_what_they_come_to_one_by_one(make_row: Callable[..., UsageRow]) -> None:
    rows = [
        astuple(
            make_row(
                provider="p",
                attempts=1,
                input_tokens=number,
                output_tokens=2 * number,
                cost_nanousd=None if number % 3 == 0 else number,
                total_ms=1.5 * number,
                overhead_ms=0.125 * number,
                first_token_ms=None if number % 2 else float(number),
                cache="hit",
                saved_nanousd=number,
            )
        )
        for number in range(50)
    ]
    together, alone = Metrics(), Metrics()
    count(together, rows, "d")
    for row in rows:
        count(alone, [row], "d")
    assert figures(together) == figures(alone)
    came_to = {name.removeprefix("dragoman_"): value for name, _, value in figures(together)}
    assert came_to["input_tokens_total"] == sum(range(50))
    assert came_to["cost_usd_total"] == sum(number for number in range(50) if number % 3) / 1e9
    assert (came_to["cache_requests_total"], came_to["first_token_seconds_count"]) == (50, 25)


def test_each_row_has_its_labels(make_row: Callable[..., UsageRow]) -> None:
    metrics = Metrics()
    for row in (make_row(provider="p", endpoint="e", status=502, error_code="cut"), make_row()):
        count(metrics, [astuple(row)], "d")
    said = [
        tuple(value for _, value in labels) for name, labels, _ in figures(metrics) if name.endswith("attempts_total")
    ]
    assert said == [("e", "p", "d", "502", "cut"), ("chat", "", "d", "200", "")]
