from __future__ import annotations

import random
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import make_url
from tests.usage import traffic

from dragoman.store.migrate import run_migrations
from dragoman.store.migrations import r0009_entities, r0010_usage_rollups
from dragoman.store.sqlite import sqlite_engine
from dragoman.usage.cells import MINUTE_S, start_of
from dragoman.usage.report import report_usage
from dragoman.usage.rollup import minutes_from_ms
from dragoman.usage.row import UsageRow


def test_it_follows_the_ninth() -> None:
    assert r0010_usage_rollups.down_revision == r0009_entities.revision


def migrated(path: Path, rows: list[UsageRow]) -> sa.Engine:
    """A database of the revision before, with rows, brought up to this one."""
    engine = sqlite_engine(make_url(f"sqlite:///{path}/t.db"), durable=False)
    names = [name for name in UsageRow.__struct_fields__ if name != "run"]
    usage = sa.table("usage", *map(sa.column, names))
    with engine.begin() as connection:
        run_migrations(connection, None, r0009_entities.revision)
        if rows:
            connection.execute(sa.insert(usage), [{name: getattr(row, name) for name in names} for row in rows])
        run_migrations(connection, r0009_entities.revision, r0010_usage_rollups.revision)
    return engine


def test_rows_that_were_there_are_added_up(tmp_path: Path) -> None:
    chance = random.Random(4)
    rows = [traffic.with_names(row, run="") for row in traffic.rows(chance, 700)]
    engine = migrated(tmp_path, rows)
    traffic.assert_rolled(engine)
    with engine.connect() as connection:
        newest = max(row.started_at_ms for row in rows)
        assert minutes_from_ms(connection) == start_of(newest, MINUTE_S) + 60_000
    late = [traffic.with_names(row, request_id="late", run="") for row in rows[:50]]
    traffic.write(engine, late)
    traffic.assert_rolled(engine)
    for _ in range(60):
        asked = traffic.question(chance)
        assert traffic.told(report_usage(engine, asked)) == traffic.told(traffic.answer([*rows, *late], asked)), asked


def test_chunks_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [traffic.with_names(row, run="") for row in traffic.rows(random.Random(5), 100)]
    monkeypatch.setattr(r0010_usage_rollups, "_ROWS_AT_ONCE", 3)
    traffic.assert_rolled(migrated(tmp_path, rows))


def test_without_rows_there_are_minutes_from_the_beginning(tmp_path: Path) -> None:
    engine = migrated(tmp_path, [])
    with engine.connect() as connection:
        assert minutes_from_ms(connection) == 0
