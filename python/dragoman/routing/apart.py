"""A request of the gateway's own: asked, recorded and paid for like any other, and answered to nobody."""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING, Any

from msgspec import structs
from msgspec.structs import replace

from dragoman.access.knobs import NONE
from dragoman.core import RequestBody
from dragoman.dialects.canonical import Message, Text
from dragoman.dialects.dialect import Path, Target
from dragoman.dialects.fields import Unreadable
from dragoman.dialects.losses import Losses
from dragoman.dialects.table import DIALECTS
from dragoman.errors import RequestError
from dragoman.guardrails.prompts.apply import conversation_of
from dragoman.routing.attempts import dispatch
from dragoman.routing.call import Admitted, Call
from dragoman.routing.reading import Reading
from dragoman.routing.run import Run
from dragoman.routing.settle import settle, text_of
from dragoman.routing.surface import Surface

if TYPE_CHECKING:
    from dragoman.access.principal import Principal
    from dragoman.dialects.canonical import Answer
    from dragoman.gateway import Gateway
    from dragoman.routing.plan import Plan

log = logging.getLogger("dragoman")

PATIENCE_S = 120.0


class _Taken:
    def __await__(self) -> Any:
        return iter(())


class Nobody:
    """Whom it is answered to: takes everything, as granian's protocol does, and keeps nothing."""

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """A whole answer."""

    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> Nobody:
        """A stream."""
        return self

    def send_bytes(self, data: bytes) -> _Taken:
        """A piece of it."""
        return _Taken()


# What is said of an answer that is asked for once more.
COMPLAINT = "That answer cannot be used: {}. Answer again, with the JSON alone and nothing before or after it."
# How a model is asked whose answer is for the gateway alone.
JUDGED = Surface(endpoint="chat", dialect="openai_chat", native=lambda at, model: "/chat/completions", counted="chat")


async def _asked(gateway: Gateway, plan: Plan, call: Call, run: Run) -> Run | None:
    """Ask, and record and pay for it; ``None``: there is no answer."""
    run.request.watched = True  # nobody hangs up
    run.planned(plan.alias, run.end_user, call.knobs, None)
    try:
        if gateway.holds.concern(run):
            await gateway.holds.take(run, call, plan, None, gateway.snapshot.config.ledger)
        run.body = run.sent_body = call.raw
        await gateway.auditor.before(run)
        await dispatch(gateway, Admitted(call=call, plan=plan, counted=None, cost_estimate_nanousd=None), run)
    except RequestError as error:
        run.fail(error)
        return None
    finally:
        settle(gateway, run)
    return run


def _apart(asked_by: Run, endpoint: str, principal: Principal | None = None) -> Run:
    """A run of its own, for the same key and end user."""
    run = Run(asked_by.request.part(Nobody()), asked_by.snapshot, principal or asked_by.principal, endpoint)
    run.end_user = asked_by.end_user
    return run


def _text(run: Run | None) -> str | None:
    return None if run is None or run.outcome is None else text_of(run, run.outcome)[0]


async def ask_model(gateway: Gateway, asked_by: Run, alias: str, raw: bytes, timeout_s: float) -> str | None:
    """Ask a model something of the gateway's own: the text of its answer, ``None`` where there is none.

    :param asked_by: for whose request; it need not be allowed the model itself.
    :param raw: a chat request of OpenAI's.
    """
    principal = structs.replace(asked_by.principal, allow=("*",))
    try:
        plan = gateway.snapshot.plan(alias, (), principal)
    except RequestError as error:
        log.error("a guardrail asks for the model %r: %s", alias, error.message)
        return None
    at = Path()
    call = Call(
        endpoint="chat",
        path="",
        raw=raw,
        body=RequestBody(raw),
        knobs=NONE,
        deadline_s=monotonic() + timeout_s,
        session="",
        headers=[],
        surface=JUDGED,
        at=at,
        reading=Reading(DIALECTS["openai_chat"], raw, at),
        policy="allow",
    )
    return _text(await _asked(gateway, plan, call, _apart(asked_by, "guardrail", principal)))


async def ask_again(
    gateway: Gateway, plan: Plan, asked_by: Run, call: Call, answer: Answer, reason: str
) -> Answer | None:
    """Ask for an answer once more, with what is wrong with the first; ``None`` where none comes.

    :param call: what was asked; what is left of its time is all there is.
    """
    assert call.surface is not None and call.reading is not None and call.at is not None  # noqa: S101
    asked, dialect = call.reading.request, DIALECTS[call.dialect]
    complaint = Message(role="user", blocks=(Text(text=COMPLAINT.format(reason)),))
    first = Message(role="assistant", blocks=tuple(one for one in answer.choices[0].blocks if type(one) is Text))
    extra = {name: value for name, value in asked.extra.items() if name != conversation_of(call.dialect)}
    again = replace(asked, messages=(*asked.messages, first, complaint), extra=extra, stream=False)
    target = Target(model=asked.model, stream_usage=False)
    raw = dialect.write_request(again, target, Losses()).body
    own = replace(call, raw=raw, body=RequestBody(raw), reading=Reading(dialect, raw, call.at), guarding=None)
    run = await _asked(gateway, plan, own, _apart(asked_by, "guardrail"))
    if run is None or run.outcome is None:
        return None
    if run.translation is not None and run.translation.answer is not None:
        return run.translation.answer
    try:
        return dialect.read_answer(run.outcome.body, target)
    except Unreadable:
        return None


async def ask_apart(gateway: Gateway, call: Call, plan: Plan, asked_by: Run) -> str | None:
    """Ask once more what somebody has asked: the text of the answer, ``None`` where there is none."""
    run = _apart(asked_by, asked_by.endpoint)
    run.cache = "check"
    return _text(await _asked(gateway, plan, replace(call, deadline_s=monotonic() + PATIENCE_S), run))
