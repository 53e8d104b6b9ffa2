"""One attempt at one member: sent, awaited, and its ticket settled."""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING

from dragoman.core import Terms
from dragoman.dialects.table import DIALECTS
from dragoman.errors import (
    ClientGone,
    DeadlineExceeded,
    GuardrailBlocked,
    RequestError,
    ShuttingDown,
    UpstreamAuth,
    UpstreamLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamTls,
)
from dragoman.guardrails.passages import of_answer, said_by
from dragoman.guardrails.request import refusal_of_body, said_in
from dragoman.routing.classify import error_of, error_of_report
from dragoman.routing.judging import Judging
from dragoman.routing.run import AttemptNote
from dragoman.routing.sending import Sending, sending_to, watched
from dragoman.routing.settle import output_tokens

if TYPE_CHECKING:
    from dragoman.config.schema import Limits
    from dragoman.core import Exchange, Outcome, Ticket
    from dragoman.guardrails.guarding import Guarding
    from dragoman.routing.call import Call
    from dragoman.routing.plan import Member
    from dragoman.routing.run import Run
    from dragoman.routing.translation import Translation

log = logging.getLogger("dragoman.routing")

# An attempt that has less time than this is not begun.
LEAST_S = 0.02


def time_left_s(call: Call, run: Run) -> float:
    """How long an attempt may take that is to be begun now.

    Raises:
        DeadlineExceeded: there is no time left for an attempt.
        ClientGone: nobody waits for the answer any more.
        ShuttingDown: the process waits no longer.
    """
    remaining_s = call.deadline_s - monotonic()
    if remaining_s < LEAST_S:
        raise run.last_error or DeadlineExceeded("The request's deadline has passed.")
    run.request.check_wanted()
    return remaining_s


def log_mistrust(deployment: str, error: RequestError | None, ticket: Ticket) -> None:
    """Log a handshake that failed, which somebody has to mend and no client sees where another deployment answers.

    Once it is known to fail, and only asked because all do, it is no news any more.
    """
    if isinstance(error, UpstreamTls) and ticket.reason != "last_resort":
        log.warning("%s: %s", deployment, error.message)


class Attempt:
    """An attempt at a member that has been chosen."""

    __slots__ = ("call", "exchange", "limits", "member", "run", "sifted", "ticket", "translation")

    exchange: Exchange

    def __init__(self, member: Member, ticket: Ticket, call: Call, run: Run, limits: Limits) -> None:
        self.member = member
        self.ticket = ticket
        self.call = call
        self.run = run
        self.limits = limits
        self.translation: Translation | None = None
        self.sifted = False

    def send(self) -> None:
        """Send.

        Raises:
            DeadlineExceeded: there is no time left for an attempt.
            ClientGone: nobody waits for the answer any more.
            GuardrailBlocked: one that is asked beside the model has refused the request.
            ShuttingDown: the process waits no longer.
        """
        member, call, run = self.member, self.call, self.run
        remaining_s = time_left_s(call, run)
        guarding = call.guarding
        if guarding is not None and (refused := guarding.refused_meanwhile) is not None:
            raise refused
        run.chosen(member)
        sending = sending_to(call, member.deployment)
        run.lossy = sending.lossy
        run.wants_cost = call.wants_cost
        self.translation, self.sifted = sending.translation, sending.sifted
        parcel = sending.path, sending.body, sending.headers
        terms = self._terms(sending, remaining_s)
        self.sent(member.send(run.request.reply, parcel, terms, spoken=sending.spoken, method=call.method))
        if guarding is not None and guarding.has_pending:
            guarding.on_refusal(self.exchange.cancel)

    def sent(self, exchange: Exchange) -> None:
        """It is under way."""
        self.exchange = exchange
        run, request = self.run, self.run.request
        request.exchanges.append(exchange)
        if run.allowance is not None:
            length = run.allowance.follow(exchange, self.member.deployment)
            if self.translation is not None:
                self.translation.length = length
        request.stage = "sending"
        if request.is_abandoned or request.stopping:  # said by another thread since it was looked at
            exchange.cancel()

    def _terms(self, sending: Sending, remaining_s: float) -> Terms:
        deployment, call, limits = self.member.deployment, self.call, self.limits
        timeouts = deployment.timeouts
        first_byte_s = min(call.knobs.first_byte_s or timeouts.first_byte_s, remaining_s)
        self.run.sent_headers = self.run.answer_headers(len(self.run.notes) + len(self.run.request.exchanges) + 1)
        return Terms(
            sending.lane,
            call.method,
            self.run.sent_headers,
            (first_byte_s, timeouts.idle_s, min(timeouts.total_s, remaining_s), limits.heartbeat_s),
            (limits.max_answer_bytes, limits.max_event_bytes),
            sending.translation is not None or sending.held or call.wants_cost,
        )

    async def answer(self) -> RequestError | None:
        """Wait for the answer, written to the client; the error, where the client has not got it."""
        if self.translation is not None and self.call.stream:
            judging = Judging.of(self.call, self.limits)
            return self.conclude(await self.translation.follow(self.exchange, self.run, judging))
        outcome = await self.exchange
        error = self.conclude(outcome)
        if error is None and self.call.guarding is not None:
            error = self.run.last_error = await self._shown_to_others(self.call.guarding, outcome)
        return error

    async def _shown_to_others(self, guarding: Guarding, outcome: Outcome) -> RequestError | None:
        """Let those who are called out look at a whole answer, which nobody has yet; why it may not be given."""
        try:
            await guarding.settled()
        except GuardrailBlocked as refused:
            return refused
        surface, translation = self.call.surface, self.translation
        if translation is not None and translation.refused and translation.original is not None:
            again = await guarding.repaired(self.call, said_by(translation.original))
            if again is None:
                return None
            translation.replace_whole(again)
        if not guarding.of_answers.called or (surface is not None and surface.task):
            return None
        if translation is not None and translation.answer is not None:
            if await guarding.refuses_answer(of_answer(translation.answer)):
                translation.refuse_whole()
            return None
        texts = said_in(outcome.body)
        if texts is not None and await guarding.refuses_answer(texts):
            return GuardrailBlocked("output", "somebody who was asked refuses the answer")
        return None

    def conclude(self, outcome: Outcome) -> RequestError | None:
        """Note how the attempt ended and tell the balancer; the error, where the client has not got its answer."""
        run = self.run
        run.request.exchanges.remove(self.exchange)
        deployment = self.member.deployment
        error = self._error(outcome)
        said = "ok" if error is None else error.error_code
        log_mistrust(deployment.name, error, self.ticket)
        run.note(AttemptNote(deployment.name, self.member.credential, self.ticket.reason, said, outcome.total_ms))
        run.maybe_done |= outcome.sent and not isinstance(error, UpstreamAuth | UpstreamLimited | UpstreamRejected)
        run.outcome = outcome
        run.translation = self.translation
        run.last_error = error
        run.chosen(self.member)
        self._settle_ticket(outcome, error)
        return error

    def conclude_beaten(self, outcome: Outcome) -> None:
        """Note that another attempt has answered first."""
        self.run.request.exchanges.remove(self.exchange)
        deployment, credential = self.member.deployment.name, self.member.credential
        self.run.note(AttemptNote(deployment, credential, "hedge", "beaten", outcome.total_ms))
        self.ticket.finish_cancelled(outcome.total_ms)

    def _error(self, outcome: Outcome) -> RequestError | None:
        provider, translation = self.member.deployment.provider, self.translation
        guarding = self.call.guarding
        if guarding is not None and (refused := guarding.refused_meanwhile) is not None:
            return refused
        if translation is not None and translation.cut:
            return None  # by a guardrail: the client has all that it gets
        if translation is None and not outcome.failure and guarding is not None and self.call.is_watched:
            if not self.sifted:
                return refusal_of_body(guarding, outcome.body)
            if guarding.passes_completion(outcome.body):
                return None
            translation = self.translation = watched(self.call, self.member.deployment)
        spoken = DIALECTS[self.call.dialect] if translation is None else translation.provider
        error = None if translation is None else self._translated(translation, outcome)
        error = error or error_of(outcome, provider, spoken)
        if isinstance(error, ClientGone) and self.run.allowance is not None and self.run.allowance.refusal is not None:
            return self.run.allowance.refusal
        if isinstance(error, ClientGone) and self.run.request.stopping:
            return ShuttingDown("The gateway is shutting down.", retry_after_s=1)
        if isinstance(error, UpstreamTimeout) and monotonic() > self.call.deadline_s - LEAST_S:
            return DeadlineExceeded("The request's deadline has passed.")
        return error

    def _translated(self, translation: Translation, outcome: Outcome) -> RequestError | None:
        """What is wrong with an answer that has to be translated, whole as it may have come."""
        if not outcome.failure and not self.call.stream:
            translation.read_whole(outcome)
        if translation.report is None:
            return translation.error
        provider = self.member.deployment.provider
        return error_of_report(translation.report, provider, translation.provider, begun=translation.begun)

    def _settle_ticket(self, outcome: Outcome, error: RequestError | None) -> None:
        ticket = self.ticket
        if error is None:
            ticket.finish_success(self.run.first_token_ms, outcome.total_ms, output_tokens(self.run))
        elif isinstance(error, ClientGone | ShuttingDown):
            waits = self.call.stream and self.run.first_token_ms is None
            ticket.finish_cancelled(outcome.total_ms if waits else None)
        elif isinstance(error, UpstreamLimited):
            ticket.finish_limited(error.retry_after_s)
        elif isinstance(error, UpstreamAuth):
            ticket.finish_auth()
        elif error.fault == "client":
            ticket.finish_neutral()
        else:
            ticket.finish_failure(error.retry_after_s)
