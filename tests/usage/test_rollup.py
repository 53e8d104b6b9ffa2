from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from sqlalchemy import func, select
from tests.usage import traffic
from tests.usage.traffic import assert_rolled, write

from dragoman.errors import StoreError
from dragoman.store.engine import Store
from dragoman.store.tables import usage_rollups, usage_series
from dragoman.usage import rollup
from dragoman.usage.batch import batch_of
from dragoman.usage.cells import DAY_S, HOUR_S, MINUTE_S
from dragoman.usage.insert import RowInsert
from dragoman.usage.question import Question
from dragoman.usage.report import report_usage
from dragoman.usage.rollup import (
    DAY_MS,
    MINUTES_KEPT_DAYS,
    Rollup,
    forget_end_user,
    minutes_from_ms,
    prune,
    prune_minutes,
)
from dragoman.usage.row import UsageRow

MakeRow = Callable[..., UsageRow]


def starts(store: Store, step_s: int) -> list[int]:
    query = select(usage_rollups.c.start_ms).where(usage_rollups.c.step_s == step_s).distinct()
    with store.engine.connect() as connection:
        return sorted(connection.execute(query).scalars())


@pytest.mark.parametrize("seed", range(6))
def test_rollups_are_the_sums_of_rows_in_whatever_batches_they_come(store: Store, seed: int) -> None:
    chance = random.Random(seed)
    rows = traffic.rows(chance, 300)
    kept = Rollup(store.engine.dialect)
    while rows:
        size = chance.choice((1, 2, 33, 100))
        # One writer for some time, and a new one as after a restart.
        write(store.engine, rows[:size], rollup=kept if chance.random() < 0.7 else None)
        del rows[:size]
    assert_rolled(store.engine)


def test_what_is_undone_with_its_transaction_is_not_counted(store: Store, make_row: MakeRow) -> None:
    kept = Rollup(store.engine.dialect)
    rows = [make_row(tags="a", end_user="e") for _ in range(3)]
    with store.engine.connect() as connection:
        RowInsert(store.engine.dialect)(connection, batch_of(rows))
        kept.add(connection, batch_of(rows))
        connection.rollback()
    assert_rolled(store.engine)
    write(store.engine, rows, rollup=kept)
    assert_rolled(store.engine)


def test_what_is_undone_takes_no_room(store: Store, make_row: MakeRow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollup, "NAMES_A_DAY", 1)
    kept = Rollup(store.engine.dialect)
    row = make_row(end_user="e")
    for _ in range(3):
        with store.engine.connect() as connection:
            kept.add(connection, batch_of([row]))
            connection.rollback()
        kept.undone()
    write(store.engine, [row], rollup=kept)
    assert_rolled(store.engine)


def test_nothing_is_counted_of_nothing(store: Store) -> None:
    with store.engine.begin() as connection:
        Rollup(store.engine.dialect).add(connection, batch_of([]))
    assert_rolled(store.engine)


def test_a_damaged_sketch_stops_no_counting_and_is_told_of(store: Store, make_row: MakeRow) -> None:
    write(store.engine, [make_row(total_ms=5.0)])
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE usage_rollups SET latency = X'FF'")
    with pytest.raises(StoreError, match="a rollup is damaged"):
        report_usage(store.engine, Question())
    assert report_usage(store.engine, Question(with_times=False)).whole.requests == 1
    write(store.engine, [make_row(total_ms=7.0)])
    whole = report_usage(store.engine, Question()).whole
    assert (whole.requests, whole.latency.count) == (2, 1)


def test_hostile_names_are_counted(store: Store, make_row: MakeRow) -> None:
    names = ["'; DROP TABLE usage_rollups; --", "%s ? :x", '"', "😀\u2028", "a" * 10_000]
    write(store.engine, [make_row(end_user=name, tags=name, run=name, model=name, team=name) for name in names])
    assert_rolled(store.engine)


def test_minutes_go_after_their_days_and_nothing_else(store: Store, make_row: MakeRow) -> None:
    begin = 20_000 * DAY_MS
    rows = [make_row(started_at_ms=begin + minute * 60_000, tags="a") for minute in range(0, 5 * 1440, 30)]
    write(store.engine, rows)
    now_ms = begin + 5 * DAY_MS
    hours, days = starts(store, HOUR_S), starts(store, DAY_S)
    rounds = 0
    deleted = 1
    while deleted:
        with store.engine.begin() as connection:
            deleted = prune_minutes(connection, now_ms)
        rounds += 1
    assert rounds > 2  # some at a time
    cutoff_ms = now_ms - MINUTES_KEPT_DAYS * DAY_MS
    assert starts(store, MINUTE_S) == [row.started_at_ms for row in rows if row.started_at_ms >= cutoff_ms]
    assert (starts(store, HOUR_S), starts(store, DAY_S)) == (hours, days)
    with store.engine.connect() as connection:
        assert minutes_from_ms(connection) == cutoff_ms
    assert_rolled(store.engine)


def test_the_beginning_of_minutes_never_goes_back(store: Store) -> None:
    with store.engine.begin() as connection:
        prune_minutes(connection, 30_000 * DAY_MS)
        prune_minutes(connection, 20_000 * DAY_MS)
        assert minutes_from_ms(connection) == (30_000 - MINUTES_KEPT_DAYS) * DAY_MS


def test_hours_days_and_series_go_with_their_rows(store: Store, make_row: MakeRow) -> None:
    begin = 20_000 * DAY_MS
    for day in range(4):
        write(store.engine, [make_row(started_at_ms=begin + day * DAY_MS + 5, model=f"m{day}", tags="a", run="r")])
    cutoff_ms = begin + 2 * DAY_MS
    deleted = 1
    while deleted:
        with store.engine.begin() as connection:
            deleted = prune(connection, cutoff_ms)
    assert min(starts(store, HOUR_S)) == min(starts(store, DAY_S)) == cutoff_ms
    with store.engine.connect() as connection:
        assert set(connection.execute(select(usage_series.c.model)).scalars()) == {"m2", "m3"}


def test_a_series_that_is_used_again_is_kept(store: Store, make_row: MakeRow) -> None:
    begin = 20_000 * DAY_MS
    for day in (5, 0, 9):
        write(store.engine, [make_row(started_at_ms=begin + day * DAY_MS)])
    with store.engine.connect() as connection:
        assert connection.execute(select(func.max(usage_series.c.last_day_ms))).scalar() == begin + 9 * DAY_MS
        assert connection.execute(select(func.count()).select_from(usage_series)).scalar() == 1


def test_a_person_who_is_forgotten_is_in_no_rollup_and_what_they_used_still_counts(
    store: Store, make_row: MakeRow
) -> None:
    def by_user() -> dict[str, int]:
        found = report_usage(store.engine, Question(by=("end_user",)))
        assert found.whole.requests == sum(group.sums.requests for group in found.groups)
        return {group.values[0]: group.sums.requests for group in found.groups}

    rows = [make_row(end_user=name, organisation="acme", team="t", model=model) for name in "xyy" for model in "mn"]
    write(store.engine, [*rows, make_row(end_user="y", organisation="other"), make_row(organisation="acme")])
    assert by_user() == {"x": 2, "y": 5, "": 1}
    for name in ("x", "y", "nobody"):
        with store.engine.begin() as connection:
            forgotten = forget_end_user(connection, ["acme"], name)
            connection.exec_driver_sql(
                f"UPDATE usage SET end_user = '' WHERE organisation = 'acme' AND end_user = '{name}'"
            )
        assert (forgotten > 0) == (name != "nobody")
    assert by_user() == {"y": 1, "": 7}
    assert report_usage(store.engine, Question(where={"end_user": ("",)})).whole.requests == 7
    assert report_usage(store.engine, Question(by=("end_user", "endpoint"))).whole.requests == 8
    with store.engine.connect() as connection:
        assert "x" not in set(connection.execute(select(usage_rollups.c.name)).scalars())
