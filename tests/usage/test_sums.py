from __future__ import annotations

from collections.abc import Callable

import pytest

from dragoman.usage.row import UsageRow
from dragoman.usage.sums import COUNTED, LARGEST_ADDED, Groups, Sums, counts_of, dollars

MakeRow = Callable[..., UsageRow]


def counted(row: UsageRow) -> dict[str, int]:
    return dict(zip(COUNTED, counts_of(row), strict=True))


def test_every_kind_of_token_is_counted(make_row: MakeRow) -> None:
    kinds = [name for name in UsageRow.__struct_fields__ if name.endswith("_tokens")]
    row = make_row(**{name: number for number, name in enumerate(kinds, 1)})
    assert {name: counted(row)[name] for name in kinds} == {name: number for number, name in enumerate(kinds, 1)}
    assert set(kinds) == {name for name in COUNTED if name.endswith("_tokens")} - {"saved_tokens"}


@pytest.mark.parametrize(
    ("fields", "name", "count"),
    [
        ({}, "requests", 1),
        ({"status": 399}, "errors", 0),
        ({"status": 400}, "errors", 1),
        ({"error_code": "upstream_cut"}, "errors", 1),
        ({"cost_nanousd": 7}, "cost_nanousd", 7),
        ({"cost_nanousd": None, "input_tokens": 1}, "unpriced", 1),
        ({"cost_nanousd": None}, "unpriced", 0),
        ({"cost_nanousd": 0, "input_tokens": 1}, "unpriced", 0),
        ({"usage_source": "cache", "input_tokens": 2, "output_tokens": 3}, "saved_tokens", 5),
        ({"usage_source": "provider", "input_tokens": 2}, "saved_tokens", 0),
        ({"total_ms": 1.0019}, "total_us", 1001),
        ({"total_ms": float("inf")}, "total_us", LARGEST_ADDED),
        ({"input_tokens": 2**63 - 1}, "input_tokens", LARGEST_ADDED),
        ({"input_tokens": -(2**63)}, "input_tokens", -LARGEST_ADDED),
    ],
)
def test_a_row_counts(make_row: MakeRow, fields: dict[str, object], name: str, count: int) -> None:
    assert counted(make_row(**fields))[name] == count


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
