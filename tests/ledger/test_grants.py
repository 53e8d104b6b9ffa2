from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError
from tests.store import postgres

from dragoman.config.schema import Store as Settings
from dragoman.ledger.grants import SEPARATOR, Errand, Grants, Line, account_of
from dragoman.store.engine import open_store
from dragoman.store.tables import ledger as table

NOW_MS = 1_795_996_800_000
NAME = SEPARATOR.join(("money", "cost", "month", "team"))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("grants")
    if request.param == "sqlite":
        yield ""
        return
    with postgres.server(directory) as server, postgres.database(server) as url:
        yield url


@pytest.fixture
def engine(address: str, tmp_path: Path) -> Iterator[Engine]:
    store = open_store(Settings(url=address, data_dir=str(tmp_path)), {}, role="server")
    yield store.engine
    with store.engine.begin() as connection:
        connection.execute(table.delete())
    store.close()


def errand(*slots: tuple[int, int, int, int, int, int], most: int = 100, enforced: bool = True) -> Errand:
    return "key", "token", NAME, most, enforced, list(slots)


def line(amount: int, *, most: int = 100, who: str = "team", slot_ms: int = 0) -> Line:
    return Line(0, "money", "cost", "month", who, slot_ms, 0, most, amount)


def rows(engine: Engine) -> list[tuple[int, int, int]]:
    query = select(table.c.slot_ms, table.c.claimed, table.c.spent).order_by(table.c.who, table.c.slot_ms)
    with engine.connect() as connection:
        return [(row.slot_ms, row.claimed, row.spent) for row in connection.execute(query)]


def test_what_is_wanted_is_granted_as_far_as_there_is_room(engine: Engine) -> None:
    grants = Grants(engine)
    assert grants.answer([errand((0, 0, 5, 60, 0, 0))], NOW_MS) == [("key", "token", NAME, [(0, 0, 60, 60, 0)])]
    assert grants.answer([errand((0, 0, 5, 60, 0, 7))], NOW_MS)[0][3] == [(0, 0, 40, 100, 7)]
    assert grants.answer([errand((0, 0, 5, 60, 0, 0))], NOW_MS)[0][3] == [(0, 0, 0, 100, 0)]
    assert rows(engine) == [(0, 100, 7)]


def test_too_little_is_of_no_use(engine: Engine) -> None:
    grants = Grants(engine)
    grants.answer([errand((0, 0, 0, 98, 0, 0))], NOW_MS)
    assert grants.answer([errand((0, 0, 5, 5, 0, 0))], NOW_MS)[0][3] == [(0, 0, 0, 98, 0)]
    assert grants.answer([errand((0, 0, 5, 5, 0, 0), enforced=False)], NOW_MS)[0][3] == [(0, 0, 5, 103, 0)]


def test_what_is_given_back_may_be_granted_again(engine: Engine) -> None:
    grants = Grants(engine)
    grants.answer([errand((0, 0, 1, 100, 0, 0))], NOW_MS)
    assert grants.answer([errand((0, 0, 0, 0, 90, 10))], NOW_MS)[0][3] == [(0, 0, 0, 10, 10)]
    assert grants.take([line(91)], NOW_MS) is not None
    assert grants.take([line(90)], NOW_MS) is None


def test_all_slots_that_count_are_told(engine: Engine) -> None:
    grants = Grants(engine)
    over, later = (NOW_MS - 9, NOW_MS - 1), (NOW_MS - 5, NOW_MS + 5)
    for slot in (over, later):
        grants.answer([errand((*slot, 1, 40, 0, 0))], NOW_MS - 5)
    told = grants.answer([errand((NOW_MS, 0, 1, 70, 0, 0))], NOW_MS)[0][3]
    assert told == [(*later, 0, 40, 0), (NOW_MS, 0, 60, 60, 0)]


def test_lines_are_taken_all_or_none(engine: Engine) -> None:
    grants = Grants(engine)
    short = grants.take([line(60), line(101, who="other")], NOW_MS)
    assert short is not None
    assert (short.line.who, short.granted, short.wait_ms) == ("other", 0, None)
    assert rows(engine) == []
    assert grants.take([line(60), line(100, who="other")], NOW_MS) is None
    grants.settle([(line(60), 9)])
    assert rows(engine) == [(0, 100, 0), (0, 9, 9)]


def test_how_long_until_it_fits(engine: Engine) -> None:
    grants = Grants(engine)
    first = Line(0, "money", "cost", "month", "team", NOW_MS - 50, NOW_MS + 10, 100, 70)
    assert grants.take([first], NOW_MS) is None
    short = grants.take([line(50, slot_ms=NOW_MS)], NOW_MS)
    assert short is not None
    assert short.wait_ms == 10


def test_many_at_once_get_no_more_than_there_is(engine: Engine) -> None:
    grants = Grants(engine)
    taken: list[bool] = []

    def work() -> None:
        for _ in range(10):
            try:
                taken.append(grants.take([line(10), line(3, who="b")], NOW_MS) is None)
            except SQLAlchemyError:  # SQLite's patience is at an end
                taken.append(False)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(taken), taken.count(True)) == (40, 10)
    assert rows(engine) == [(0, 30, 0), (0, 100, 0)]


def test_accounts_are_called_as_the_table_calls_them() -> None:
    assert account_of(SEPARATOR.join(("a", "cost", "sliding:2592000000", "x\x1fy"))) == (
        "a",
        "cost",
        "sliding:2.592e+06",
        "x\x1fy",
    )
