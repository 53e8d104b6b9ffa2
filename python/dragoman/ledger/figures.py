"""What limits have counted, in the database.

A figure is written before what it stands for is spent (``claimed``), so a process that is killed leaves nothing out:
the next takes all that was claimed for spent, at most a hundredth of a limit or one request too much, and says so.
Whoever ends in order leaves the figures as they are.

Nobody waits for the database but a request that comes before its limit has been claimed: the first of a period. While
the database cannot be written, requests are served within what is claimed, and refused beyond it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from dragoman.driver import OnLoop
from dragoman.errors import StoreError, Uncertain
from dragoman.store.tables import ledger as table
from dragoman.store.transaction import in_transaction

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from dragoman.core import Hold, Ledger, LedgerScope, Pricing, Refused, RequestBody
    from dragoman.ledger.book import Asker, Rule

log = logging.getLogger("dragoman.ledger")

WRITE_EVERY_S = 0.1
SWEEP_EVERY_S = 60.0
ROWS_A_STATEMENT = 200
# Figures of periods that are over are kept for reports.
KEPT_MS = 400 * 86_400_000
NEVER_MS = 2**62
Row = tuple[int, str, int, int, int, int | None]
"""Of the ledger's: rule, who, slot, spent, claimed, when it no longer counts."""


class Figures:
    """The figures of one process's ledger. ``start`` it in the process that serves."""

    def __init__(self, engine: Engine, ledger: Ledger) -> None:
        self._engine = engine
        self._ledger = ledger
        self._rules: dict[int, Rule] = {}
        self._before: dict[tuple[str, str, str], list[tuple[str, int, int, int]]] = defaultdict(list)
        self._thread = ThreadPoolExecutor(1, "ledger")
        self._stopped = threading.Event()
        self._beat = threading.Thread(target=self._write_often, name="ledger-beat", daemon=True)
        self._failing = False
        self.failures = 0
        self.on_write: Callable[[], None] = _nothing
        self._load()

    def _load(self) -> None:
        """What the last process left. A claim that it did not use is taken for spent."""
        query = select(table).where(table.c.ends_ms > self._ledger.now_ms)
        ahead = 0
        try:
            with self._engine.connect() as connection:
                for row in connection.execute(query).mappings():
                    key = (row["name"], row["measure"], row["period"])
                    self._before[key].append((row["who"], row["slot_ms"], row["spent"], row["claimed"]))
                    ahead += row["claimed"] > row["spent"]
        except SQLAlchemyError as error:
            raise StoreError(f"the limits' figures cannot be read: {_reason(error)}") from error
        if ahead:
            log.warning(
                "the last process was killed: of %d limits more is taken for spent than is known to be: what was under "
                "way, and at most a hundredth of each, or one request",
                ahead,
            )

    def restore(self, number: int, rule: Rule) -> None:
        """Know a rule, and give it what was counted for it before this start, once."""
        self._rules[number] = rule
        rows = self._before.pop((rule.name, rule.measure, rule.period), [])
        self._ledger.restore([(number, who, slot_ms, spent, claimed, None) for who, slot_ms, spent, claimed in rows])

    def start(self) -> None:
        """Begin to write."""
        self._beat.start()

    @property
    def is_healthy(self) -> bool:
        """Whether the database takes figures."""
        return not self._failing

    @property
    def troubles(self) -> list[str]:
        """What does not work as it should."""
        return ["the database does not take figures; what is not claimed is refused"] if self._failing else []

    def take(self, scope: LedgerScope, priced: tuple[Pricing, RequestBody], given: int, unsaid: int) -> Hold | None:
        """Hold what a chat may come to. ``None``: it is refused, or has to be written down first."""
        return self._ledger.take(scope, priced, given, unsaid)

    def reserve_now(self, scope: LedgerScope, tokens: int, cost_nanousd: int) -> Hold | Refused | None:
        """Hold what a request may come to, or say what refuses it; ``None``: it has to be written down first."""
        return self._ledger.reserve(scope, tokens=tokens, cost_nanousd=cost_nanousd)

    async def reserve(
        self, asker: Asker, scope: LedgerScope, tokens: int, cost_nanousd: int, loop: AbstractEventLoop
    ) -> Hold | Refused:
        """The same, waiting; for a coroutine that a driver runs.

        Raises:
            StoreError: the database does not take what is claimed for it.
        """
        while (answer := self.reserve_now(scope, tokens, cost_nanousd)) is None:
            await self.claim(loop)
        return answer

    async def claim(self, loop: AbstractEventLoop) -> None:
        """Write down what is claimed, for a request that waits for it; for a coroutine that a driver runs.

        Raises:
            StoreError: the database does not take it.
        """
        await OnLoop(self.claim_on_loop(loop))

    async def claim_on_loop(self, loop: AbstractEventLoop) -> None:
        """The same, for what runs on the event loop.

        Raises:
            StoreError: the database does not take it.
        """
        await loop.run_in_executor(self._thread, self._write)

    def _write_often(self) -> None:
        swept_s = time.monotonic()
        while not self._stopped.wait(WRITE_EVERY_S):
            with suppress(StoreError):
                self._thread.submit(self._write).result()
            self.on_write()
            if time.monotonic() - swept_s > SWEEP_EVERY_S:
                swept_s = time.monotonic()
                self._ledger.sweep()
                self._thread.submit(self._forget)

    def _write(self) -> None:
        rows = self._ledger.unsaved()
        if not rows:
            return
        self._upsert(rows)
        self._ledger.saved(rows)

    def _upsert(self, rows: list[Row]) -> None:
        dialect: Any = postgresql if self._engine.dialect.name == "postgresql" else sqlite

        def upsert(connection: Connection) -> None:
            for start in range(0, len(rows), ROWS_A_STATEMENT):
                written = dialect.insert(table).values(list(self._values(rows[start : start + ROWS_A_STATEMENT])))
                changed = {name: written.excluded[name] for name in ("spent", "claimed", "ends_ms")}
                keys = [column.name for column in table.primary_key]
                connection.execute(written.on_conflict_do_update(index_elements=keys, set_=changed))

        try:
            in_transaction(self._engine, upsert)
        except (SQLAlchemyError, Uncertain) as error:
            self.failures += 1
            if not self._failing:
                log.error("the limits' figures cannot be written: %s", _reason(error))
            self._failing = True
            raise StoreError("the limits' figures cannot be written") from error
        self._failing = False

    def _values(self, rows: list[Row]) -> Iterator[dict[str, Any]]:
        for number, who, slot_ms, spent, claimed, ends_ms in rows:
            rule = self._rules[number]
            yield {
                "name": rule.name,
                "measure": rule.measure,
                "period": rule.period,
                "who": who,
                "slot_ms": slot_ms,
                "ends_ms": NEVER_MS if ends_ms is None else ends_ms,
                "spent": spent,
                "claimed": claimed,
            }

    def _forget(self) -> None:
        """Delete figures that nobody asks for any more."""
        try:
            with self._engine.begin() as connection:
                connection.execute(delete(table).where(table.c.ends_ms < self._ledger.now_ms - KEPT_MS))
        except SQLAlchemyError as error:
            log.warning("old figures of limits cannot be deleted: %s", _reason(error))

    def close(self) -> None:
        """Leave the figures as they are."""
        self._stopped.set()
        if self._beat.is_alive():
            self._beat.join()
        self.on_write()
        try:
            self._thread.submit(self._upsert, self._ledger.closing()).result()
        except StoreError:
            log.error("the limits' figures of the last seconds are not written: what was claimed will count as spent")
        self._thread.shutdown()


def _nothing() -> None:
    """Nobody wants to know."""


def _reason(error: Exception) -> str:
    return str(error.orig if isinstance(error, DBAPIError) else error)
