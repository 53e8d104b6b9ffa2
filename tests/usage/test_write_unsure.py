"""Connections that are lost while rows are being committed (catalogue S9)."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.engine import URL
from tests.store import postgres
from tests.store.between import Between, Cut
from tests.usage.traffic import assert_rolled

from dragoman.config.schema import Store as Settings
from dragoman.store.engine import open_store
from dragoman.store.tables import usage
from dragoman.usage import write
from dragoman.usage.row import UsageRow
from dragoman.usage.write import UsageWriter

MakeRow = Callable[..., UsageRow]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[URL]:
    with postgres.server(tmp_path_factory.mktemp("pg")) as address:
        yield address


@pytest.fixture
def url(server: URL, tmp_path: Path) -> Iterator[str]:
    with postgres.database(server) as address:
        open_store(Settings(url=address, data_dir=str(tmp_path)), {}, role="server").close()
        yield address


def until(true: Callable[[], bool]) -> None:
    until_s = time.monotonic() + 60
    while not true() and time.monotonic() < until_s:
        time.sleep(0.01)
    assert true()


def assert_once(url: str, rows: list[UsageRow]) -> None:
    """Each row is there once, and counted once."""
    engine = create_engine(url)
    with engine.connect() as connection:
        found = list(connection.execute(select(usage.c.request_id)).scalars())
    assert sorted(found) == sorted(row.request_id for row in rows)
    assert_rolled(engine)
    engine.dispose()


@contextmanager
def writing(between: Between, directory: Path, **settings: int) -> Iterator[UsageWriter]:
    """A writer, closed at the end, when it must have kept all."""
    engine = create_engine(between.url, pool_pre_ping=True)
    writer = UsageWriter(engine, directory, Settings(data_dir=str(directory), **settings))  # type: ignore[arg-type]
    yield writer
    assert writer.close()
    assert writer.dropped == 0
    engine.dispose()


@pytest.mark.parametrize("cut", ["before", "after"])
def test_rows_are_written_once_whatever_became_of_the_commit(
    url: str, tmp_path: Path, make_row: MakeRow, cut: Cut
) -> None:
    left: list[Cut] = [cut]
    rows = [make_row(cost_nanousd=number) for number in range(100)]
    with (
        Between(url, lambda: left.pop() if left else "") as between,
        writing(between, tmp_path) as writer,
    ):
        for row in rows:
            writer.put(row)
        writer.start()
        until(lambda: writer.queued == 0 and writer.written == len(rows))
    assert between.cuts == [cut]
    assert writer.failures == (1 if cut == "before" else 0)
    assert_once(url, rows)


@pytest.mark.parametrize("cut", ["before", "after"])
@pytest.mark.parametrize("queue", [1000, 10])
def test_a_database_that_is_away_then_is_asked_once_it_is_back(
    url: str, tmp_path: Path, make_row: MakeRow, cut: Cut, queue: int
) -> None:
    """With a short queue the rows go to the spool meanwhile, of which nobody knows whether they are written."""
    left: list[Cut] = [cut]
    rows = [make_row(cost_nanousd=number) for number in range(10)]

    def choose() -> Cut:
        between.is_away = between.is_away or bool(left)
        return left.pop() if left else ""

    with Between(url, choose) as between, writing(between, tmp_path, usage_queue=queue) as writer:
        for row in rows:
            writer.put(row)
        writer.start()
        until(lambda: writer.failures > 1)
        between.is_away = False
        until(lambda: writer.queued == 0 and not list(tmp_path.glob("usage-spool-*")))
    assert between.cuts == [cut]
    assert (writer.spooled > 0) == (queue == 10)
    assert_once(url, rows)


def test_connections_that_are_cut_at_random_neither_lose_a_row_nor_write_one_twice(
    url: str, tmp_path: Path, make_row: MakeRow, monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    monkeypatch.setattr(write, "TICK_S", 0.002)
    monkeypatch.setattr(write, "BATCH_ROWS", 16)
    chance = random.Random(7)
    rows = [make_row(cost_nanousd=number, end_user=f"u{number % 5}") for number in range(1500)]
    with (
        Between(url, lambda: chance.choice(("", "", "before", "after"))) as between,
        # A queue so short that rows go to the spool and come back.
        writing(between, tmp_path, usage_queue=200) as writer,
    ):
        writer.start()
        for number, row in enumerate(rows):
            if number % 20 == 0:
                until(lambda: writer.queued < 150)
            writer.put(row)
        until(lambda: writer.queued == 0 and not list(tmp_path.glob("usage-spool-*")))
    cuts = between.cuts
    assert cuts.count("before") > 9
    assert cuts.count("after") > 9
    assert_once(url, rows)
    say(
        f"{len(rows)} rows, {len(cuts)} commits cut off ({cuts.count('after')} had been carried out), "
        f"{writer.spooled} rows by way of the spool: each is there once"
    )
