"""Trying deployments until one answers.

Within a tier other failure domains come first, the same deployment again only after a pause, and only while the retry
budget of the one that was asked first allows it: retries that add to an outage prolong it. The next tier is not a retry
but what the operator declared for this case; it needs no budget. One deadline bounds everything, and once a byte of an
answer has reached the client nothing is tried any more.
"""

from __future__ import annotations

from hashlib import blake2b
from random import random
from time import monotonic
from typing import TYPE_CHECKING

from dragoman.core import backoff_s
from dragoman.dialects.openai_errors import error_event
from dragoman.driver import Pause
from dragoman.errors import ClientGone, NoDeployment, RequestError, ShuttingDown, UpstreamAuth, UpstreamTimeout
from dragoman.routing.attempt import LEAST_S, Attempt
from dragoman.routing.classify import QUOTA_CODES
from dragoman.routing.hedge import hedged
from dragoman.routing.with_cost import end_with_cost

if TYPE_CHECKING:
    from dragoman.core import Ticket
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
    tries = Tries(gateway, admitted, run)
    error: RequestError | None = None
    last = len(admitted.plan.tiers) - 1
    for index, tier in enumerate(admitted.plan.tiers):
        run.fallback_index = index
        error = await tries.tier(tier, is_last=index == last) or error
        if run.answered:
            return
    raise error or NoDeployment(f"No deployment of {admitted.plan.alias!r} can be tried now.", retry_after_s=1)


class Tries:
    """The attempts of one request."""

    def __init__(self, gateway: Gateway, admitted: Admitted, run: Run) -> None:
        self.gateway = gateway
        self.plan = admitted.plan
        self.call = admitted.call
        self.run = run
        asked = admitted.call.knobs.retries
        self.retries_left = admitted.plan.retries if asked is None else asked
        self.session = _session_hash(admitted.call.session)
        self.tried: list[int] = []

    async def tier(self, tier: PlanTier, *, is_last: bool) -> RequestError | None:
        """Try the members of a tier; the last error, or ``None`` where none was tried or the client has its answer."""
        error: RequestError | None = None
        while True:
            ticket = self.choose(tier, again=False, last_resort=is_last)
            if ticket is None:
                if error is None or not await self._pause(error):
                    return error
                ticket = self.choose(tier, again=True, last_resort=is_last)
            if ticket is None or (error is not None and not self._may_retry()):
                return error
            error = await self.attempt(tier, ticket)
            if error is None:
                return None

    def choose(self, tier: PlanTier, *, again: bool, last_resort: bool) -> Ticket | None:
        """A member for the next attempt."""
        balancer = self.gateway.balancer
        return balancer.choose(tier.tier, tried=self.tried, again=again, session=self.session, last_resort=last_resort)

    def begin(self, tier: PlanTier, ticket: Ticket) -> Attempt:
        """Send an attempt."""
        self.tried.append(ticket.index)
        limits = self.gateway.snapshot.config.server.limits
        return Attempt(tier.members[ticket.index], ticket, self.call, self.run, limits)

    async def attempt(self, tier: PlanTier, ticket: Ticket) -> RequestError | None:
        """One attempt, or two beside each other.

        Returns:
            The error where another attempt may help, ``None`` where the client has its answer.

        Raises:
            RequestError: no other attempt may help.
        """
        attempt = self.begin(tier, ticket)
        if self.plan.hedge is not None and self.call.stream and not self.call.passed_through:
            error = await hedged(self, tier, attempt, self.plan.hedge)
        else:
            error = attempt.conclude(await attempt.exchange)
        if error is None:
            self.run.request.stage = "answered"
            if self.run.outcome is not None and self.run.outcome.written != "whole":
                end_with_cost(self.run, self.run.outcome)
            return None
        self._raise_if_final(error)
        return error

    def _raise_if_final(self, error: RequestError) -> None:
        """After an answer has begun nothing is tried any more; the client is told in its stream."""
        request, outcome = self.run.request, self.run.outcome
        if outcome is not None and outcome.written:
            if not isinstance(error, ClientGone):
                request.reply.send(error_event(error, request.id))
            request.reply.finish()
            request.stage = "answered"
            raise error
        sent = outcome is not None and outcome.sent
        if not error.retryable or isinstance(error, ShuttingDown) or (self.call.passed_through and sent):
            raise error

    def _may_retry(self) -> bool:
        if self.retries_left <= 0 or not self.gateway.balancer.may_retry(self.tried[0]):
            return False
        self.retries_left -= 1
        return True

    async def _pause(self, error: RequestError) -> bool:
        """Wait before a deployment is tried again. False: it should not be."""
        if isinstance(error, UpstreamAuth | UpstreamTimeout) or error.error_code in QUOTA_CODES:
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
