from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from msgspec.structs import astuple, replace
from tests.usage import traffic
from tests.usage.traffic import alike_of, columns_of, counts_of

from dragoman.core import Quantiles, UsageBatch
from dragoman.usage.row import UsageRow
from dragoman.usage.sums import COUNTED, LARGEST_ADDED

FIELDS = UsageRow.__struct_fields__
LARGEST_SUM = 2**63 - 1
ROW = UsageRow(request_id="r", started_at_ms=1_795_000_123_456, snapshot=1, endpoint="chat", status=200)


def batch(*rows: UsageRow) -> UsageBatch:
    return UsageBatch(FIELDS, [astuple(row) for row in rows])


def counted(row: UsageRow) -> dict[str, int | bytes]:
    return dict(zip(COUNTED, batch(row).cell([0], None), strict=False))


def test_every_kind_of_token_is_counted() -> None:
    kinds = [name for name in FIELDS if name.endswith("_tokens")]
    row = replace(ROW, **{name: number for number, name in enumerate(kinds, 1)})
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
        ({"total_ms": float("nan")}, "total_us", 0),
        ({"input_tokens": 2**63 - 1}, "input_tokens", LARGEST_ADDED),
        ({"input_tokens": -(2**63)}, "input_tokens", -LARGEST_ADDED),
        (
            {"usage_source": "cache", "input_tokens": 2**63 - 1, "output_tokens": 2**63 - 1},
            "saved_tokens",
            LARGEST_ADDED,
        ),
    ],
)
def test_a_row_counts(fields: dict[str, object], name: str, count: int) -> None:
    assert counted(replace(ROW, **fields))[name] == count


@pytest.mark.parametrize("seed", range(20))
def test_groups_are_what_rows_have_in_common_and_come_to_their_sums(seed: int) -> None:
    chance = random.Random(seed)
    rows = traffic.rows(chance, chance.choice((1, 2, 50, 400)))
    read = batch(*rows)
    by_alike: dict[object, list[UsageRow]] = {}
    for row in rows:
        by_alike.setdefault(tuple(alike_of(row)), []).append(row)
    assert read.groups == list(by_alike)
    groups = list(by_alike.values())
    for number, group in enumerate(groups):
        assert read.cell([number], None) == columns_of(group)
        assert read.cell([number], None)[: len(COUNTED)] == tuple(map(sum, zip(*map(counts_of, group), strict=True)))
    members = chance.sample(range(len(groups)), chance.randrange(len(groups) + 1))
    stored = columns_of(some) if (some := traffic.rows(chance, chance.choice((0, 9)))) else None
    assert read.cell(members, stored) == columns_of([*some, *(row for number in members for row in groups[number])])


def test_minutes_before_the_epoch_begin_before_their_rows() -> None:
    read = batch(*(replace(ROW, started_at_ms=at_ms) for at_ms in (-1, -60_000, -(2**63))))
    assert [group[0] for group in read.groups] == [-60_000, -(2**63)]


def test_names_beside_each_other_are_not_one() -> None:
    one, other = replace(ROW, team="ab", user="c"), replace(ROW, team="a", user="bc")
    assert len(batch(one, other, one).groups) == 2


def test_no_sum_is_larger_than_a_database_takes() -> None:
    read = batch(replace(ROW, input_tokens=5, output_tokens=-5))
    for limit in (LARGEST_SUM, -LARGEST_SUM):
        counts = read.cell([0], (*[limit] * len(COUNTED), b"", b""))[: len(COUNTED)]
        assert all(isinstance(count, int) and abs(count) <= LARGEST_SUM for count in counts)


def test_a_damaged_sketch_begins_anew() -> None:
    read = batch(replace(ROW, total_ms=7.0))
    latency = read.cell([0], (*[1] * len(COUNTED), b"\xff", b"\xff"))[-2]
    assert isinstance(latency, bytes)
    assert Quantiles(latency).count == 1


def test_what_differs_between_rows_varies() -> None:
    rows = [replace(ROW, request_id=f"r{number}", cost_nanousd=10**9 + number // 2) for number in range(3)]
    assert {FIELDS[at] for at in batch(*rows).varying} == {"request_id", "cost_nanousd"}
    assert batch(rows[0]).varying == batch().varying == frozenset()


def test_values_come_once_or_for_each_row() -> None:
    rows = [replace(ROW, request_id=f"r{number}") for number in range(4)]
    ids, kinds = FIELDS.index("request_id"), FIELDS.index("endpoint")
    read = batch(*rows)
    assert read.values([kinds], [ids, kinds], 1, 2) == ("chat", "r1", "chat", "r2", "chat")
    assert read.values([], [ids], 0, 4) == ("r0", "r1", "r2", "r3")
    with pytest.raises(IndexError):
        read.values([], [ids], 3, 2)
    with pytest.raises(IndexError):
        read.values([len(FIELDS)], [], 0, 1)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"tags": 5}, TypeError),
        ({"total_ms": "long"}, TypeError),
        ({"status": None}, TypeError),
        ({"input_tokens": 2**80}, OverflowError),
        ({"end_user": "\ud800"}, UnicodeEncodeError),
    ],
)
def test_what_cannot_be_added_up_is_refused(fields: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        batch(ROW, replace(ROW, **fields))


def test_what_is_no_row_no_group_and_no_cell_is_refused() -> None:
    refusals: list[Callable[[], object]] = [
        lambda: UsageBatch(FIELDS[1:][::-1][:-1], []),
        lambda: batch(ROW).cell([1], None),
        lambda: batch(ROW).cell([0], (1, b"")),
    ]
    for refusal in refusals:
        with pytest.raises(ValueError, match=r"no field|no group|columns"):
            refusal()
    with pytest.raises(IndexError):
        UsageBatch(FIELDS, [astuple(ROW)[:5]])
