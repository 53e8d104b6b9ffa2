"""A request that has come: read, its template filled in, put under the controls of prompts, and made a call."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from dragoman.access.cache_knobs import FIELDS
from dragoman.access.knobs import Knobs, policy_of, with_cache_fields
from dragoman.core import BodyError, RequestBody, Words
from dragoman.dialects.table import ARRAYS, DIALECTS
from dragoman.errors import InvalidRequest
from dragoman.guardrails.prompts.apply import called_in, shaped, without_call
from dragoman.guardrails.prompts.template import Filled, fill
from dragoman.guardrails.request import hidden
from dragoman.routing.call import Call
from dragoman.routing.continuity import completed
from dragoman.routing.reading import Reading
from dragoman.routing.stored import OWN_PREFIX, expanded, previous_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman.access.principal import Principal
    from dragoman.config.prompting import Prompt
    from dragoman.dialects.canonical import Request as Asked
    from dragoman.dialects.dialect import Path
    from dragoman.gateway import Gateway
    from dragoman.guardrails.prompts.build import Rules
    from dragoman.routing.plan import Plan
    from dragoman.routing.run import Run
    from dragoman.routing.surface import Surface
    from dragoman.server.request import Request


# A body up to this size is seen through in a millisecond, whatever guardrails there are.
SHORT_BYTES = 32 * 1024
# Parts of bodies for whose sake the database may be asked, which may take long: calls of tools.
RECALLING_WORDS = (b'"tool_call', b'"tool_use"', b'"toolUse"', b'"functionCall"', b'"function_call"')
RECALLING = Words(*RECALLING_WORDS)


class Came(NamedTuple):
    """A request as it has come."""

    raw: bytes
    body: RequestBody
    knobs: Knobs
    at: Path
    asked: bytes  # with all that it goes on from
    goes_on: bool  # from an answer that is stored
    filled: Filled | None  # the template that it calls
    shown_raw: bytes | None = None  # as its client sent it, where something was put into it
    marks: bool = False  # what a provider may cache of the prompt is marked for it


async def come(
    gateway: Gateway, request: Request, surface: Surface, at: Path, knobs: Knobs, principal: Principal
) -> Came:
    """Read a request's body, and what it says beside what it asks.

    Raises:
        RequestError: it has not come whole, or cannot be read.
    """
    raw = await gateway.read_body(request)
    if at.model:
        gateway.check_signature(request, surface.native(at, at.model), raw)
    max_depth = gateway.snapshot.config.server.limits.max_json_depth
    body = read(raw, max_depth)
    if any(map(body.field, FIELDS)):
        knobs, ours = with_cache_fields(knobs, body, principal)
        raw = body.rewrite(model=None, ask_usage=False, remove=ours) if ours else raw
        body = read(raw, max_depth) if ours else body
    filled = filled_in(gateway, body, surface)
    if filled is not None:
        raw = without_call(raw, filled, surface, at)
        body = read(raw, max_depth)
    check_model(body, at)
    if surface.streams_by_default and at.stream is None:
        at = msgspec.structs.replace(at, stream=body.field("stream") != b"false")
    previous = previous_of(gateway.responses, principal, body) if surface.stores else None
    asked = raw if previous is None else expanded(raw, previous)
    if previous is not None and previous.id.startswith(OWN_PREFIX):
        raw, body = asked, read(asked, max_depth)
    return Came(raw, body, with_body_fallbacks(knobs, body), at, asked, previous is not None, filled)


def is_short(came: Came, surface: Surface) -> bool:
    """Whether a request is seen through at once, and nothing has to be looked up for it."""
    return len(came.raw) <= SHORT_BYTES and not surface.stores and not RECALLING.are_in(came.raw)


def filled_in(gateway: Gateway, body: RequestBody, surface: Surface) -> Filled | None:
    """The template that a request calls, with its values.

    Raises:
        RequestError: there is no such template, or a value is not what it is to be.
    """
    if surface.task or body.field("prompt") is None:
        return None
    called = called_in(body, is_text_too=not surface.translated)
    if called is None:
        return None
    template = template_of(gateway, called.id)
    if template is None and surface.stores:
        return None  # a prompt that the provider has stored
    return fill(called, template)


def template_of(gateway: Gateway, name: str) -> Prompt | None:
    """A template, from the configuration or the store."""
    return gateway.snapshot.prompts.config.templates.get(name) or gateway.prompts.find(name)


def controlled(came: Came, surface: Surface, rules: Rules, run: Run, canary: str) -> Came:
    """The request as prompt controls leave it.

    Raises:
        InvalidRequest: it asks for what is forbidden, or cannot be controlled.
    """
    done = shaped(came.raw, surface, came.at, came.filled, rules, canary)
    run.prompt, run.adjusted = came.filled.told if came.filled is not None else "", done.changed
    came = came._replace(marks=rules.marks)
    if done.raw is came.raw:
        return came
    whole = came.asked is came.raw
    asked = done.raw if whole else shaped(came.asked, surface, came.at, came.filled, rules, canary).raw
    return came._replace(raw=done.raw, body=RequestBody(done.raw), asked=asked, shown_raw=came.raw)


def call_of(gateway: Gateway, came: Came, surface: Surface, plan: Plan, run: Run) -> Call:
    """What is to be sent, as providers may see it.

    Raises:
        GuardrailBlocked: it holds what is to be refused.
    """
    request, knobs, config = run.request, came.knobs, gateway.snapshot.config
    guarding, raw = run.guarding, came.raw
    sent, read_of = (raw, came.asked) if guarding is None else hidden(guarding, raw, came.asked)
    complete = partial(completed, gateway.turns, run.principal)
    return Call(
        endpoint=surface.endpoint,
        path="",
        raw=sent,
        body=came.body if sent is raw else read(sent, config.server.limits.max_json_depth),
        knobs=knobs,
        deadline_s=request.arrived_s + min(knobs.deadline_s or plan.deadline_s, plan.deadline_s),
        session=session_of(plan.session_by, knobs, run.end_user, run.principal.key_id),
        headers=forwarded(request, surface) + run.trace_headers,
        trace=run.trace_headers,
        surface=surface,
        at=came.at,
        reading=reading_of(surface, came.body, read_of, came.at, complete, came.shown_raw),
        policy=policy_of(knobs, run.principal, config.defaults.lossy),
        guarding=guarding,
        marks=came.marks,
    )


def read(raw: bytes, max_depth: int) -> RequestBody:
    """Read a request's body.

    Raises:
        InvalidRequest: it is not what JSON allows; names the field.
    """
    try:
        return RequestBody(raw, max_depth)
    except BodyError as error:
        raise InvalidRequest(error.message, code=error.code, param=error.path or None) from None


def check_model(body: RequestBody, at: Path) -> None:
    """See that a request names its model.

    Raises:
        InvalidRequest: it does not.
    """
    if not body.model and not at.model and "x-dragoman-deployment" not in at.headers:
        raise InvalidRequest("The field model is missing.", code="missing_model", param="model")


def reading_of(
    surface: Surface,
    body: RequestBody,
    raw: bytes,
    at: Path,
    complete: Callable[[Asked], Asked],
    shown_raw: bytes | None = None,
) -> Reading | None:
    """What reads the request; ``None`` for a model's own body, which is nobody's to read.

    :param shown_raw: the body that the client may be told of, where that is another.
    """
    if surface.known_by and body.field(surface.known_by) is None:
        return None
    dialects = ARRAYS if at.array else DIALECTS
    return Reading(dialects[surface.dialect], raw, at, surface.task, complete=complete, shown_raw=shown_raw)


def forwarded(request: Request, surface: Surface) -> list[tuple[str, str]]:
    """The client's headers that mean something to a provider of its dialect."""
    headers = request.headers
    return [(name, headers[name]) for name in surface.forwarded if name in headers]


def with_body_fallbacks(knobs: Knobs, body: RequestBody) -> Knobs:
    """The knobs, with the fallbacks that the body names (a list of aliases)."""
    raw = body.field("fallbacks")
    if raw is None or knobs.fallbacks:
        return knobs
    try:
        names = msgspec.json.decode(raw, type=tuple[str, ...])
    except msgspec.DecodeError:
        raise InvalidRequest("The field fallbacks is not a list of model names.", param="fallbacks") from None
    return msgspec.structs.replace(knobs, fallbacks=names[:8])


def session_of(session_by: str, knobs: Knobs, end_user: str, key_id: str) -> str:
    """What keeps requests together at one deployment, where the route's strategy asks for it."""
    if session_by == "key":
        return key_id
    if session_by == "end_user":
        return end_user or key_id
    return knobs.session or end_user or key_id
