from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from dragoman.store.engine import Store
from dragoman.store.tables import usage
from dragoman.usage.batch import batch_of
from dragoman.usage.insert import RowInsert
from dragoman.usage.retention import MAX_DRIFT_S, ROWS_A_BATCH, Retention, delete_before
from dragoman.usage.row import UsageRow

DAY_S = 86_400.0


def test_rows_are_kept_for_the_days_set() -> None:
    retention = Retention(400, wall_s=1000 * DAY_S, monotonic_s=5.0)
    assert retention.cutoff_ms(wall_s=1000 * DAY_S, monotonic_s=5.0) == 600 * DAY_S * 1000
    assert retention.cutoff_ms(wall_s=1001 * DAY_S, monotonic_s=5.0 + DAY_S) == 601 * DAY_S * 1000


@pytest.mark.parametrize("jump_s", [MAX_DRIFT_S + 1, -MAX_DRIFT_S - 1, 365 * DAY_S, -365 * DAY_S])
def test_after_a_jump_of_the_clock_nothing_goes(jump_s: float) -> None:
    retention = Retention(1, wall_s=1000 * DAY_S, monotonic_s=0.0)
    assert retention.cutoff_ms(wall_s=1000 * DAY_S + jump_s + 60, monotonic_s=60.0) is None
    assert retention.cutoff_ms(wall_s=1000 * DAY_S + 60, monotonic_s=60.0) is not None


@pytest.mark.parametrize("drift_s", [MAX_DRIFT_S, -MAX_DRIFT_S, 0.5])
def test_a_clock_that_is_put_right_is_trusted(drift_s: float) -> None:
    retention = Retention(1, wall_s=1000 * DAY_S, monotonic_s=0.0)
    assert retention.cutoff_ms(wall_s=1000 * DAY_S + drift_s, monotonic_s=0.0) is not None


def test_the_oldest_go_first_in_batches_and_the_cutoff_stays(store: Store, make_row: Callable[..., UsageRow]) -> None:
    count = ROWS_A_BATCH + 500
    rows = [make_row(started_at_ms=number) for number in reversed(range(count + 10))]
    with store.engine.begin() as connection:
        RowInsert(store.engine.dialect)(connection, batch_of(rows))
    deleted = []
    while not deleted or deleted[-1]:
        with store.engine.begin() as connection:
            deleted.append(delete_before(connection, count))
    assert deleted == [ROWS_A_BATCH, 500, 0]
    with store.engine.connect() as connection:
        left = connection.execute(select(func.min(usage.c.started_at_ms), func.count())).one()
    assert tuple(left) == (count, 10)
