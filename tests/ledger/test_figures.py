from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, insert, select, text

from dragoman.access.principal import ANONYMOUS
from dragoman.config.limiting import Limit
from dragoman.config.schema import Store as Settings
from dragoman.core import Hold, Ledger, LedgerScope
from dragoman.errors import StoreError
from dragoman.ledger.book import NANO, Asker, Book
from dragoman.ledger.figures import KEPT_MS, Figures
from dragoman.store.engine import Store, open_store
from dragoman.store.tables import ledger as table

BUDGET = {"b": Limit(cost_usd=10)}


@pytest.fixture
def store(tmp_path: object) -> Iterator[Store]:
    opened = open_store(Settings(data_dir=f"{tmp_path}/data"), {}, role="server")
    yield opened
    opened.close()


def opened(engine: Engine) -> tuple[Book, Figures, LedgerScope]:
    """A process's ledger, with a budget of 10 dollars."""
    ledger = Ledger()
    figures = Figures(engine, ledger)
    book = Book(ledger, figures)
    book.declare(BUDGET)
    scope = book.scope(Asker(ANONYMOUS, "m"))
    assert scope is not None
    return book, figures, scope


def held(book: Book, figures: Figures, scope: LedgerScope, dollars: float) -> Hold:
    """A hold, after what is claimed for it has been written."""
    cost_nanousd = round(dollars * NANO)
    hold = book.ledger.reserve(scope, cost_nanousd=cost_nanousd)
    if hold is None:
        figures._write()
        hold = book.ledger.reserve(scope, cost_nanousd=cost_nanousd)
    assert isinstance(hold, Hold)
    return hold


def written(engine: Engine) -> list[tuple[int, int]]:
    with engine.connect() as connection:
        return [(row.spent, row.claimed) for row in connection.execute(select(table.c.spent, table.c.claimed))]


def test_an_orderly_end_leaves_what_was_spent(store: Store) -> None:
    book, figures, scope = opened(store.engine)
    held(book, figures, scope, 2).settle(cost_nanousd=NANO)
    figures.close()
    assert written(store.engine) == [(NANO, NANO)]
    book, figures, scope = opened(store.engine)
    assert [one.spent for one in book.ledger.standings(scope)] == [NANO]
    figures.close()


def test_after_a_crash_what_was_claimed_is_spent(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    book, figures, scope = opened(store.engine)
    hold = held(book, figures, scope, 2)
    ((spent, claimed),) = written(store.engine)
    assert spent == 0
    assert 2 * NANO <= claimed <= 4 * NANO
    book, _, scope = opened(store.engine)
    assert [one.spent for one in book.ledger.standings(scope)] == [claimed]
    assert "was killed" in caplog.text
    hold.settle()


def test_what_is_claimed_in_vain_is_given_back(store: Store) -> None:
    book, figures, scope = opened(store.engine)
    for hold in [held(book, figures, scope, 1) for _ in range(5)]:
        hold.settle(cost_nanousd=0)
    figures._write()
    ((_, claimed),) = written(store.engine)
    assert claimed <= 2 * NANO
    figures.close()


def test_figures_are_written_by_themselves(store: Store) -> None:
    book, figures, scope = opened(store.engine)
    hold = held(book, figures, scope, 2)
    figures.start()
    hold.settle(cost_nanousd=NANO)
    until_s = time.monotonic() + 20
    while written(store.engine)[0][0] != NANO and time.monotonic() < until_s:
        time.sleep(0.02)
    assert written(store.engine)[0][0] == NANO
    figures.close()


def test_a_request_waits_for_the_database(store: Store) -> None:
    book, figures, scope = opened(store.engine)
    assert book.ledger.reserve(scope, cost_nanousd=NANO) is None

    async def claimed() -> None:
        await figures.claim_on_loop(asyncio.get_running_loop())

    asyncio.run(claimed())
    assert isinstance(book.ledger.reserve(scope, cost_nanousd=NANO), Hold)
    figures.close()


def test_a_database_that_refuses(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    book, figures, scope = opened(store.engine)
    with store.engine.begin() as connection:
        connection.execute(text("ALTER TABLE ledger RENAME TO elsewhere"))
    assert book.ledger.reserve(scope, cost_nanousd=NANO) is None
    for _ in range(2):
        with pytest.raises(StoreError, match="cannot be written"):
            figures._write()
    assert (figures.is_healthy, figures.failures) == (False, 2)
    assert caplog.text.count("cannot be written") == 1
    assert book.ledger.reserve(scope, cost_nanousd=NANO) is None
    with store.engine.begin() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO ledger"))
    figures._write()
    assert figures.is_healthy
    assert isinstance(book.ledger.reserve(scope, cost_nanousd=NANO), Hold)
    figures.close()


def test_figures_that_cannot_be_read_stop_the_start(store: Store) -> None:
    with store.engine.begin() as connection:
        connection.execute(text("DROP TABLE ledger"))
    with pytest.raises(StoreError, match="cannot be read"):
        Figures(store.engine, Ledger())


def test_periods_that_are_over_count_nothing_and_are_forgotten(store: Store) -> None:
    now_ms = Ledger().now_ms
    row = {"name": "b", "measure": "cost", "period": "month", "who": "", "spent": 5, "claimed": 5}
    with store.engine.begin() as connection:
        for slot_ms, ends_ms in ((1, now_ms - 1), (2, now_ms - KEPT_MS - 1)):
            connection.execute(insert(table).values(slot_ms=slot_ms, ends_ms=ends_ms, **row))
    book, figures, scope = opened(store.engine)
    assert [one.spent for one in book.ledger.standings(scope)] == [0]
    figures._forget()
    with store.engine.connect() as connection:
        assert connection.execute(select(table.c.slot_ms)).scalars().all() == [1]
    figures.close()
