"""What one attempt sends: the client's own bytes where the deployment speaks its dialect, a translation elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from dragoman.core import RequestBody, Words
from dragoman.dialects.continuity import TAG, own_proofs_only
from dragoman.dialects.fields import parse_fields
from dragoman.dialects.losses import Losses, Policy
from dragoman.dialects.openai_chat import hosts
from dragoman.dialects.table import DIALECTS
from dragoman.dialects.tasks.table import TASKS, spoken_by
from dragoman.dialects.undo import Undo
from dragoman.errors import InvalidRequest, Untranslatable
from dragoman.guardrails.prompts.marks import MARKED, marked
from dragoman.routing.tasks import TaskTranslation
from dragoman.routing.translation import Relayed, Translation
from dragoman.routing.watched import Watched

if TYPE_CHECKING:
    from dragoman.dialects.dialect import Dialect, Headers
    from dragoman.routing.call import Call
    from dragoman.routing.plan import Deployment

# How an answer of the client's own dialect is followed; OpenAI's has lanes of its own (`Call.lane`).
OPENAI = "openai_chat"
SEALED_WORDS = (TAG.encode(),)
SEALED = Words(*SEALED_WORDS)


class Sending(Struct, frozen=True):
    """A request as a deployment gets it."""

    path: str
    body: bytes
    headers: Headers
    lane: str | tuple[int, int | None]
    lossy: str = ""  # the value of x-dragoman-lossy
    translation: Translation | None = None
    spoken: str = "openai_chat"  # what is sent
    held: bool = False  # the answer is the gateway's to write
    sifted: bool = False  # and read only where it may hold what guardrails look for


def sending_to(call: Call, deployment: Deployment) -> Sending:
    """What to send to a deployment.

    Raises:
        InvalidRequest: the request is not what the client's dialect says.
        Untranslatable: what would be lost is more than the policy allows.
        GuardrailBlocked: something that was to be hidden would leave.
    """
    sending = _sending(call, deployment)
    if call.guarding is not None:
        call.guarding.check_sent(sending.body)
    if not deployment.fields or not sending.body.startswith(b"{"):
        return sending
    return replace(sending, body=msgspec.json.encode({**parse_fields(sending.body).left, **deployment.fields}))


def _sending(call: Call, deployment: Deployment) -> Sending:
    surface = call.surface
    if surface is None or (call.is_watched and not surface.translated and not surface.task):
        return _unread(call, deployment)
    if surface.native_to in deployment.dialects and not surface.rewritten:
        return _as_it_is(call, deployment)
    if surface.task:
        return _task(call, deployment)
    provider = DIALECTS.get(deployment.dialects[0])
    if not surface.translated or provider is None or call.reading is None:
        raise _unsupported(call, deployment)
    return _translated(call, deployment, provider)


def _as_it_is(call: Call, deployment: Deployment) -> Sending:
    surface, body = call.surface, call.body
    assert surface is not None and call.at is not None  # noqa: S101 - for the type checker
    reading = call.reading
    if reading is None:  # a model's own body, which nobody here reads
        native = surface.native(call.at, deployment.model)
        return Sending(native, call.outgoing(deployment), call.headers, "raw", spoken=surface.native_to)
    if call.at.array or SEALED.are_in(call.raw):  # what another family has proved is not for this one
        return _translated(call, deployment, DIALECTS[surface.dialect])
    path = surface.native(call.at, deployment.model)
    if call.marks and surface.dialect in MARKED and not surface.task:
        call = _marked(call, deployment)
    if call.is_watched and not surface.task:
        return _watched(call, deployment, path)
    if surface.task and surface.dialect != OPENAI:
        spoken = TASKS[surface.native_to]
        relayed_task = TaskTranslation(reading, spoken, deployment.written_for, relayed=True)
        body_sent = call.outgoing(deployment)
        return Sending(path, body_sent, call.headers, "json", translation=relayed_task, spoken=spoken.name)
    if surface.dialect != OPENAI:
        relayed = Relayed(reading, deployment.written_for)
        lane = f"relay:{relayed.provider.framing}" if call.stream else "json"
        return Sending(
            path, call.outgoing(deployment), call.headers, lane, translation=relayed, spoken=surface.native_to
        )
    if body is None or surface.endpoint != "chat" or not hosts.concerned(body, deployment.written_for):
        followed = call.lane(deployment)
        return Sending(path, call.outgoing(deployment), call.headers, followed, spoken=surface.native_to)
    losses = Losses()
    fields = parse_fields(call.outgoing(deployment)).left
    adjusted = msgspec.json.encode(hosts.adjust(fields, deployment.written_for, losses))
    check_losses(losses, call.policy)
    return Sending(path, adjusted, call.headers, call.lane(deployment), losses.header())


def _marked(call: Call, deployment: Deployment) -> Call:
    """A request of the client's own dialect, with marks for the provider's prompt cache."""
    assert call.surface is not None and call.reading is not None and call.body is not None  # noqa: S101
    request, target = call.reading.request, deployment.written_for
    with_marks = marked(request, target)
    if with_marks is request or with_marks == request:
        return call
    own = msgspec.structs.replace(target, model=call.body.model or target.model)
    raw = DIALECTS[call.surface.dialect].write_request(with_marks, own, Losses()).body
    return replace(call, raw=raw, body=RequestBody(raw))


def _watched(call: Call, deployment: Deployment, path: str) -> Sending:
    """The client's own bytes, and an answer that is read, looked at and written anew."""
    assert call.surface is not None and call.reading is not None and call.guarding is not None  # noqa: S101
    losses, body = Losses(), call.outgoing(deployment)
    if call.dialect == OPENAI and call.body is not None and hosts.concerned(call.body, deployment.written_for):
        body = msgspec.json.encode(hosts.adjust(parse_fields(body).left, deployment.written_for, losses))
        check_losses(losses, call.policy)
    dialect = DIALECTS[call.surface.dialect]
    translation: Translation
    if call.guarding.changes_answer:
        translation = Translation(call.reading, dialect, deployment.written_for, Undo(), call.guarding)
        lane = f"events:{dialect.framing}" if call.stream else "json"
    elif call.dialect == OPENAI and not call.stream and call.guarding.sifts_answers:
        lossy, spoken = losses.header(), call.surface.native_to
        return Sending(path, body, call.headers, "whole", lossy, spoken=spoken, held=True, sifted=True)
    else:
        translation = watched(call, deployment)
        lane = f"relay:{dialect.framing}" if call.stream else "json"
    return Sending(path, body, call.headers, lane, losses.header(), translation, call.surface.native_to)


def watched(call: Call, deployment: Deployment) -> Watched:
    """What looks at an answer of the client's own dialect."""
    assert call.reading is not None and call.guarding is not None  # noqa: S101 - for the type checker
    return Watched(
        call.reading,
        deployment.written_for,
        call.guarding,
        hides_usage=call.hides_usage(deployment),
        wants_cost=call.wants_cost,
    )


def _unread(call: Call, deployment: Deployment) -> Sending:
    """An answer of which nothing is known but that it may be JSON. Where it is watched, it has to come whole."""
    if call.is_watched and call.stream:
        message = f"A stream of {call.endpoint} cannot be looked into, which a guardrail here asks for: do not stream."
        raise InvalidRequest(message, code="unguarded_stream", param="stream")
    path = call.path
    if call.surface is not None and call.at is not None:
        path = call.surface.native(call.at, deployment.model)
    lane = "json" if call.is_watched and call.passed_through else call.lane(deployment)
    return Sending(path, call.outgoing(deployment), call.headers, lane, held=call.is_watched)


def _task(call: Call, deployment: Deployment) -> Sending:
    """Vectors or a ranking, of a provider that has another format for them."""
    assert call.surface is not None and call.reading is not None  # noqa: S101 - for the type checker
    provider = spoken_by(deployment.dialects, call.surface.task)
    if provider is None:
        raise _unsupported(call, deployment)
    losses, target = Losses(), deployment.written_for
    outgoing = provider.write_request(call.reading.asked, target, losses)
    check_losses(losses, call.policy)
    translation = TaskTranslation(call.reading, provider, target)
    headers = outgoing.headers + call.trace
    return Sending(outgoing.path, outgoing.body, headers, "json", losses.header(), translation, provider.name)


def _unsupported(call: Call, deployment: Deployment) -> Untranslatable:
    message = f"{deployment.provider} has no {call.endpoint}."
    return Untranslatable(message, code="unsupported_endpoint", param="model")


def _translated(call: Call, deployment: Deployment, provider: Dialect) -> Sending:
    assert call.reading is not None  # noqa: S101 - for the type checker
    losses, target, request = Losses(), deployment.written_for, call.reading.request
    if request.dialect in (provider.name, provider.wraps):
        own = own_proofs_only(request.messages, target.family, target.model)
        if own != request.messages:
            losses.drop("reasoning", "not this model's own")
        request = replace(request, messages=own)
    if call.marks and provider.name in MARKED:
        request = marked(request, target)
    outgoing = provider.write_request(request, target, losses)
    check_losses(losses, call.policy)
    translation = Translation(call.reading, provider, target, outgoing.undo, call.guarding)
    lane = f"events:{provider.framing}" if call.stream else "json"
    headers = outgoing.headers + call.trace
    return Sending(outgoing.path, outgoing.body, headers, lane, losses.header(), translation, provider.name)


def check_losses(losses: Losses, policy: Policy) -> None:
    """Hold what a request loses to the policy.

    Raises:
        Untranslatable: it is more than the policy allows; names the field.
    """
    refused = losses.refused(policy)
    if not refused:
        return
    first = refused[0]
    fields = ", ".join(loss.field for loss in refused)
    reason = f" ({first.why})" if first.why else ""
    raise Untranslatable(
        f"The provider cannot carry {fields}{reason}. Leave it out, choose another model, or send the header "
        "x-dragoman-lossy: allow.",
        param=first.field,
    )
