"""Trying deployments until one answers.

Within a tier other failure domains come first, the same deployment again only after a pause, and only while the retry
budget of the one that would receive the retry allows it: retries that add to an outage prolong it. The next tier is
not a retry but what the operator declared for this case; it needs no budget. One deadline bounds everything, and once a
byte of an answer has reached the client nothing is tried any more.
"""

from __future__ import annotations

from hashlib import blake2b
from random import random
from time import monotonic
from typing import TYPE_CHECKING

from dragoman.core import Terms, backoff_s
from dragoman.driver import Pause
from dragoman.endpoints.answers import error_event
from dragoman.errors import (
    ClientGone,
    DeadlineExceeded,
    NoDeployment,
    RequestError,
    ShuttingDown,
    UpstreamAuth,
    UpstreamLimited,
    UpstreamTimeout,
)
from dragoman.routing.classify import QUOTA_CODES, error_of
from dragoman.routing.run import AttemptNote

if TYPE_CHECKING:
    from dragoman.core import Outcome, Ticket
    from dragoman.gateway import Gateway
    from dragoman.routing.call import Admitted
    from dragoman.routing.plan import Member, PlanTier
    from dragoman.routing.run import Run

# An attempt that has less time than this is not begun.
LEAST_S = 0.02


async def dispatch(gateway: Gateway, admitted: Admitted, run: Run) -> None:
    """Send a call to one deployment after the other until the client has its answer.

    Raises:
        RequestError: none answered. The client has been told already where its answer had begun.
    """
    run.counted = admitted.counted
    run.cost_estimate_nanousd = admitted.cost_estimate_nanousd
    run.stream = admitted.call.stream
    tries = _Tries(gateway, admitted, run)
    error: RequestError | None = None
    for index, tier in enumerate(admitted.plan.tiers):
        run.fallback_index = index
        error = await tries.tier(tier, is_last=index == len(admitted.plan.tiers) - 1) or error
        if run.answered:
            return
    raise error or NoDeployment(f"No deployment of {admitted.plan.alias} can be tried now.", retry_after_s=1)


class _Tries:
    """The attempts of one request."""

    def __init__(self, gateway: Gateway, admitted: Admitted, run: Run) -> None:
        self.gateway = gateway
        self.call = admitted.call
        self.run = run
        asked = admitted.call.knobs.retries
        self.retries_left = admitted.plan.retries if asked is None else asked
        self.session = _session_hash(admitted.call.session)

    async def tier(self, tier: PlanTier, *, is_last: bool) -> RequestError | None:
        """Try the members of a tier; the last error, or ``None`` where the client has its answer."""
        tried: list[int] = []
        error: RequestError | None = None
        while True:
            ticket = self.gateway.balancer.choose(tier.tier, tried=tried, session=self.session)
            if ticket is None or (ticket.reason == "last_resort" and not is_last and error is None):
                return error
            if error is not None and not self._may_retry(ticket):
                return error
            member = tier.members[ticket.index]
            error = await self.attempt(member, ticket)
            if error is None:
                return None
            tried.append(member.index)
            if len(tried) >= len(tier.members):
                if not await self._pause(error):
                    return error
                tried = []

    def _may_retry(self, ticket: Ticket) -> bool:
        if self.retries_left <= 0 or not self.gateway.balancer.may_retry(ticket.index):
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
        if self.run.request.gone:
            raise ClientGone("the client hung up")
        return True

    async def attempt(self, member: Member, ticket: Ticket) -> RequestError | None:
        """One attempt.

        Returns:
            The error where another attempt may help, ``None`` where the client has its answer.

        Raises:
            RequestError: no other attempt may help.
        """
        run, request = self.run, self.run.request
        remaining_s = self.call.deadline_s - monotonic()
        if remaining_s < LEAST_S:
            raise run.last_error or DeadlineExceeded("The request's deadline has passed.")
        if request.gone:
            raise ClientGone("the client hung up")
        run.chosen(member)
        request.reply.set_headers(run.answer_headers())
        deployment = member.deployment
        request.exchange = member.target.send(
            request.reply,
            self.call.path,
            self.call.outgoing(deployment),
            self.call.headers,
            self._terms(member, remaining_s),
        )
        request.stage = "sending"
        outcome = await request.exchange
        request.exchange = None
        run.outcome = outcome
        error = error_of(outcome, deployment.provider)
        run.note(AttemptNote(deployment.name, member.credential, ticket.reason, _said(error), outcome.total_ms), error)
        self._settle_ticket(ticket, outcome, error)
        if error is None:
            request.stage = "answered"
            return None
        return self._after(error, outcome)

    def _after(self, error: RequestError, outcome: Outcome) -> RequestError:
        """What follows from a failed attempt."""
        request = self.run.request
        if isinstance(error, ClientGone) and request.stopping:
            error = ShuttingDown("The gateway is shutting down.", retry_after_s=1)
        if isinstance(error, UpstreamTimeout) and monotonic() > self.call.deadline_s - LEAST_S:
            error = DeadlineExceeded("The request's deadline has passed.")
        if outcome.written:
            if not isinstance(error, ClientGone):
                request.reply.send(error_event(error, request.id))
            request.reply.finish()
            request.stage = "answered"
            raise error
        if not error.retryable or isinstance(error, ShuttingDown) or (self.call.passed_through and outcome.sent):
            raise error
        return error

    def _terms(self, member: Member, remaining_s: float) -> Terms:
        timeouts = member.deployment.timeouts
        limits = self.gateway.snapshot.config.server.limits
        first_byte_s = min(self.call.knobs.first_byte_s or timeouts.first_byte_s, remaining_s)
        return Terms(
            self.call.lane(member.deployment),
            (first_byte_s, timeouts.idle_s, min(timeouts.total_s, remaining_s)),
            (limits.max_answer_bytes, limits.max_event_bytes),
            self.call.method,
            limits.heartbeat_s,
        )

    def _settle_ticket(self, ticket: Ticket, outcome: Outcome, error: RequestError | None) -> None:
        if error is None:
            usage = outcome.usage
            ticket.finish_success(outcome.first_token_ms, outcome.total_ms, usage[1] if usage else 0)
        elif isinstance(error, ClientGone):
            ticket.finish_neutral()
        elif isinstance(error, UpstreamLimited):
            ticket.finish_limited(error.retry_after_s)
        elif isinstance(error, UpstreamAuth):
            ticket.finish_auth()
        elif error.fault == "client":
            ticket.finish_neutral()
        else:
            ticket.finish_failure()


def _said(error: RequestError | None) -> str:
    return "ok" if error is None else error.error_code


def _session_hash(session: str) -> int:
    return int.from_bytes(blake2b(session.encode(), digest_size=8).digest())
