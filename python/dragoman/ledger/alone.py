"""Holding while Redis does not answer: what a process can be sure of by itself.

What is durable is asked of the database, request by request: slower, and never overspent. Rates and concurrency are
counted here, within this process's share of each limit: the limit divided by the processes that there were, so that all
of them together admit no more than it (and one request each, where it is less than that). What is not enforced is not
counted. When Redis is back, what was counted here is not counted there: of a minute's requests so many may come again.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct
from sqlalchemy.exc import SQLAlchemyError

from dragoman.core import Hold, Ledger, Refused, period_slot
from dragoman.driver import OnLoop
from dragoman.errors import StoreError, Uncertain
from dragoman.ledger.grants import Grants, Line, Short
from dragoman.ledger.hold import Shortage

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Iterable
    from concurrent.futures import Executor

    from dragoman.ledger.book import Rule

log = logging.getLogger("dragoman.ledger")
MOST_WAITING = 100_000
# A database may hang: no request waits for longer.
PATIENCE_S = 3.0


class Part(NamedTuple):
    """A rule that a request falls under, by the shared ledger's number, and for whom it counts."""

    number: int
    who: str
    rule: Rule


class Amounts(Struct, frozen=True):
    """What a request comes to."""

    requests: int
    tokens: int
    cost_nanousd: int

    def of(self, measure: str) -> int:
        """As a rule counts it."""
        return {"requests": self.requests, "tokens": self.tokens, "cost": self.cost_nanousd, "concurrent": 1}[measure]


class HeldAlone:
    """What is held for one request, here and by the database. One that is dropped counts as it was held."""

    def __init__(self, alone: Alone, here: Hold | None, lines: list[Line]) -> None:
        self._alone = alone
        self._here = here
        self._lines = lines
        self._lock = threading.Lock()
        self.shadowed: list[int] = []
        self.requests_left = None if here is None else here.requests_left
        self.tokens_left = None if here is None else here.tokens_left

    def headers(self) -> list[tuple[str, str]]:
        """What is left, as OpenAI's clients are told of it."""
        return [] if self._here is None else self._here.headers()

    def settle(self, *, tokens: int = 0, cost_nanousd: int = 0, requests: int = 1) -> bool:
        """Put what was used in its place, once."""
        lines = self._take()
        if lines is None:
            return False
        if self._here is not None:
            self._here.settle(tokens=tokens, cost_nanousd=cost_nanousd, requests=requests)
        used = Amounts(requests, tokens, cost_nanousd)
        self._alone.end((line, used.of(line.measure)) for line in lines)
        return True

    def _take(self) -> list[Line] | None:
        with self._lock:
            lines, self._lines = self._lines, []
            here = self._here is not None and self._here.is_open
        return lines if lines or here else None

    def __del__(self) -> None:
        """One that nobody settled is never free: what it held is granted, and now it is spent."""
        self._alone.end((line, line.amount) for line in self._take() or [])


class Alone:
    """One process, without Redis."""

    def __init__(self, grants: Grants, thread: Executor) -> None:
        self.served = 0  # requests, for metrics
        self._grants = grants
        self._thread = thread
        self._ledger = Ledger()
        self._ended: deque[tuple[Line, int]] = deque()

    async def reserve(
        self,
        parts: list[Part],
        amounts: Amounts,
        processes: int,
        loop: AbstractEventLoop,
    ) -> HeldAlone | Shortage:
        """Hold what a request may come to, or say what refuses it; for a coroutine that a driver runs.

        Raises:
            StoreError: the database does not answer either.
        """
        enforced = [part for part in parts if part.rule.enforced]
        here = self._hold_here([part for part in enforced if not part.rule.is_durable], amounts, processes)
        if isinstance(here, Shortage):
            return here
        now_ms = self._ledger.now_ms
        lines = [line_of(part, amounts, now_ms) for part in enforced if part.rule.is_durable]
        if lines:
            short: list[Short | None] = []

            async def take() -> None:
                taking = self._thread.submit(self._take, lines, now_ms)
                try:
                    short.append(await asyncio.wait_for(asyncio.wrap_future(taking, loop=loop), PATIENCE_S))
                except TimeoutError:
                    taking.add_done_callback(partial(self._give_back, lines))
                    raise StoreError("the database does not answer") from None

            try:
                await OnLoop(take())
            except StoreError:
                _release(here)
                raise
            if short[0] is not None:
                _release(here)
                return _shortage(short[0])
        self.served += 1
        return HeldAlone(self, here, lines)

    def _give_back(self, lines: list[Line], taken: Future[Short | None]) -> None:
        """What was granted after all, to a request that was not served."""
        if not taken.cancelled() and taken.exception() is None and taken.result() is None:
            self.end((line, 0) for line in lines)

    def _hold_here(self, parts: list[Part], amounts: Amounts, processes: int) -> Hold | Shortage | None:
        if not parts:
            return None
        shares: list[tuple[int, str]] = []
        numbers: dict[int, int] = {}  # theirs, by ours
        for number, who, rule in parts:
            most = max(1, rule.most // processes)
            period = rule.per if rule.sliding_s is None else "sliding"
            own = self._ledger.rule(rule.name, rule.measure, most, period=period, sliding_s=rule.sliding_s)
            shares.append((own, who))
            numbers[own] = number
        answer = self._ledger.reserve(
            self._ledger.scope(shares), tokens=amounts.tokens, cost_nanousd=amounts.cost_nanousd
        )
        if isinstance(answer, Refused):
            return Shortage(numbers[answer.rule], answer.who, answer.used, answer.asked, answer.wait_s)
        return answer

    def _take(self, lines: list[Line], now_ms: int) -> Short | None:
        try:
            return self._grants.take(lines, now_ms)
        except (SQLAlchemyError, Uncertain) as error:
            raise StoreError("budgets cannot be written down") from error

    def end(self, ended: Iterable[tuple[Line, int]]) -> None:
        """What lines came to; the database is told of it in the background. From any thread."""
        for one in ended:
            if len(self._ended) < MOST_WAITING:  # beyond that it counts as it was held
                self._ended.append(one)

    def write(self) -> None:
        """Tell the database.

        Raises:
            SQLAlchemyError: it does not take it. It is told again.
            Uncertain: it may have. It is not, and what it was not told counts as it was held.
        """
        ended = [self._ended.popleft() for _ in range(len(self._ended))]
        if not ended:
            return
        try:
            self._grants.settle(ended)
        except SQLAlchemyError:
            self._ended.extendleft(reversed(ended))
            raise

    def sweep(self) -> None:
        """Let go of what counts nothing."""
        self._ledger.sweep()


def line_of(part: Part, amounts: Amounts, now_ms: int) -> Line:
    """What a request comes to on one account."""
    number, who, rule = part
    slot_ms, ends_ms = period_slot(rule.per if rule.sliding_s is None else "sliding", rule.sliding_s, now_ms)
    amount = amounts.of(rule.measure)
    return Line(number, rule.name, rule.measure, rule.period, who, slot_ms, ends_ms or 0, rule.most, amount)


def _shortage(short: Short) -> Shortage:
    line, wait_s = short.line, None if short.wait_ms is None else short.wait_ms / 1000
    return Shortage(line.rule, line.who, short.granted, line.amount, wait_s)


def _release(hold: Hold | None) -> None:
    if hold is not None:
        hold.release()
