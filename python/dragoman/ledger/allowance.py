"""How long a stream may be: what was held for it, and more where there is more to be had.

A provider is told how long its answer may be, or its model cannot make a longer one, and that is what is held. One that
goes on regardless is found here by counting what it says: more is then held for it, or, where a limit allows no more,
the stream is ended, with an error that says so. It is counted when so many bytes have come that there may be as many
tokens as are held, then when there may be as many as are left. Tokens that are not seen (what is thought in silence)
are known only when the provider tells of them, and counted then.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from dragoman.errors import LimitExceeded, RequestError
from dragoman.ledger.book import NANO
from dragoman.ledger.bound import ceiling_cost
from dragoman.usage.row import Tokens

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task
    from collections.abc import Callable

    from dragoman.config.limiting import Accounting
    from dragoman.ledger.book import Asker
    from dragoman.ledger.bound import Bound
    from dragoman.ledger.hold import Held, Holds
    from dragoman.routing.plan import Deployment

# A count may be too high by so much, since providers count otherwise: no stream is ended for that.
DOUBT = 1.25
SPARE_TOKENS = 64
# Hardly any text has a token for every two bytes.
BYTES_A_TOKEN = 2
# So much more is held at a time, or half of what was.
STEP_TOKENS = 1024
NEVER = (1 << 64) - 1


class Streaming(Protocol):
    """An attempt whose answer is followed."""

    def on_generated(self, bytes: int, callback: Callable[[str, int], object]) -> None:
        """Call back once so much has been generated."""

    def cancel(self) -> object:
        """End it."""


class Allowance:
    """What is held for the stream that answers one request."""

    def __init__(
        self,
        holds: Holds,
        asker: Asker,
        bound: Bound,
        cost_nanousd: int,
        accounting: Accounting,
        loop: AbstractEventLoop,
    ) -> None:
        """:param bound: what is held for.
        :param cost_nanousd: of all that is held.
        """
        self.tokens = bound.longest
        self.refusal: RequestError | None = None  # why it was ended
        self.loop = loop
        self._holds = holds
        self._asker = asker
        self._given = bound.given
        self._cost_nanousd = cost_nanousd
        self._accounting = accounting
        self._held: list[Held] = []
        self._is_over = False

    def follow(self, exchange: Streaming, deployment: Deployment) -> Length:
        """Follow one attempt."""
        return Length(self, exchange, deployment)

    async def extend(self, tokens: int, deployment: Deployment) -> None:
        """Hold more, for an answer that has come to so many tokens.

        Raises:
            RequestError: there is no more.
        """
        more = tokens - self.tokens + max(STEP_TOKENS, self.tokens // 2)
        cost_nanousd = self._cost(more, deployment)
        held = await self._holds.more(self._asker, more, cost_nanousd)
        self.tokens += more
        self._cost_nanousd += cost_nanousd
        if held is not None:
            self._held.append(held)
        if self._is_over:
            self.close()

    def _cost(self, more: int, deployment: Deployment) -> int:
        given, rates = self._given, deployment.rates
        if rates is None:
            cost_nanousd = ceiling_cost(more, self._accounting)
        else:
            most = partial(rates.most, cached=False, heard=False)
            cost_nanousd = most(Tokens(given, more)) - most(Tokens(given, 0))
        most_usd = self._asker.principal.max_request_usd
        if most_usd is not None and self._cost_nanousd + cost_nanousd > most_usd * NANO:
            raise LimitExceeded(f"Requests of this key may come to ${most_usd:g} at most.")
        return cost_nanousd

    def refuse(self, error: RequestError) -> None:
        """End the stream."""
        kind = type(error) if isinstance(error, LimitExceeded) else LimitExceeded
        told = f"The answer is longer than the {self.tokens} tokens that are held for it, and is ended. {error.message}"
        self.refusal = kind(told, code="reservation_exhausted")

    def close(self) -> None:
        """The request is over, and settled: nothing more is held for it."""
        self._is_over = True
        while self._held:
            self._held.pop().settle(tokens=0, cost_nanousd=0, requests=0)


class Length:
    """How long the answer of one attempt is."""

    __slots__ = ("_allowance", "_bytes", "_chars", "_deployment", "_due", "_exchange", "_task", "_tokens")

    def __init__(self, allowance: Allowance, exchange: Streaming, deployment: Deployment) -> None:
        self._allowance = allowance
        self._exchange = exchange
        self._deployment = deployment
        self._tokens = self._chars = self._bytes = 0  # what was counted
        self._due = NEVER
        self._task: Task[None] | None = None
        self._watch()

    def note(self, text: str, generated: int) -> None:
        """So much has been generated; for an answer that the relay does not count itself.

        :param text: of it, what is kept.
        :param generated: bytes.
        """
        if generated >= self._due:
            self._due = NEVER
            self._reached(text, generated)

    @property
    def _most(self) -> int:
        return round(self._allowance.tokens * DOUBT) + SPARE_TOKENS

    def _watch(self) -> None:
        self._due = self._bytes + max(SPARE_TOKENS, self._most - self._tokens) * BYTES_A_TOKEN
        self._exchange.on_generated(self._due, self._reached)

    def _reached(self, text: str, generated: int) -> None:
        """On the thread that relays, which must not wait."""
        self._allowance.loop.call_soon_threadsafe(self._start, text, generated)

    def _start(self, text: str, generated: int) -> None:
        self._task = self._allowance.loop.create_task(self._look(text, generated))

    async def _look(self, text: str, generated: int) -> None:
        allowance = self._allowance
        await allowance.loop.run_in_executor(None, self._count, text, generated)
        try:
            if self._tokens > self._most:
                await allowance.extend(self._tokens, self._deployment)
        except RequestError as error:
            allowance.refuse(error)
            self._exchange.cancel()
        else:
            self._watch()

    def _count(self, text: str, generated: int) -> None:
        """Count what has come; what is no longer kept is taken to be as what was."""
        more = text[self._chars :]
        if more or not self._bytes:
            self._tokens += self._deployment.counter.count(more)
        else:
            self._tokens = self._tokens * generated // self._bytes
        self._chars, self._bytes = len(text), generated
