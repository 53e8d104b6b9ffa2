"""A request of the gateway's own: asked, recorded and paid for like any other, and answered to nobody."""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import structs
from msgspec.structs import replace

from dragoman.access.knobs import NONE
from dragoman.cache.embedders import Meaning
from dragoman.core import RequestBody
from dragoman.dialects.canonical import Message, Text
from dragoman.dialects.dialect import Path, Target
from dragoman.dialects.fields import Unreadable
from dragoman.dialects.losses import Losses
from dragoman.dialects.table import DIALECTS
from dragoman.dialects.tasks import openai_embeddings
from dragoman.errors import RequestError
from dragoman.guardrails.prompts.apply import conversation_of
from dragoman.ledger.bound import bound_of
from dragoman.routing.attempts import dispatch
from dragoman.routing.call import Admitted, Call
from dragoman.routing.reading import Reading
from dragoman.routing.run import Run
from dragoman.routing.settle import settle, text_of
from dragoman.routing.surface import Surface
from dragoman.routing.tasks import TaskTranslation

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
EMBEDDED = Surface(
    endpoint="embeddings",
    dialect="openai_chat",
    spoken="openai_embeddings",
    native=lambda at, model: "/embeddings",
    counted="embeddings",
    task="openai_embeddings",
)


async def _asked(gateway: Gateway, plan: Plan, call: Call, run: Run) -> Run | None:
    """Ask, and record and pay for it; ``None``: there is no answer."""
    run.request.watched = True  # nobody hangs up
    run.planned(plan.alias, run.end_user, call.knobs, None)
    try:
        concern, accounting = gateway.holds.concern(run), gateway.snapshot.config.ledger
        if concern is not None:
            await gateway.holds.take(run, concern, call, bound_of(call, plan, None, accounting), accounting)
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


async def _ask_own(gateway: Gateway, run: Run, alias: str, call: Call) -> Run | None:
    """Ask a model something of the gateway's own."""
    try:
        plan = gateway.snapshot.plan(alias, (), run.principal)
    except RequestError as error:
        log.error("the %s asks for the model %r: %s", run.endpoint, alias, error.message)
        return None
    return await _asked(gateway, plan, call, run)


def _own_call(surface: Surface, raw: bytes, deadline_s: float) -> Call:
    at = Path()
    return Call(
        endpoint=surface.endpoint,
        path="",
        raw=raw,
        body=RequestBody(raw),
        knobs=NONE,
        deadline_s=deadline_s,
        session="",
        headers=[],
        surface=surface,
        at=at,
        reading=Reading(DIALECTS[surface.dialect], raw, at, surface.task),
        policy="allow",
    )


def _anything(principal: Principal) -> Principal:
    """The same, allowed every model: what the gateway asks for somebody need not be allowed to that one."""
    return structs.replace(principal, allow=("*",))


async def ask_model(gateway: Gateway, asked_by: Run, alias: str, raw: bytes, timeout_s: float) -> str | None:
    """Ask a model for a guardrail: the text of its answer, ``None`` where there is none.

    :param asked_by: for whose request.
    :param raw: a chat request of OpenAI's.
    """
    run = _apart(asked_by, "guardrail", _anything(asked_by.principal))
    return _text(await _ask_own(gateway, run, alias, _own_call(JUDGED, raw, monotonic() + timeout_s)))


async def ask_embedding(gateway: Gateway, call: Call, asked_by: Run, alias: str, text: str) -> Meaning | None:
    """Ask a model for the vector of a question; ``None`` where there is none, or not in time.

    :param call: what was asked; what is left of its time is all there is.
    """
    run = _apart(asked_by, "cache", _anything(asked_by.principal))
    raw = msgspec.json.encode({"model": alias, "input": text, "encoding_format": "float"})
    deadline_s = min(call.deadline_s, monotonic() + gateway.snapshot.config.cache.embedding_timeout_s)
    answered = await _ask_own(gateway, run, alias, _own_call(EMBEDDED, raw, deadline_s))
    if answered is None or answered.outcome is None or answered.deployment is None:
        return None
    return _meaning(answered, raw)


def _meaning(run: Run, raw: bytes) -> Meaning | None:
    assert run.outcome is not None and run.deployment is not None  # noqa: S101 - for the type checker
    try:
        if isinstance(run.translation, TaskTranslation):
            told = run.translation.told
        else:
            asked = openai_embeddings.TASK.read_request(raw, Path())
            told = openai_embeddings.TASK.read_answer(run.outcome.body, asked, run.deployment.written_for)
    except Unreadable:
        return None
    model = f"{run.deployment.provider}/{run.deployment.model}"
    return Meaning(model, told.floats[0]) if len(told.floats) == 1 else None


async def ask_again(gateway: Gateway, plan: Plan, asked_by: Run, call: Call, said: str, reason: str) -> Answer | None:
    """Ask for an answer once more, whole, with what is wrong with the first; ``None`` where none comes.

    :param call: what was asked; what is left of its time is all there is.
    :param said: by the first.
    """
    assert call.surface is not None and call.reading is not None and call.at is not None  # noqa: S101
    asked, dialect = call.reading.request, DIALECTS[call.dialect]
    complaint = Message(role="user", blocks=(Text(text=COMPLAINT.format(reason)),))
    first = Message(role="assistant", blocks=(Text(text=said),) if said else ())
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
