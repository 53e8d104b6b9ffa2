from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import SQLAlchemyError

from dragoman.config.limiting import Limit
from dragoman.config.schema import Store as Settings
from dragoman.driver import driven
from dragoman.errors import StoreError
from dragoman.ledger.alone import Alone, Amounts, HeldAlone, Part, line_of
from dragoman.ledger.book import NANO, rules_of
from dragoman.ledger.grants import Grants
from dragoman.ledger.hold import Shortage
from dragoman.store.engine import open_store
from dragoman.store.tables import ledger as table

NOW_MS = 1_795_996_800_000  # 2026-11-30


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    store = open_store(Settings(data_dir=str(tmp_path)), {}, role="server")
    yield store.engine
    store.close()


@pytest.fixture
def alone(engine: Engine) -> Iterator[Alone]:
    with ThreadPoolExecutor(1) as thread:
        yield Alone(Grants(engine), thread)


def parts(**limits: Limit) -> list[Part]:
    rules = [rule for name, limit in limits.items() for rule in rules_of(name, limit)]
    return [Part(number + 7, "who", rule) for number, rule in enumerate(rules)]


def reserve(alone: Alone, of: list[Part], processes: int = 1, *, tokens: int = 0, dollars: float = 0) -> Any:
    async def main() -> Any:
        found: list[Any] = []
        loop = asyncio.get_running_loop()

        async def work() -> None:
            found.append(await alone.reserve(of, Amounts(1, tokens, round(dollars * NANO)), processes, loop))

        await driven(work(), loop)
        return found[0]

    return asyncio.run(main())


def granted(engine: Engine) -> list[tuple[int, int]]:
    with engine.connect() as connection:
        return [(row.spent, row.claimed) for row in connection.execute(select(table.c.spent, table.c.claimed))]


def test_a_process_has_its_share_of_what_is_not_written_down(alone: Alone) -> None:
    of = parts(pace=Limit(requests=10, tokens=1000, per="minute", concurrent=6))
    holds = [reserve(alone, of, 3, tokens=100) for _ in range(3)]
    assert [type(hold) for hold in holds] == [HeldAlone, HeldAlone, Shortage]
    assert (holds[2].rule, holds[2].who, holds[2].used, holds[2].wait_s) == (9, "who", 2, 1.0)  # of 6 at once
    assert holds[0].settle(tokens=1) and holds[1].settle(tokens=1)
    assert isinstance(reserve(alone, of, 3, tokens=332), Shortage)
    last = reserve(alone, of, 3, tokens=331)
    assert (last.requests_left[:2], last.tokens_left[:2]) == ((3, 0), (333, 0))
    assert alone.served == 3


def test_a_share_is_never_nothing(alone: Alone) -> None:
    of = parts(pace=Limit(requests=2, per="minute"))
    assert isinstance(reserve(alone, of, 16), HeldAlone)
    assert isinstance(reserve(alone, of, 16), Shortage)


def test_what_is_written_down_is_the_database_s(alone: Alone, engine: Engine) -> None:
    of = parts(pace=Limit(requests=5, per="minute"), money=Limit(cost_usd=3, per="ever"))
    holds = [reserve(alone, of, 2, dollars=2) for _ in range(2)]
    assert (holds[1].rule, holds[1].used, holds[1].asked, holds[1].wait_s) == (8, 2 * NANO, 2 * NANO, None)
    holds[0].settle(cost_nanousd=NANO)
    alone.write()
    assert granted(engine) == [(NANO, NANO)]
    # What the database refused was not counted here either.
    assert isinstance(reserve(alone, of, 2, dollars=2), HeldAlone)


def test_what_is_not_enforced_is_not_counted(alone: Alone, engine: Engine) -> None:
    soft = {"mode": "shadow", "per": "day"}
    hold = reserve(alone, parts(soft=Limit(requests=1, cost_usd=1, **soft)), dollars=9)  # type: ignore[arg-type]
    assert hold.settle() is False
    assert granted(engine) == []


def test_without_the_database_either_budgets_are_closed(alone: Alone, engine: Engine) -> None:
    of = parts(pace=Limit(requests=1, per="minute"), money=Limit(cost_usd=3))
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE ledger RENAME TO elsewhere"))
    with pytest.raises(StoreError, match="cannot be written down"):
        reserve(alone, of)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO ledger"))
    hold = reserve(alone, of, dollars=1)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE ledger RENAME TO elsewhere"))
    hold.settle()
    with pytest.raises(SQLAlchemyError):
        alone.write()
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO ledger"))
    alone.write()
    assert granted(engine) == [(0, 0)]
    alone.sweep()


@pytest.mark.parametrize(
    ("limit", "period", "slot"),
    [
        (Limit(cost_usd=1, per="ever"), "ever", (0, 0)),
        (Limit(cost_usd=1, per="day"), "day", (NOW_MS, NOW_MS + 86_400_000)),
        (Limit(cost_usd=1, per="day", sliding=True), "sliding:86400", (NOW_MS, NOW_MS + 87_840_000)),
    ],
)
def test_lines(limit: Limit, period: str, slot: tuple[int, int]) -> None:
    (part,) = parts(money=limit)
    line = line_of(part, Amounts(1, 2, 3), NOW_MS + 5)
    assert (line.period, line.slot_ms, line.ends_ms) == (period, *slot)
    assert (line.rule, line.amount, line.most, line.account) == (7, 3, NANO, ("money", "cost", period, "who"))
