"""The ledger of several processes: counted in Redis, granted by the database ahead of the spending.

A request waits for Redis, for half a millisecond or so; and for the database where nothing that is granted of its limit
is left, as the first of a period does, and those that come faster than is granted in the background. While Redis does
not answer, :mod:`.alone` says what holds; while the database does not, what is granted is spent, and no more.

Holds of a process that was killed are ended by the others within :data:`SILENT_S`, at what they held: what their
requests came to nobody knows, and they may have been sent.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from dragoman.driver import OnLoop
from dragoman.errors import StoreError, Uncertain
from dragoman.ledger.alone import Alone, Amounts, Part
from dragoman.ledger.grants import Grants

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Sequence

    from dragoman.core import Hold, LedgerScope, Pricing, Redis, Refused, RequestBody, SharedLedger
    from dragoman.ledger.alone import HeldAlone
    from dragoman.ledger.book import Asker, Book, Rule
    from dragoman.ledger.grants import Errand
    from dragoman.ledger.hold import Shortage

log = logging.getLogger("dragoman.ledger")

WRITE_EVERY_S = 0.1
BEAT_EVERY_S = 1.0
SWEEP_EVERY_S = 60.0
SILENT_S = 15.0
"""Of Rust's: a process that has not been heard of for so long has ended."""
# Requests that wait for the database at the same time.
CLAIMING_THREADS = 4
# What is granted may be spent by others before it is held, and a database may hang: no request waits for longer.
PATIENCE_S = 3.0
# Others say that they live every second, also to a Redis that has forgotten it.
MEET_WITHIN_S = 3.0


class SharedCounting:
    """Counting in Redis, for one process."""

    def __init__(self, engine: Engine, redis: Redis, process: str, workers: int = 1) -> None:
        self._met = workers  # processes that there are, as far as is known without Redis
        self._is_heard = False
        self.redis = redis
        self.ledger: SharedLedger = redis.ledger(process)
        self.failures = 0
        self.on_write: Callable[[], None] = _nothing
        self.book: Book | None = None  # who knows what a request falls under, when Redis does not answer
        self._threads = ThreadPoolExecutor(CLAIMING_THREADS, "ledger")
        self._grants = Grants(engine)
        self.alone = Alone(self._grants, self._threads)
        self._stopped = threading.Event()
        self._beats = [
            threading.Thread(target=work, name=name, daemon=True)
            for name, work in (("ledger-beat", self._beat_often), ("ledger-write", self._write_often))
        ]
        self._failing = False
        self._was_up = True

    def restore(self, number: int, rule: Rule) -> None:
        """Nothing: an account is granted what the table says when it is first asked for."""

    def meet(self, others: int) -> None:
        """See that other servers that share the database count here as well. What cannot be seen now is taken for so.

        Raises:
            StoreError: none of them does.
        """
        until_s = time.monotonic() + MEET_WITHIN_S
        self._met = max(self._met, others + 1)
        while self._beat() and others and self.ledger.processes == 1:
            if time.monotonic() > until_s:
                self.ledger.leave()
                raise StoreError(
                    "other servers use this database, and none of them this Redis: give all of them the same redis.url "
                    "and redis.prefix"
                )
            time.sleep(WRITE_EVERY_S)

    def start(self) -> None:
        """Begin to live, as others see it."""
        for thread in self._beats:
            thread.start()

    @property
    def troubles(self) -> list[str]:
        """What does not work as it should."""
        found = []
        if self._failing:
            found.append("the database does not take figures; what is not granted is refused")
        if self.redis.evicts:
            found.append("Redis may evict what was counted: set its maxmemory-policy to noeviction")
        if not self.redis.is_up:
            shares = f"rate limits are shared out among {self._processes} processes"
            found.append(f"Redis does not answer ({self.redis.reason}); {shares}, and budgets asked of the database")
        return found

    def take(self, scope: LedgerScope, priced: tuple[Pricing, RequestBody], given: int, unsaid: int) -> None:
        """Nothing: Redis has to be asked."""

    def reserve_now(self, scope: LedgerScope, tokens: int, cost_nanousd: int) -> None:
        """Nothing: Redis has to be asked."""

    async def reserve(
        self, asker: Asker, scope: LedgerScope, tokens: int, cost_nanousd: int, loop: AbstractEventLoop
    ) -> Hold | HeldAlone | Refused | Shortage:
        """Hold what a request may come to, or say what refuses it; for a coroutine that a driver runs.

        Raises:
            StoreError: the database does not grant what is needed for it.
        """
        until_s = time.monotonic() + PATIENCE_S
        claimed = [True]
        while claimed[-1] and time.monotonic() < until_s:
            answer = await self.ledger.reserve(scope, tokens=tokens, cost_nanousd=cost_nanousd)
            if answer is None:
                break
            if not isinstance(answer, list):
                return answer
            await OnLoop(self._claim(answer, claimed, loop))
        assert self.book is not None  # noqa: S101 - it is told before anything is served
        parts = [Part(number, who, self.book.rule(number)) for number, who in self.book.parts(asker)]
        return await self.alone.reserve(parts, Amounts(1, tokens, cost_nanousd), self._processes, loop)

    @property
    def _processes(self) -> int:
        """How many count here: as Redis said last, or before it said anything, as many as there may be."""
        return self.ledger.processes if self._is_heard else self._met

    def _beat(self) -> bool:
        is_up = self.ledger.beat()
        self._is_heard = self._is_heard or is_up
        return is_up

    async def _claim(self, errands: Sequence[Errand], claimed: list[bool], loop: AbstractEventLoop) -> None:
        running = asyncio.wrap_future(self._threads.submit(self._run, errands), loop=loop)
        try:
            claimed.append(await asyncio.wait_for(running, PATIENCE_S))
        except TimeoutError:  # what it is granted yet is there for the next
            raise StoreError("the database does not answer") from None

    def _run(self, errands: Sequence[Errand]) -> bool:
        """Ask the database, and tell Redis what it says. False: Redis does not take it.

        Raises:
            StoreError: it says nothing.
        """
        try:
            granted = self._grants.answer(errands, self.ledger.now_ms)
        except (SQLAlchemyError, Uncertain) as error:
            self.failures += 1
            if not self._failing:
                log.error("the limits' figures cannot be written: %s", _reason(error))
            self._failing = True
            if not isinstance(error, Uncertain):
                self._undo(errands)
            raise StoreError("the limits' figures cannot be written") from error
        self._failing = False
        return self.ledger.grant(granted)

    def _undo(self, errands: Sequence[Errand]) -> None:
        """Nothing was written: what was to be given back is not."""
        undone = [
            (key, token, name, [(slot_ms, ends_ms, back, -1, 0) for slot_ms, ends_ms, _, _, back, _ in slots])
            for key, token, name, _, _, slots in errands
        ]
        self.ledger.grant(undone)

    def _write_often(self) -> None:
        swept_s = time.monotonic()
        while not self._stopped.wait(WRITE_EVERY_S):
            self._write()
            self.on_write()
            if time.monotonic() - swept_s > SWEEP_EVERY_S:
                swept_s = time.monotonic()
                self.alone.sweep()

    def _write(self) -> bool:
        """Tell the database what there is to tell. False: there was nothing, or it does not listen."""
        try:
            self.alone.write()
            errands = self.ledger.collect() if self.redis.is_up else []
            if errands:
                self._run(errands)
        except (StoreError, SQLAlchemyError):
            return False
        return bool(errands)

    def _beat_often(self) -> None:
        while not self._stopped.wait(BEAT_EVERY_S):
            is_up = self._beat()
            if is_up != self._was_up:
                if is_up:
                    log.warning("Redis answers again")
                else:
                    log.error("Redis does not answer: limits are counted by each process alone")
            self._was_up = is_up

    def close(self) -> None:
        """Tell what is still to be told, and leave."""
        self._stopped.set()
        for thread in self._beats:
            if thread.is_alive():
                thread.join()
        self.ledger.leave()
        self.on_write()
        until_s = time.monotonic() + 1
        while self._write() and time.monotonic() < until_s:
            pass
        self._threads.shutdown()


def _nothing() -> None:
    """Nobody wants to know."""


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error.__cause__ or error)
