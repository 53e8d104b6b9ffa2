"""Whoever gives up while a store's reply is pending leaves nobody else with it (catalogue S14).

What waits for PostgreSQL is a thread, and has a connection to itself until the reply has been read: a coroutine that is
cancelled leaves its thread to that, and a statement that is cancelled ends in an error of its own. What waits for Redis
shares one connection with all others. (``rust/wire/tests/cancelled_redis.rs`` gives up inside the client.)
``DRAGOMAN_CANCELS`` says how many operations there are.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError
from tests.store import postgres

from dragoman.core import Redis
from dragoman.driver import Driver

OPERATIONS = int(os.environ.get("DRAGOMAN_CANCELS", "8000"))
AT_ONCE = 32
THREADS = 8
TENANTS = ("a", "b")
ECHO = text("SELECT CAST(:said AS text) FROM (SELECT pg_sleep(:pause_s)) AS pause")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with postgres.server(tmp_path) as server, postgres.database(server) as url:
        engine = create_engine(url, pool_pre_ping=True, pool_size=THREADS)
        yield engine
        engine.dispose()


class Asking:
    """Questions to PostgreSQL, each on a thread, and statements that are cancelled under them."""

    def __init__(self, engine: Engine) -> None:
        self.counts: Counter[str] = Counter()
        self._engine = engine
        self._lock = threading.Lock()
        self._running: dict[int, Any] = {}  # connections of the driver

    def ask(self, said: str, pause_s: float) -> str:
        """What the database says to a tenant's question, after a while: the same."""
        try:
            with self._engine.connect() as connection, self._cancelled(connection.connection.driver_connection):
                told = connection.execute(ECHO, {"said": said, "pause_s": pause_s})
                answer = str(told.scalar_one())
                connection.commit()
        except DBAPIError:  # also where the pool was looking whether the connection lives
            return "cancelled"
        assert answer == said, "another's reply"
        return "answered"

    @contextlib.contextmanager
    def _cancelled(self, connection: Any) -> Iterator[None]:
        with self._lock:
            self._running[id(connection)] = connection
        try:
            yield
        finally:
            with self._lock:  # whoever cancels has done so by now
                del self._running[id(connection)]

    def cancel_one(self, chance: Random) -> None:
        """Cancel whatever one of them has under way."""
        with self._lock:
            if self._running:
                self._running[chance.choice(list(self._running))].cancel()

    async def client(self, number: int, pool: ThreadPoolExecutor) -> None:
        """Questions of both tenants, one after the other, of which some are given up."""
        chance, loop = Random(number), asyncio.get_running_loop()
        for question in range(number, OPERATIONS, AT_ONCE):
            pause_s = chance.choice((*[0.0] * 19, 0.002))
            asked = loop.run_in_executor(pool, self.ask, f"{chance.choice(TENANTS)}:{question}", pause_s)
            waiting = asyncio.ensure_future(asyncio.wait_for(asyncio.shield(asked), chance.choice((30, 30, 0.0005))))
            if chance.random() < 0.1:
                loop.call_later(chance.random() / 1000, waiting.cancel)
            if chance.random() < 0.02:
                await asyncio.to_thread(self.cancel_one, chance)
            try:
                self.counts[await waiting] += 1
            except (asyncio.CancelledError, TimeoutError):
                self.counts["given up"] += 1
                self.counts[f"{await asked} to nobody"] += 1


def test_what_postgresql_answers_is_the_asker_s(engine: Engine, say: Callable[[str], None]) -> None:
    asking = Asking(engine)

    async def main() -> None:
        await asyncio.gather(*(asking.client(number, pool) for number in range(AT_ONCE)))

    with ThreadPoolExecutor(THREADS) as pool:
        asyncio.run(main())
    counts = asking.counts
    assert counts["answered"] + counts["cancelled"] + counts["given up"] == OPERATIONS
    assert counts["answered"]
    assert counts["given up"]
    told = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
    say(f"PostgreSQL, {OPERATIONS} operations of two tenants: {told}; 0 got another's reply")


class Turns:
    """Commands to Redis on one connection, each waited for by a coroutine that may be closed meanwhile."""

    def __init__(self, redis: Redis) -> None:
        self.counts: Counter[str] = Counter()
        self._redis = redis

    async def ask(self, name: str) -> None:
        """A tenant's value: it says whose it is."""
        found = await self._redis.get(name.encode())
        assert found == f"of {name}".encode(), "another's reply"
        self.counts["answered"] += 1


def test_what_redis_answers_is_the_asker_s(redis: Redis, say: Callable[[str], None]) -> None:
    chance, turns, loop = Random(1), Turns(redis), asyncio.new_event_loop()
    names = [f"{tenant}:{number}" for tenant in TENANTS for number in range(50)]
    for name in names:
        redis.put(name.encode(), f"of {name}".encode(), 3600)
    gone = 0
    failed: list[BaseException] = []

    class Ended:
        def __init__(self, room: threading.Semaphore) -> None:
            self._room = room

        def done(self) -> None:
            self._room.release()

        def err(self, error: BaseException) -> None:
            failed.append(error)
            self._room.release()

    room = threading.Semaphore(AT_ONCE)
    for _ in range(OPERATIONS):
        coroutine = turns.ask(chance.choice(names))
        if chance.random() < 0.3:
            coroutine.send(None)
            coroutine.close()  # its reply is pending, and comes to nobody
            gone += 1
        else:
            room.acquire()
            Driver(coroutine, Ended(room), loop).start()
    for _ in range(AT_ONCE):
        assert room.acquire(timeout=30)
    loop.close()
    assert failed == []
    assert turns.counts["answered"] == OPERATIONS - gone
    assert redis.failures == 0
    answered = turns.counts["answered"]
    say(f"Redis, {OPERATIONS} operations of two tenants: {answered} answered, {gone} given up; 0 got another's reply")
