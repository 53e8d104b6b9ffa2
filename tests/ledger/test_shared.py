from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, text
from tests.gateway.gateway import free_port
from tests.store import postgres
from tests.store.valkey import Valkey, new_prefix, say

from dragoman.access.principal import ANONYMOUS
from dragoman.config.limiting import Limit
from dragoman.config.schema import Store as Settings
from dragoman.core import Hold, LedgerScope, Redis, Refused
from dragoman.driver import driven
from dragoman.errors import StoreError
from dragoman.ledger import alone as alone_module
from dragoman.ledger import shared as module
from dragoman.ledger.alone import HeldAlone
from dragoman.ledger.book import NANO, Asker, Book
from dragoman.ledger.hold import Shortage
from dragoman.ledger.shared import SILENT_S, SharedCounting
from dragoman.store.engine import open_store
from dragoman.store.tables import ledger as table

ASKER = Asker(ANONYMOUS, "m")
NOW_MS = 1_795_996_800_000
BUDGET = {"b": Limit(cost_usd=10)}


class Process:
    """One process's counting, and its limits."""

    def __init__(self, engine: Engine, redis: Redis, prefix: str, limits: dict[str, Limit]) -> None:
        self.prefix = prefix
        self.counting = SharedCounting(engine, redis, f"p{time.monotonic_ns()}")
        self.book = self.counting.book = Book(self.counting.ledger, self.counting)
        self.book.declare(limits)

    @property
    def scope(self) -> LedgerScope:
        found = self.book.scope(ASKER)
        assert found is not None
        return found

    def reserve(self, dollars: float = 0, tokens: int = 0) -> Any:
        """What the process answers."""

        async def main() -> Any:
            found: list[Any] = []
            loop = asyncio.get_running_loop()

            async def work() -> None:
                found.append(await self.counting.reserve(ASKER, self.scope, tokens, round(dollars * NANO), loop))

            await driven(work(), loop)
            return found[0]

        return asyncio.run(main())

    def held(self, dollars: float = 0) -> Hold:
        """A hold, counted in Redis."""
        hold = self.reserve(dollars)
        assert isinstance(hold, Hold)
        return hold

    @property
    def spent(self) -> list[float]:
        return [one.spent / NANO for one in self.counting.ledger.standings()]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("shared")
    with postgres.server(directory) as server, postgres.database(server) as url:
        yield url


@pytest.fixture
def engine(address: str, tmp_path: Path) -> Iterator[Engine]:
    store = open_store(Settings(url=address, data_dir=str(tmp_path)), {}, role="visitor")
    yield store.engine
    with store.engine.begin() as connection:
        connection.execute(table.delete())
    store.close()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Valkey]:
    """A server that the test may stop."""
    with Valkey(tmp_path) as started:
        yield started


Start = Callable[..., Process]


@pytest.fixture
def process(engine: Engine, valkey: str) -> Iterator[Start]:
    """Starts processes that share what they count."""
    prefix = new_prefix()
    with contextlib.ExitStack() as stack:

        def start(limits: dict[str, Limit], *, url: str = valkey, timeout_s: float = 1) -> Process:
            redis = Redis(url, prefix=prefix, timeout_s=timeout_s)
            assert redis.ready(10)
            started = Process(engine, redis, prefix, limits)
            stack.callback(started.counting.close)
            return started

        yield start


def written(engine: Engine) -> tuple[int, int]:
    """What is spent and granted, of all that the table has."""
    with engine.connect() as connection:
        rows = connection.execute(select(table.c.spent, table.c.claimed)).all()
    return sum(row.spent for row in rows), sum(row.claimed for row in rows)


def keys(url: str, process: Process, limit: str) -> list[str]:
    """The keys of a limit's accounts."""
    found = say(url, "KEYS", f"{{{process.prefix}}}:*:a:*:{limit}:*").decode().split("\r\n")
    return [key for key in found if limit in key]


def until(true: Callable[[], bool]) -> None:
    until_s = time.monotonic() + 20
    while not true() and time.monotonic() < until_s:
        time.sleep(0.01)
    assert true()


def test_two_processes_spend_one_budget(process: Start, engine: Engine) -> None:
    processes = [process(BUDGET), process(BUDGET)]
    holds: list[Any] = []

    def work(one: Process) -> None:
        for _ in range(12):
            holds.append(one.reserve(1))

    threads = [threading.Thread(target=work, args=(processes[number % 2],)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    good = [hold for hold in holds if isinstance(hold, Hold)]
    assert (len(good), len([one for one in holds if isinstance(one, Refused)])) == (10, 38)
    for hold in good:
        hold.settle(cost_nanousd=NANO)
    until(lambda: [one.spent for one in processes] == [[10], [10]])
    assert written(engine)[1] == 10 * NANO


def test_the_database_is_told_what_was_spent_and_what_is_not_needed(process: Start, engine: Engine) -> None:
    one = process(BUDGET)
    one.counting.start()
    for _ in range(3):
        one.held(2).settle(cost_nanousd=NANO // 100)
    until(lambda: written(engine)[0] == 3 * NANO // 100)
    until(lambda: written(engine)[1] <= 5 * NANO)
    one.held(5).release()


def test_what_was_granted_to_a_server_that_forgot_counts_as_spent(process: Start, engine: Engine, own: Valkey) -> None:
    one = process(BUDGET, url=own.url)
    one.held(2).settle(cost_nanousd=2 * NANO)
    under_way = one.held(1)
    granted = written(engine)[1] / NANO
    assert 3 <= granted <= 5
    own.kill()
    own.start()
    until(one.counting.ledger.beat)
    one.held(0.01).release()
    assert one.spent == [granted]
    under_way.settle(cost_nanousd=NANO)  # of another epoch: it has been counted
    assert one.spent == [granted]
    admitted = len([1 for _ in range(12) if isinstance(one.reserve(1), Hold)])
    assert admitted == int(10 - granted)


def test_what_was_evicted_is_asked_of_the_database_again(process: Start, valkey: str) -> None:
    one = process(BUDGET)
    one.held(4).settle(cost_nanousd=4 * NANO)
    for key in keys(valkey, one, "b"):
        say(valkey, "DEL", key)
    assert isinstance(one.reserve(7), Refused)
    one.held(0.1).release()
    assert one.spent[0] >= 4


def test_holds_of_a_process_that_was_killed_end(process: Start) -> None:
    limits = {"at-once": Limit(concurrent=2), "pace": Limit(requests=9, per="minute"), **BUDGET}
    killed, other = process(limits), process(limits)
    for one in (killed, other):
        one.counting.ledger.freeze(NOW_MS)
        assert one.counting.ledger.beat()
    holds = [killed.held(1), killed.held(1)]
    assert isinstance(other.reserve(1), Refused)
    assert other.counting.ledger.processes == 2
    other.counting.ledger.freeze(NOW_MS + round(SILENT_S * 1000) - 1)
    assert other.counting.ledger.beat()
    assert (other.counting.ledger.reaped, other.counting.ledger.held) == (0, 2 + 2 + 2 * NANO)
    other.counting.ledger.freeze(NOW_MS + round(SILENT_S * 1000))
    assert other.counting.ledger.beat()
    assert (other.counting.ledger.reaped, other.counting.ledger.held) == (2, 0)
    assert [one.spent for one in other.counting.ledger.standings()] == [0, 2, 2 * NANO]
    for hold in holds:
        hold.settle(cost_nanousd=5)  # too late: it changes nothing
    assert [one.spent for one in other.counting.ledger.standings()] == [0, 2, 2 * NANO]
    other.held(1).release()


def test_without_redis_budgets_are_asked_of_the_database(process: Start, engine: Engine, own: Valkey) -> None:
    one = process(BUDGET, url=own.url, timeout_s=0.05)
    one.held(3).settle(cost_nanousd=3 * NANO)
    granted = written(engine)[1] / NANO
    own.halt()
    holds = [one.reserve(1) for _ in range(10)]
    good = [hold for hold in holds if isinstance(hold, HeldAlone)]
    short = [hold for hold in holds if isinstance(hold, Shortage)]
    assert (len(good), len(short)) == (int(10 - granted), 10 - int(10 - granted))
    assert short[0].who == ""
    assert short[0].wait_s is not None
    assert "Redis does not answer" in one.counting.troubles[0]
    for hold in good:
        assert hold.settle(cost_nanousd=NANO // 2)
        assert not hold.settle(cost_nanousd=NANO)
    assert isinstance(one.reserve(9), Shortage)
    one.counting._write()
    assert written(engine)[1] / NANO == granted + len(good) / 2
    own.go_on()
    until(lambda: one.counting.redis.is_up)
    assert one.counting.troubles == []
    # What was spent meanwhile is found when the database is asked next.
    until(lambda: isinstance(one.reserve(9), Refused))
    assert len([1 for _ in range(10) if isinstance(one.reserve(1), Hold)]) == 10 - 3 - len(good) / 2


def test_without_redis_each_process_has_its_share_of_a_rate(process: Start, own: Valkey) -> None:
    limits = {"pace": Limit(requests=10, per="minute"), "soft": Limit(requests=1, per="minute", mode="shadow")}
    one, other = (process(limits, url=own.url, timeout_s=0.05) for _ in range(2))
    for each in (one, other, one):
        assert each.counting._beat()
    own.halt()
    for each in (one, other):
        answers = [each.reserve() for _ in range(8)]
        assert [isinstance(answer, HeldAlone) for answer in answers] == [True] * 5 + [False] * 3
        assert isinstance(answers[5], Shortage)
        assert each.book.rule(answers[5].rule).name == "pace"
        assert answers[0].requests_left == (5, 4, pytest.approx(60, abs=2))


def test_what_nobody_settles_without_redis_is_never_free(process: Start, engine: Engine, own: Valkey) -> None:
    one = process(BUDGET, url=own.url, timeout_s=0.05)
    own.halt()
    hold = one.reserve(2)
    assert isinstance(hold, HeldAlone)
    del hold
    one.counting._write()
    assert written(engine) == (2 * NANO, 2 * NANO)


def test_what_redis_is_not_told_it_is_told_later(process: Start, own: Valkey) -> None:
    limits = {"at-once": Limit(concurrent=2)}
    one = process(limits, url=own.url, timeout_s=0.05)
    one.counting.start()
    holds = [one.held(), one.held()]
    own.halt()
    for hold in holds:
        assert hold.settle()
    until(lambda: one.counting.ledger.unsettled == 2)
    own.go_on()
    until(lambda: one.counting.ledger.unsettled == 0)
    assert one.counting.ledger.held == 0


def test_a_request_that_was_given_up_holds_nothing(process: Start, own: Valkey) -> None:
    limits = {"at-once": Limit(concurrent=4)}
    one = process(limits, url=own.url, timeout_s=0.05)
    one.held().settle()
    own.halt()
    assert isinstance(one.reserve(), HeldAlone)  # what was asked of Redis lies there yet
    own.go_on()
    until(lambda: one.counting.redis.is_up)
    assert one.counting.ledger.beat()
    assert one.counting.ledger.held == 0


def test_without_the_database_what_is_granted_may_be_spent(process: Start, engine: Engine) -> None:
    one = process(BUDGET)
    one.held(1).release()  # and one more like it is granted
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE ledger RENAME TO elsewhere"))
    try:
        one.held(1.5).settle(cost_nanousd=NANO)
        with pytest.raises(StoreError, match="cannot be written"):
            one.reserve(5)
        assert "the database does not take figures" in one.counting.troubles[0]
        assert one.counting._write() is False
        one.held(0.2).settle(cost_nanousd=NANO // 10)
    finally:
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE elsewhere RENAME TO ledger"))
    assert one.counting._write()
    assert one.counting.troubles == []
    assert written(engine)[0] == 1.1 * NANO
    one.held(5).release()


def test_what_was_to_be_given_back_is_not_where_the_database_does_not_answer(process: Start, engine: Engine) -> None:
    one = process(BUDGET)
    one.held(8).settle()
    assert written(engine)[1] >= 8 * NANO
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE ledger RENAME TO elsewhere"))
    assert one.counting._write() is False
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO ledger"))
    one.held(9).release()


def test_a_value_of_another_kind_is_no_answer(process: Start, valkey: str) -> None:
    limits = {"pace": Limit(requests=10, per="minute")}
    one = process(limits)
    one.held().release()
    (key,) = keys(valkey, one, "pace")
    say(valkey, "SET", key, "what is this?")
    assert isinstance(one.reserve(), HeldAlone)
    assert one.counting.redis.is_up
    say(valkey, "DEL", key)
    one.held().release()


def test_levels_are_told_of_by_whoever_crosses_them(process: Start) -> None:
    limits = {"b": Limit(cost_usd=10, alert_at=(0.5,))}
    processes = [process(limits), process(limits)]
    for number in range(6):
        processes[number % 2].held(1).settle(cost_nanousd=NANO)
        until(lambda: processes[0].counting.ledger.held == 0)
    found = [one.counting.ledger.crossings() for one in processes]
    assert found == [[(0, "", 0.5, 5 * NANO)], []]


def test_what_is_not_enforced_waits_for_nobody(process: Start, engine: Engine) -> None:
    one = process({"soft": Limit(cost_usd=1, mode="shadow")})
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE ledger RENAME TO elsewhere"))
    first, second = one.held(0.8), one.held(0.8)
    assert (first.shadowed, len(second.shadowed)) == ([], 1)
    assert one.counting._write() is False
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO ledger"))
    for hold in (first, second):
        hold.settle(cost_nanousd=NANO)

    def told() -> bool:
        one.counting._write()
        return written(engine)[0] == 2 * NANO

    until(told)
    assert one.spent == [2]


def test_before_redis_has_said_how_many_there_are_there_may_be_as_many_as_workers(engine: Engine, own: Valkey) -> None:
    limits = {"pace": Limit(requests=10, per="minute")}
    own.halt()
    redis = Redis(own.url, timeout_s=0.05)
    one = Process(engine, redis, "x", limits)
    one.counting = SharedCounting(engine, redis, "p", workers=4)
    one.book = one.counting.book = Book(one.counting.ledger, one.counting)
    one.book.declare(limits)
    one.counting.meet(4)
    assert [isinstance(one.reserve(), HeldAlone) for _ in range(3)] == [True, True, False]
    assert "among 5 processes" in one.counting.troubles[0]


def test_who_leaves_with_something_held_is_left_to_fall_silent(process: Start) -> None:
    limits = {"at-once": Limit(concurrent=2)}
    one, other = process(limits), process(limits)
    for each in (one, other):
        each.counting.ledger.freeze(NOW_MS)
        assert each.counting.ledger.beat()
    hold = one.held()
    assert one.counting.ledger.leave()
    assert hold.is_open
    other.counting.ledger.freeze(NOW_MS + round(SILENT_S * 1000))
    assert other.counting.ledger.beat()
    assert (other.counting.ledger.reaped, other.counting.ledger.held) == (1, 0)


def test_others_that_count_elsewhere_are_not_joined(process: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MEET_WITHIN_S", 0.2)
    one = process(BUDGET)
    one.counting.meet(0)
    with pytest.raises(StoreError, match="none of them this Redis"):
        one.counting.meet(1)
    other = process(BUDGET)
    other.counting.meet(0)
    one.counting.meet(1)


@pytest.mark.parametrize(
    ("trouble", "cure"),
    [
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
        (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
    ],
)
def test_a_server_that_takes_nothing_is_none(
    process: Start, own: Valkey, trouble: tuple[str, ...], cure: tuple[str, ...]
) -> None:
    one = process({"at-once": Limit(concurrent=9), **BUDGET}, url=own.url)
    one.held(1).release()
    own.say(*trouble)
    alone = one.reserve(1)
    assert isinstance(alone, HeldAlone)
    assert one.counting.redis.reason in ("READONLY", "OOM")
    alone.settle(cost_nanousd=NANO)
    own.say(*cure)
    until(one.counting.ledger.beat)
    one.held(1).release()
    until(lambda: one.counting.ledger.held == 0)


def test_a_server_that_has_forgotten_the_scripts(process: Start, valkey: str) -> None:
    one = process(BUDGET)
    one.held(1).release()
    say(valkey, "SCRIPT", "FLUSH")
    one.held(1).release()
    assert one.counting.redis.failures == 0


def test_a_cluster_of_one_has_all_keys_in_one_slot(process: Start, tmp_path: Path) -> None:
    with Valkey(tmp_path, cluster_enabled="yes", cluster_port=str(free_port())) as server:
        server.say("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        until(lambda: b"cluster_state:ok" in server.say("CLUSTER", "INFO"))
        one = process({"at-once": Limit(concurrent=9), **BUDGET}, url=server.url)
        one.held(1).settle(cost_nanousd=NANO)
        assert one.counting._write()
        assert one.counting.ledger.beat()
        assert one.spent == [0, 1]


def test_a_database_that_hangs_is_not_waited_for(
    process: Start, engine: Engine, own: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.2)
    monkeypatch.setattr(alone_module, "PATIENCE_S", 0.2)
    one = process(BUDGET, url=own.url, timeout_s=0.05)
    with engine.connect() as connection:
        connection.execute(text("LOCK TABLE ledger"))
        with pytest.raises(StoreError, match="does not answer"):
            one.reserve(1)
        own.halt()
        with pytest.raises(StoreError, match="does not answer"):
            one.reserve(1)
        connection.rollback()

    def told() -> bool:
        one.counting._write()
        return written(engine)[1] in (0, 2 * NANO)  # of the first, what was wanted, if it was granted in time

    until(told)
    own.go_on()
    until(one.counting.ledger.beat)
    until(lambda: isinstance(one.reserve(0), Hold))  # once the first has had its time with the database
    one.held(1).release()
