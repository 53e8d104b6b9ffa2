"""The first attempt of a plain request, by :class:`~dragoman.core.Launcher`: chosen, written and sent in one call.

A request is plain where a deployment gets the client's own bytes but for its model, and nothing here looks into the
answer. Where all members of a tier take such requests as they come, nothing has to be known of the one that is chosen
before it is sent. Whatever becomes of the attempt is judged as that of any other, and what is tried after it is sent
step by step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman.core import Launcher
from dragoman.dialects.openai_chat.hosts import refused_by
from dragoman.routing.attempt import Attempt, time_left_s
from dragoman.routing.call import GATEWAY_FIELDS
from dragoman.routing.plan import told_of
from dragoman.routing.sending import OPENAI, SEALED

if TYPE_CHECKING:
    from dragoman.config.schema import Limits
    from dragoman.core import Balancer, Launched, Tier
    from dragoman.routing.call import Call
    from dragoman.routing.plan import Member, Plan
    from dragoman.routing.run import Run

ENDPOINT, PATH = "chat", "/chat/completions"


def launcher_of(balancer: Balancer, tier: Tier, members: list[Member], limits: Limits) -> Launcher | None:
    """What sends to the members of a tier; ``None`` where one of them wants more than the client's bytes."""
    if any(_wants_more(member) for member in members):
        return None
    refused = {name for member in members for name in refused_by(member.deployment.written_for)}
    return Launcher(
        (balancer, tier),
        [_seat(member) for member in members],
        fields=(list(GATEWAY_FIELDS), sorted(refused)),
        heartbeat_s=limits.heartbeat_s,
        sizes=(limits.max_answer_bytes, limits.max_event_bytes),
    )


def _wants_more(member: Member) -> bool:
    deployment = member.deployment
    speaks = OPENAI in deployment.dialects
    return not speaks or bool(deployment.fields) or member.signer is not None or member.is_limited


def _seat(member: Member) -> dict[str, object]:
    deployment = member.deployment
    return {
        "index": member.index,
        "target": member.elsewhere.get(OPENAI, member.target),
        "path": PATH,
        "model": None if deployment.model == "*" else deployment.model,
        "asks_usage": deployment.streams_usage,
        "told": told_of(deployment),
        "first_byte_s": deployment.timeouts.first_byte_s,
        "idle_s": deployment.timeouts.idle_s,
        "total_s": deployment.timeouts.total_s,
    }


def is_plain(call: Call, plan: Plan) -> bool:
    """Whether a call is one that is sent as it came, and its answer given as it comes, if no guardrail is for it."""
    return (
        call.endpoint == ENDPOINT
        and call.body is not None
        and call.reading is not None
        and not (call.marks or call.wants_cost or call.passed_through)
        and call.dialect == OPENAI
        and (plan.hedge is None or not call.stream)
        and not plan.limited
        and not SEALED.are_in(call.raw)
    )


def launched(call: Call, plan: Plan, run: Run, session: int | None, limits: Limits) -> Attempt | None:
    """Send the first attempt of a plain request; ``None``: it is not plain, or there is nobody to choose.

    Raises:
        RequestError: nothing may be sent any more.
    """
    tier = plan.tiers[0]
    if tier.launcher is None or call.body is None or call.guarding is not None or not is_plain(call, plan):
        return None
    request = run.request
    remaining_s = time_left_s(call, run)
    sent = tier.launcher.launch(
        request.reply,
        call.body,
        headers=(call.headers, run.first_headers(1), run.further_headers()),
        within_s=(remaining_s, call.knobs.first_byte_s),
        ask=(session, len(plan.tiers) == 1),
    )
    return None if sent is None else taken_up(sent, call, plan, run, limits)


def taken_up(sent: Launched, call: Call, plan: Plan, run: Run, limits: Limits) -> Attempt:
    """An attempt that has been sent to the first tier."""
    attempt = Attempt(plan.tiers[0].members[sent.ticket.index], sent.ticket, call, run, limits)
    run.chosen(attempt.member)
    run.sent_headers = sent.headers
    attempt.sifted = call.is_watched
    attempt.sent(sent.exchange)
    return attempt
