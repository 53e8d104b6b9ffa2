"""Holding what a request may come to, and putting what it came to in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct
from msgspec.structs import replace

from dragoman.core import Refused
from dragoman.dialects.anthropic.limits import CLAUDE, claude_headers
from dragoman.driver import driven
from dragoman.errors import BudgetExceeded, Forbidden, GatewayError, LimitExceeded, Overloaded, StoreError
from dragoman.ledger.allowance import Allowance
from dragoman.ledger.book import NANO, Asker, shown
from dragoman.ledger.bound import OPENAI, ceiling_cost, given_of

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

    from dragoman.config.limiting import Accounting
    from dragoman.core import LedgerScope, Pricing, RequestBody
    from dragoman.ledger.book import Book, Rule
    from dragoman.ledger.bound import Bound
    from dragoman.routing.call import Admitted, Call
    from dragoman.routing.run import Run
    from dragoman.usage.row import Tokens

SHADOWED = "x-dragoman-limits-shadowed"


class Held(Protocol):
    """What is held for a request: :class:`~dragoman.core.Hold`, or one that was made without Redis."""

    @property
    def shadowed(self) -> list[int]:
        """Rules that are not enforced and would have refused."""

    @property
    def requests_left(self) -> tuple[int, int, float | None] | None:
        """Of requests: the limit, what is left, seconds until it is more."""

    @property
    def tokens_left(self) -> tuple[int, int, float | None] | None:
        """Of tokens."""

    def headers(self) -> list[tuple[str, str]]:
        """What is left, as OpenAI's clients are told of it."""

    def settle(self, *, tokens: int = 0, cost_nanousd: int = 0, requests: int = 1) -> bool:
        """Put what was used in its place, once."""


class Shortage(Struct, frozen=True):
    """What :class:`~dragoman.core.Refused` says, of a limit that the database has refused by."""

    rule: int
    who: str
    used: int
    asked: int
    wait_s: float | None


class Counting(Protocol):
    """How holds are counted: in this process, or in Redis for all."""

    failures: int
    on_write: Callable[[], None]

    @property
    def troubles(self) -> list[str]:
        """What does not work as it should."""

    def start(self) -> None:
        """Begin, in the process that serves."""

    def take(self, scope: LedgerScope, priced: tuple[Pricing, RequestBody], given: int, unsaid: int) -> Held | None:
        """Hold what a chat may come to. ``None``: it is refused, or has to be waited for.

        :param given: tokens of its prompt.
        :param unsaid: of an answer of which nothing says how long it may be.
        """

    def reserve_now(self, scope: LedgerScope, tokens: int, cost_nanousd: int) -> Held | Refused | None:
        """Hold what a request may come to, or say what refuses it; ``None``: that has to be waited for."""

    async def reserve(
        self, asker: Asker, scope: LedgerScope, tokens: int, cost_nanousd: int, loop: AbstractEventLoop
    ) -> Held | Refused | Shortage:
        """The same, waiting; for a coroutine that a driver runs.

        Raises:
            StoreError: it cannot be written down.
        """

    def close(self) -> None:
        """Leave the figures as they are."""


class Concern(Struct, frozen=True):
    """What limits a request. ``scope`` is ``None`` where that is its key's most for one request alone."""

    asker: Asker
    scope: LedgerScope | None


class Holds:
    """Holds for requests, within the limits in force."""

    def __init__(self, book: Book, counting: Counting, loop: AbstractEventLoop) -> None:
        self.book = book
        self.refused: dict[str, int] = {}  # by limit, for metrics
        self.shadowed: dict[str, int] = {}
        self._counting = counting
        self._loop = loop

    def concern(self, run: Run) -> Concern | None:
        """What limits a request; ``None``: nothing does.

        Raises:
            Overloaded: limits are counted for too many names.
        """
        asker = asker_of(run)
        scope = self._scope_of(asker)
        return None if scope is None and run.principal.max_request_usd is None else Concern(asker, scope)

    def _scope_of(self, asker: Asker) -> LedgerScope | None:
        """The accounts that a request falls under.

        Raises:
            Overloaded: limits are counted for too many names.
        """
        try:
            return self.book.scope(asker)
        except OverflowError as error:
            raise Overloaded(f"No more can be counted: {error}.", code="ledger_full", retry_after_s=60) from None

    def take_at_once(self, run: Run, concern: Concern, admitted: Admitted, accounting: Accounting) -> bool:
        """Hold what a chat that is not streamed may come to. False: it is to be taken step by step, or refused.

        Raises:
            LimitExceeded: a limit is reached.
        """
        call, counted, scope = admitted.call, admitted.counted, concern.scope
        is_plain = call.endpoint == "chat" and call.dialect == OPENAI and not (call.stream or call.marks)
        if scope is None or counted is None or call.body is None or not is_plain:
            return False
        pricing, is_priced = admitted.plan.ceiling.now()
        if not is_priced or run.principal.max_request_usd is not None:
            return False
        given = given_of(call, counted)
        held = self._counting.take(scope, (pricing, call.body), given, accounting.output_tokens)
        if held is None:
            return False
        self._held(run, held)
        tell(run, call.dialect)
        return True

    async def take(self, run: Run, concern: Concern, call: Call, bound: Bound, accounting: Accounting) -> None:
        """Hold what a call may come to, or refuse it; for a coroutine that a driver runs.

        Raises:
            LimitExceeded: a limit is reached.
            Forbidden: what it may come to is not known, or is more than the key may ask for.
            Overloaded: it cannot be counted or written down.
        """
        cost_nanousd = self._cost(run, concern, bound, accounting)
        if concern.scope is not None:
            now = self._counting.reserve_now(concern.scope, bound.tokens, cost_nanousd)
            if now is None:
                await self._hold(run, concern.asker, concern.scope, bound.tokens, cost_nanousd)
            else:
                self._held(run, now)
            tell(run, call.dialect)
        if call.stream and bound.longest and _counts_length(run, concern):
            run.allowance = self.allow(concern.asker, bound, cost_nanousd, accounting)

    def allow(self, asker: Asker, bound: Bound, cost_nanousd: int, accounting: Accounting) -> Allowance:
        """What lets a stream be as long as is held for, and holds more for one that is longer."""
        return Allowance(self, asker, bound, cost_nanousd, accounting, self._loop)

    async def take_on_loop(self, run: Run, concern: Concern, bound: Bound, accounting: Accounting) -> None:
        """Hold so much, or refuse it; for what runs on the event loop.

        Raises:
            RequestError: as :meth:`take`.
        """
        cost_nanousd = self._cost(run, concern, bound, accounting)
        if concern.scope is not None:
            await driven(self._hold(run, concern.asker, concern.scope, bound.tokens, cost_nanousd), self._loop)

    async def more(self, asker: Asker, tokens: int, cost_nanousd: int) -> Held | None:
        """Hold so much more for a request that is under way; ``None``: nothing counts it. On the event loop.

        Raises:
            LimitExceeded: a limit is reached.
            Overloaded: it cannot be counted or written down.
        """
        asker = replace(asker, wants_more=True)
        scope, found = self._scope_of(asker), list[Held]()
        if scope is None:
            return None

        async def hold() -> None:
            found.append(await self._reserve(asker, scope, tokens, cost_nanousd))

        await driven(hold(), self._loop)
        return found[0]

    async def _hold(self, run: Run, asker: Asker, scope: LedgerScope, tokens: int, cost_nanousd: int) -> None:
        self._held(run, await self._reserve(asker, scope, tokens, cost_nanousd))

    def _held(self, run: Run, answer: Held | Refused) -> None:
        if isinstance(answer, Refused):
            raise self._refusal(answer)
        run.hold = answer
        if shadowed := answer.shadowed:
            self._note_shadowed(run, shadowed)

    async def _reserve(self, asker: Asker, scope: LedgerScope, tokens: int, cost_nanousd: int) -> Held:
        try:
            answer = await self._counting.reserve(asker, scope, tokens, cost_nanousd, self._loop)
        except StoreError:
            raise _unwritten() from None
        if isinstance(answer, Refused | Shortage):
            raise self._refusal(answer)
        return answer

    def _cost(self, run: Run, concern: Concern, bound: Bound, accounting: Accounting) -> int:
        scope, cost_nanousd, most_usd = concern.scope, bound.cost_nanousd, run.principal.max_request_usd
        if cost_nanousd is None:
            if accounting.unpriced == "block" and (most_usd is not None or (scope is not None and scope.counts_cost)):
                message = f"What {run.alias!r} costs is not known, and money is limited here."
                raise Forbidden(message, code="unpriced_model", param="model")
            cost_nanousd = ceiling_cost(bound.tokens, accounting)
        if most_usd is not None and cost_nanousd > most_usd * NANO:
            raise Forbidden(
                f"This request may come to {dollars(cost_nanousd)} ({bound.output_tokens} output tokens), and those of "
                f"this key to ${most_usd:g} at most. Ask for less, by max_tokens.",
                code="request_too_expensive",
                param="max_tokens",
            )
        return cost_nanousd

    def _note_shadowed(self, run: Run, rules: list[int]) -> None:
        names = dict.fromkeys(self.book.rule(number).name for number in rules)
        run.limits.append((SHADOWED, ", ".join(names)))
        for name in names:
            self.shadowed[name] = self.shadowed.get(name, 0) + 1

    def _refusal(self, refused: Refused | Shortage) -> LimitExceeded:
        rule = self.book.rule(refused.rule)
        self.refused[rule.name] = self.refused.get(rule.name, 0) + 1
        kind = BudgetExceeded if rule.measure == "cost" else LimitExceeded
        error = kind(told(rule, refused), retry_after_s=refused.wait_s)
        error.limit = rule.name
        return error


def _counts_length(run: Run, concern: Concern) -> bool:
    scope = concern.scope
    counts = scope is not None and (scope.counts_tokens or scope.counts_cost)
    return counts or run.principal.max_request_usd is not None


def tell(run: Run, dialect: str) -> None:
    """Have the answer's headers say what is left: of several limits, of the one with the least."""
    hold = run.hold
    if hold is None:
        return
    if dialect in CLAUDE:
        run.limits += claude_headers(hold.requests_left, hold.tokens_left)
    else:
        run.limits += hold.headers()


def asker_of(run: Run) -> Asker:
    """Whose request it is, as limits know it."""
    knobs, principal = run.knobs, run.principal
    tags = principal.tags if knobs is None or not knobs.tags else tuple(dict.fromkeys(principal.tags + knobs.tags))
    return Asker(principal, run.alias, tags, run.end_user, "" if knobs is None else knobs.session)


def _unwritten() -> Overloaded:
    message = "Budgets cannot be written down now, so nothing more is spent."
    return Overloaded(message, code="budget_unavailable", retry_after_s=1)


def close(run: Run, hold: Held, tokens: Tokens, cost_nanousd: int | None, accounting: Accounting) -> None:
    """Put what a request came to in the place of what is held for it, once."""
    used = 0 if run.kept is not None else tokens.input + tokens.output
    if cost_nanousd is None:
        cost_nanousd = ceiling_cost(used, accounting)
    requests = 0 if isinstance(run.error, GatewayError) and not run.notes else 1
    hold.settle(tokens=used, cost_nanousd=cost_nanousd, requests=requests)
    if run.allowance is not None:
        run.allowance.close()


def told(rule: Rule, refused: Refused | Shortage) -> str:
    """Why a request is refused, and what to do."""
    of_key = rule.name.startswith("key:")
    name = "of this key" if of_key else f"{rule.name!r}" + (f" of {shown(refused.who)}" if refused.who else "")
    wait = "" if refused.wait_s is None else f" Try again in {refused.wait_s:.1f} s."
    if rule.measure == "concurrent":
        return f"The limit {name} is {rule.most} requests at the same time, and so many are under way."
    span = _span(rule)
    if rule.measure == "cost":
        return (
            f"The budget {name} is {dollars(rule.most)}{span}, of which {dollars(refused.used)} is spent or held; "
            f"this request may come to {dollars(refused.asked)}.{wait}"
        )
    if refused.asked > rule.most:
        return f"The limit {name} is {rule.most} {rule.measure}{span}; this request may come to {refused.asked}."
    return f"The limit {name} is {rule.most} {rule.measure}{span}, of which {refused.used} are used or held.{wait}"


def dollars(nanousd: int) -> str:
    """An amount, with as many decimals as it has."""
    whole, _, rest = f"{nanousd / NANO:.6f}".partition(".")
    return f"${whole}.{rest.rstrip('0').ljust(2, '0')}"


def _span(rule: Rule) -> str:
    return "" if rule.per == "ever" else f" a {rule.per}"
