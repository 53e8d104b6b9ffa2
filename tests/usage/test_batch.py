from __future__ import annotations

from collections.abc import Callable

from msgspec import structs

from dragoman.usage.batch import batch_of
from dragoman.usage.cells import Alike
from dragoman.usage.row import FIELDS, UsageRow


def test_rows_are_read_in_the_order_of_the_table(make_row: Callable[..., UsageRow]) -> None:
    rows = [make_row(), make_row(tags="a")]
    batch = batch_of(iter(rows))
    assert batch.rows == [structs.astuple(row) for row in rows]
    assert {FIELDS[at] for at in batch.varying} == {"request_id", "started_at_ms", "tags"}
    assert [Alike._make(group).tags for group in batch.groups] == ["", "a"]


def test_there_may_be_no_rows() -> None:
    assert (batch_of([]).rows, batch_of([]).groups) == ([], [])
