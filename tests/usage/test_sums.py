from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.usage.traffic import counts_of

from dragoman.usage.row import UsageRow
from dragoman.usage.sums import Groups, Sums, dollars

MakeRow = Callable[..., UsageRow]


def test_sums_add_up_and_are_told(make_row: MakeRow) -> None:
    sums = Sums()
    for cost in (1, 2_000_000_000):
        sums.add(counts_of(make_row(cost_nanousd=cost, total_ms=10.0)))
    sums.latency.extend([10.0, 10.0])
    told = sums.told()
    assert (told["requests"], told["cost_usd"], told["mean_ms"], told["saved_usd"]) == (
        2,
        "2.000000001",
        10.0,
        "0.000000000",
    )
    assert told["p50_ms"] == pytest.approx(10.0, rel=0.05)
    assert "total_us" not in told
    assert told["first_token_p50_ms"] == 0.0


def test_nothing_has_no_mean() -> None:
    assert (Sums().mean_ms, Sums().percentile_ms(0.5)) == (0.0, 0.0)


def test_times_beyond_the_classes_are_still_counted() -> None:
    sums = Sums()
    sums.latency.extend([1e300])
    assert sums.percentile_ms(0.5) > 1e9


@pytest.mark.parametrize(
    ("nanousd", "text"), [(0, "0.000000000"), (-1, "-0.000000001"), (12 * 10**9 + 345, "12.000000345")]
)
def test_dollars_are_exact(nanousd: int, text: str) -> None:
    assert dollars(nanousd) == text


def test_a_group_is_made_once() -> None:
    groups = Groups()
    groups["a",].requests += 1
    assert groups["a",].requests == 1
    assert list(groups.found) == [("a",)]


def test_sums_include_others_whole(make_row: MakeRow) -> None:
    sums, other = Sums(requests=1), Sums(requests=2, cost_nanousd=5)
    other.latency.extend([3.0])
    other.first_token.extend([1.0, 2.0])
    sums.include(other)
    assert (sums.requests, sums.cost_nanousd, sums.latency.count, sums.first_token.count) == (3, 5, 1, 2)
