"""Trying deployments until one answers.

Within a tier other failure domains come first, then the next tier, and the same deployment again only when all have
been tried, after a pause: diversity beats repetition. A retry (a second attempt in a tier, or a second round) is made
only while the budget of the deployment that was asked first allows it, since retries that add to an outage prolong it;
the next tier is not a retry but what the operator declared for this case. One deadline bounds everything, and once a
byte of an answer has reached the client nothing is tried any more.
"""

from __future__ import annotations

from hashlib import blake2b
from random import random
from time import monotonic
from typing import TYPE_CHECKING

from dragoman.core import backoff_s
from dragoman.dialects.reports import report_of
from dragoman.driver import Pause
from dragoman.errors import (
    ClientGone,
    NoDeployment,
    RequestError,
    ShuttingDown,
    Untranslatable,
    UpstreamAuth,
    UpstreamTimeout,
)
from dragoman.routing.attempt import LEAST_S, Attempt
from dragoman.routing.classify import QUOTA_CODES
from dragoman.routing.hedge import hedged
from dragoman.routing.launch import launched, taken_up
from dragoman.routing.run import AttemptNote
from dragoman.routing.translation import last_words
from dragoman.routing.with_cost import end_answer

if TYPE_CHECKING:
    from dragoman.core import PlanStep, Ticket
    from dragoman.gateway import Gateway
    from dragoman.routing.call import Admitted
    from dragoman.routing.plan import PlanTier
    from dragoman.routing.run import Run


async def dispatch(gateway: Gateway, admitted: Admitted, run: Run) -> None:
    """Send a call to one deployment after the other until the client has its answer.

    Raises:
        RequestError: none answered. The client has been told already where its answer had begun.
    """
    run.counted = admitted.counted
    run.cost_estimate_nanousd = admitted.cost_estimate_nanousd
    run.stream = admitted.call.stream
    tries, error = Tries(gateway, admitted, run), None
    attempt = tries.launched()
    if attempt is not None:
        error = await tries.ended(attempt)
        if error is None:
            return
    await tries.run_all(error)


class Tries:
    """The attempts of one request."""

    def __init__(self, gateway: Gateway, admitted: Admitted, run: Run) -> None:
        self.gateway = gateway
        self.plan = admitted.plan
        self.call = admitted.call
        self.run = run
        asked = admitted.call.knobs.retries
        self.retries = admitted.plan.retries if asked is None else asked
        self.retries_left = self.retries
        self.session = _session_hash(admitted.call.session) if admitted.plan.keeps_sessions else None
        self.tried: list[int] = []

    def launched(self) -> Attempt | None:
        """The first attempt, where it can be chosen and sent in one.

        Raises:
            RequestError: nothing may be sent any more.
        """
        limits = self.gateway.snapshot.config.server.limits
        adopted = self.run.request.adopted
        if adopted is not None and adopted.launched is not None:
            attempt: Attempt | None = taken_up(adopted.launched, self.call, self.plan, self.run, limits)
        elif self.gateway.probing is not None:
            attempt = None
        else:
            attempt = launched(self.call, self.plan, self.run, self.session, limits)
        if attempt is not None:
            self.tried.append(attempt.ticket.index)
        return attempt

    async def run_all(self, error: RequestError | None = None) -> None:
        """All tiers, and while retries are left all of them again.

        :param error: of an attempt that has been made.
        """
        limited = self.plan.limited
        if limited and self.gateway.line.is_before(limited):
            await self._wait_for_room(limited)
        error = await self._round(again=False, error=error)
        while not self.run.answered:
            if error is None:
                if limited and any(step.is_full for step in self._steps()) and await self._wait_for_room(limited):
                    error = await self._round(again=False)
                    continue
                message = f"No deployment of {self.plan.alias!r} can be tried now."
                raise NoDeployment(message, retry_after_s=1)
            if not await self._pause(error):
                raise self._given_up(error)
            tried = len(self.run.notes)
            latest = await self._round(again=True)
            if len(self.run.notes) == tried:
                raise self._given_up(error)
            error = latest or error

    def _steps(self) -> list[PlanStep]:
        """How each deployment stands."""
        balancer = self.gateway.balancer
        return [step for tier in self.plan.tiers for step in balancer.plan(tier.tier)]

    def _has_room(self) -> bool:
        return any(step.reason is not None for step in self._steps())

    async def _wait_for_room(self, limited: frozenset[int]) -> bool:
        """Wait in line.

        Raises:
            NoDeployment: the line is full, or it took too long.
        """
        line, queue = self.gateway.line, self.gateway.line.settings
        if not await line.wait(self.run.principal, limited, self.call.deadline_s, self._has_room):
            if not queue.max_waiting:
                return False
            message = (
                f"The deployments of {self.plan.alias!r} are full, and so is the line (queue), or it took too long."
            )
            raise NoDeployment(message, code="saturated", retry_after_s=1)
        self.run.request.check_wanted()
        return True

    async def _round(self, *, again: bool, error: RequestError | None = None) -> RequestError | None:
        """Every tier in order; the last error, or ``None`` where none could be tried or the client has its answer.

        :param error: of an attempt that has been made in the first.
        """
        last = len(self.plan.tiers) - 1
        for index, tier in enumerate(self.plan.tiers):
            self.run.fallback_index = index
            before = None if index else error
            error = await self._tier(tier, again=again, is_last=index == last, error=before) or error
            if self.run.answered:
                return None
        return error

    async def _tier(
        self, tier: PlanTier, *, again: bool, is_last: bool, error: RequestError | None
    ) -> RequestError | None:
        """The members of a tier, each once."""
        tried: list[int] = [] if again else self.tried
        for _ in tier.members:
            ticket = await self._permitted(tier, tried=tried, last_resort=is_last and not again)
            repeated = again or not (error is None or isinstance(error, Untranslatable))
            if ticket is None or (repeated and not self._may_retry()):
                return error
            if again:
                tried.append(ticket.index)
            error = await self.attempt(tier, ticket)
            if error is None:
                return None
        return error

    def choose(self, tier: PlanTier, *, tried: list[int], last_resort: bool) -> Ticket | None:
        """A member for the next attempt, none of those tried."""
        return self.gateway.balancer.choose(tier.tier, tried=tried, session=self.session, last_resort=last_resort)

    async def _permitted(self, tier: PlanTier, *, tried: list[int], last_resort: bool) -> Ticket | None:
        """The same; not for a probe that is another process's."""
        probing = self.gateway.probing
        ticket = self.choose(tier, tried=tried, last_resort=last_resort)
        while ticket is not None and probing is not None and not await probing.permits(ticket):
            ticket = self.choose(tier, tried=tried, last_resort=last_resort)
        return ticket

    def begin(self, tier: PlanTier, ticket: Ticket) -> Attempt:
        """Send an attempt."""
        self.tried.append(ticket.index)
        limits = self.gateway.snapshot.config.server.limits
        attempt = Attempt(tier.members[ticket.index], ticket, self.call, self.run, limits)
        attempt.send()
        return attempt

    async def attempt(self, tier: PlanTier, ticket: Ticket) -> RequestError | None:
        """One attempt, or two beside each other.

        Returns:
            The error where another attempt may help, ``None`` where the client has its answer.

        Raises:
            RequestError: no other attempt may help.
        """
        if not tier.members[ticket.index].is_limited:
            return await self._attempt(tier, ticket)
        try:
            return await self._attempt(tier, ticket)
        finally:
            for index in {ticket.index, *self.tried[-1:]}:  # a hedge's too
                self.gateway.line.freed(index)

    async def _attempt(self, tier: PlanTier, ticket: Ticket) -> RequestError | None:
        member = tier.members[ticket.index]
        try:
            if not member.is_ready:
                await member.ready(self.call.deadline_s)
            attempt = self.begin(tier, ticket)
        except (Untranslatable, UpstreamAuth) as refused:
            if isinstance(refused, UpstreamAuth):
                self.tried.append(ticket.index)
                ticket.finish_auth()
            name, code = member.deployment.name, refused.error_code
            self.run.note(AttemptNote(name, member.credential, ticket.reason, code, 0.0))
            self.run.last_error = refused
            return refused
        if self.plan.hedge is not None and self.call.stream and self._relayed(attempt):
            return self._judged(await hedged(self, tier, attempt, self.plan.hedge))
        return await self.ended(attempt)

    async def ended(self, attempt: Attempt) -> RequestError | None:
        """The end of an attempt.

        Returns:
            The error where another attempt may help, ``None`` where the client has its answer.

        Raises:
            RequestError: no other attempt may help.
        """
        return self._judged(await attempt.answer())

    def _judged(self, error: RequestError | None) -> RequestError | None:
        if error is None:
            self.run.request.stage = "answered"
            if self.run.outcome is not None and self.run.outcome.written != "whole":
                end_answer(self.run, self.run.outcome)
            return None
        self._raise_if_final(error)
        return error

    def _relayed(self, attempt: Attempt) -> bool:
        return attempt.translation is None and not self.call.passed_through

    def _raise_if_final(self, error: RequestError) -> None:
        """After an answer has begun nothing is tried any more; the client is told in its stream."""
        request, outcome = self.run.request, self.run.outcome
        if self.run.begun:
            if not isinstance(error, ClientGone):
                request.reply.send(last_words(self.call, self.run, report_of(error)))
            request.reply.finish()
            request.stage = "answered"
            raise error
        sent = outcome is not None and outcome.sent
        if not error.retryable or isinstance(error, ShuttingDown) or (self.call.passed_through and sent):
            raise error

    def _given_up(self, error: RequestError) -> RequestError:
        """The error, saying whether the client may try again by itself: not where that was the gateway's task."""
        hopeless = isinstance(error, UpstreamAuth | Untranslatable) or error.error_code in QUOTA_CODES
        error.exhausted = hopeless or (self.retries > 0 and error.retry_after_s is None)
        return error

    def _may_retry(self) -> bool:
        if self.retries_left > 0 and not self.gateway.balancer.may_retry(self.tried[0]):
            self.retries_left = 0  # denied once is denied for this request
        if self.retries_left <= 0:
            return False
        self.retries_left -= 1
        return True

    async def _pause(self, error: RequestError) -> bool:
        """Wait before a deployment is tried again. False: it should not be."""
        if isinstance(error, UpstreamAuth | UpstreamTimeout | Untranslatable) or error.error_code in QUOTA_CODES:
            return False
        if self.retries_left <= 0:
            return False
        wait_s = backoff_s(len(self.run.notes) - 1, random())  # noqa: S311 - jitter
        if error.retry_after_s is not None:
            if error.retry_after_s > self.gateway.snapshot.config.defaults.retry_after_max_s:
                return False
            wait_s = max(wait_s, error.retry_after_s)
        if monotonic() + wait_s + LEAST_S > self.call.deadline_s:
            return False
        await Pause(wait_s)
        self.run.request.check_wanted()
        return True


def _session_hash(session: str) -> int | None:
    if not session:
        return None
    return int.from_bytes(blake2b(session.encode(), digest_size=8).digest())
