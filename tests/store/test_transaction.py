from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from tests.store import postgres
from tests.store.between import Between, Cut

from dragoman.config.schema import Store as Settings
from dragoman.errors import Uncertain
from dragoman.ledger.grants import SEPARATOR, Errand, Grants, Line
from dragoman.store.engine import open_store
from dragoman.store.transaction import AGAIN, in_transaction

NAME = SEPARATOR.join(("money", "cost", "month", "team"))
LINE = Line(0, "money", "cost", "month", "team", 0, 0, 100, 60)
PATIENCE_S = 30


@pytest.fixture
def url(server: URL, tmp_path: Path) -> Iterator[str]:
    with postgres.database(server) as address:
        open_store(Settings(url=address, data_dir=str(tmp_path)), {}, role="server").close()
        yield address


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = create_engine(url, pool_pre_ping=True)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE counts (name text PRIMARY KEY, count integer)"))
        connection.execute(text("INSERT INTO counts VALUES ('a', 0), ('b', 0)"))
    yield engine
    engine.dispose()


@contextmanager
def cutting(url: str, *cuts: Cut, goes_away: bool = False) -> Iterator[tuple[Between, Engine]]:
    """Through what cuts the next commits, one by one."""
    left = list(cuts)

    def choose() -> Cut:
        between.is_away = bool(left) and goes_away
        return left.pop(0) if left else ""

    with Between(url, choose) as between:
        engine = create_engine(between.url, pool_pre_ping=True)
        try:
            yield between, engine
        finally:
            engine.dispose()


def add(connection: Connection, name: str) -> None:
    connection.execute(text("UPDATE counts SET count = count + 1 WHERE name = :name"), {"name": name})


def counts(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        return {row.name: row.count for row in connection.execute(text("SELECT name, count FROM counts"))}  # type: ignore[misc]


def code(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", ""))


def test_what_was_carried_out_is_done_though_nobody_said_so(engine: Engine, url: str) -> None:
    with cutting(url, "after") as (between, cut_off):
        assert in_transaction(cut_off, lambda connection: [add(connection, "a"), "done"][1]) == "done"
    assert (between.cuts, counts(engine)["a"]) == (["after"], 1)


def test_what_was_not_is_an_error(engine: Engine, url: str) -> None:
    with cutting(url, "before") as (_, cut_off), pytest.raises(DBAPIError):
        in_transaction(cut_off, lambda connection: add(connection, "a"))
    assert counts(engine)["a"] == 0


@pytest.mark.parametrize(("cut", "done"), [("before", 0), ("after", 1)])
def test_where_nobody_can_be_asked_it_is_uncertain(engine: Engine, url: str, cut: Cut, done: int) -> None:
    with cutting(url, cut, goes_away=True) as (_, cut_off), pytest.raises(Uncertain):
        in_transaction(cut_off, lambda connection: add(connection, "a"))
    assert counts(engine)["a"] == done


def test_grants_are_written_once(url: str) -> None:
    """S9: a lease that is granted and told of, a line that is taken, and what it came to."""
    grant: Errand = "key", "token", NAME, 100, True, [(0, 0, 5, 60, 0, 7)]
    with cutting(url, "after", "after", "before") as (between, cut_off):
        grants = Grants(cut_off)
        assert grants.answer([grant], 1)[0][3] == [(0, 0, 60, 60, 7)]
        assert grants.take([LINE], 1) is not None  # nothing more fits
        assert grants.answer([("key", "token", NAME, 100, True, [(0, 0, 0, 0, 53, 0)])], 1)[0][3] == [(0, 0, 0, 7, 0)]
        with pytest.raises(DBAPIError):
            grants.take([LINE], 1)
        assert grants.take([LINE], 1) is None
        grants.settle([(LINE, 9)])
        with cut_off.connect() as connection:
            (row,) = connection.execute(text("SELECT claimed, spent FROM ledger")).all()
    assert tuple(row) == (16, 16)
    assert between.cuts == ["after", "after", "before"]


def test_a_deadlock_is_tried_again_and_both_are_done(engine: Engine) -> None:
    """S11: two that lock the same rows in opposite orders."""
    met = threading.Barrier(2)
    tries: list[str] = []

    def work(connection: Connection, first: str, then: str) -> None:
        tries.append(first)
        add(connection, first)
        if len(tries) <= 2:
            met.wait(PATIENCE_S)
        add(connection, then)

    done: list[bool] = []

    def run(first: str, then: str) -> None:
        in_transaction(engine, lambda connection: work(connection, first, then))
        done.append(True)

    threads = [threading.Thread(target=run, args=order) for order in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [True, True]
    assert len(tries) == 3
    assert counts(engine) == {"a": 2, "b": 2}


@pytest.mark.parametrize("conflicts", [1, AGAIN, AGAIN + 1])
def test_a_conflict_is_tried_again_three_times_and_no_more(engine: Engine, conflicts: int) -> None:
    """S11: another changes the row after it was read, as often as that."""
    serializable = engine.execution_options(isolation_level="SERIALIZABLE")
    tries = 0

    def work(connection: Connection) -> None:
        nonlocal tries
        tries += 1
        connection.execute(text("SELECT count FROM counts WHERE name = 'a'")).all()
        if tries <= conflicts:
            in_transaction(engine, lambda other: add(other, "a"))
        add(connection, "a")

    if conflicts <= AGAIN:
        in_transaction(serializable, work)
        assert counts(engine)["a"] == conflicts + 1
    else:
        with pytest.raises(DBAPIError) as raised:
            in_transaction(serializable, work)
        assert code(raised.value) == "40001"
        assert counts(engine)["a"] == conflicts
    assert tries == min(conflicts, AGAIN) + 1


def test_nothing_else_is_tried_again(engine: Engine) -> None:
    tries: list[int] = []

    def work(connection: Connection) -> None:
        tries.append(1)
        connection.execute(text("INSERT INTO counts VALUES ('a', 1)"))

    with pytest.raises(DBAPIError) as raised:
        in_transaction(engine, work)
    assert (code(raised.value), len(tries)) == ("23505", 1)


def test_a_statement_may_take_so_long(engine: Engine) -> None:
    slow: Callable[[Connection], object] = lambda connection: connection.execute(text("SELECT pg_sleep(30)"))  # noqa: E731
    with pytest.raises(DBAPIError) as raised:
        in_transaction(engine, slow, timeout_ms=10)
    assert code(raised.value) == "57014"
    with engine.connect() as connection:
        assert connection.execute(text("SHOW statement_timeout")).scalar_one() == "0"


def test_sqlite_has_no_numbers(tmp_path: Path) -> None:
    store = open_store(Settings(data_dir=str(tmp_path)), {}, role="server")
    found = in_transaction(store.engine, lambda connection: connection.execute(text("SELECT 7")).scalar_one())
    store.close()
    assert found == 7
