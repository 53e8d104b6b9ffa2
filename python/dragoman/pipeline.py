"""The way of one request, straight down. Each step takes the typed result of the one before, so none can be skipped.

The dispatcher takes nothing but an :class:`~dragoman.routing.call.Admitted`, and what was tried and written is in the
:class:`~dragoman.routing.run.Run` that the request has from the moment its key is known: whatever happens then, the run
is settled, once.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from dragoman.access.knobs import Knobs, policy_of, read_knobs, with_cache_fields
from dragoman.cache.serve import Provider, look_of, through_cache
from dragoman.cache.watch import Watch, agree
from dragoman.core import BodyError, RequestBody, TokenCount
from dragoman.dialects.table import ARRAYS, DIALECTS
from dragoman.driver import Driver
from dragoman.errors import InvalidRequest, RequestError
from dragoman.guardrails.called.asked import Asking
from dragoman.guardrails.guarding import Calling
from dragoman.guardrails.prompts.apply import called_in, shaped, without_call
from dragoman.guardrails.prompts.build import NO_RULES
from dragoman.guardrails.prompts.template import Filled, fill
from dragoman.guardrails.request import hidden, schema_of_call, texts_of_call
from dragoman.routing.apart import ask_apart, ask_model
from dragoman.routing.attempts import dispatch
from dragoman.routing.call import Admitted, Call
from dragoman.routing.continuity import completed, remember
from dragoman.routing.reading import Reading, count_texts
from dragoman.routing.run import Run
from dragoman.routing.settle import settle
from dragoman.routing.stored import OWN_PREFIX, expanded, keep, previous_of
from dragoman.telemetry.trace import outgoing_trace
from dragoman.usage.row import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman.access.principal import Principal
    from dragoman.cache.kept import Kept
    from dragoman.dialects.canonical import Request as Asked
    from dragoman.dialects.dialect import Path
    from dragoman.gateway import Gateway
    from dragoman.guardrails.guarding import Guarding
    from dragoman.guardrails.prompts.build import Rules
    from dragoman.guardrails.verdict import Passage
    from dragoman.routing.plan import Deployment, Plan
    from dragoman.routing.surface import Surface
    from dragoman.server.request import Request

# Text that is not in the counter's memory is counted on the way up to this size, and estimated beyond it.
COUNT_BYTES = 8 * 1024


async def serve(gateway: Gateway, request: Request, surface: Surface, at: Path) -> None:
    """Serve one request to generate, or to embed."""
    snapshot = gateway.snapshot
    principal = gateway.authenticate(request)
    run = Run(request, snapshot.number, principal, surface.endpoint)
    try:
        knobs = read_knobs(request.headers, principal)
        came = await come(gateway, request, surface, at, knobs, principal)
        raw, body, knobs, at = came.raw, came.body, came.knobs, came.at
        plan = snapshot.plan(at.model or body.model or snapshot.alias_of(knobs.deployment), knobs.fallbacks, principal)
        run.planned(plan.alias, body.end_user or "", knobs, outgoing_trace(request.headers))
        rules = snapshot.prompts.rules(principal, plan.alias)
        if came.filled is not None or rules is not NO_RULES:
            came = controlled(came, surface, rules, run)
            raw, body = came.raw, came.body
        run.guarding = guarding = snapshot.guardrails.begin(principal, plan.alias, gateway.pepper)
        shown, read_of = (raw, came.asked) if guarding is None else hidden(guarding, raw, came.asked)
        call = Call(
            endpoint=surface.endpoint,
            path="",
            raw=shown,
            body=body if shown is raw else read(shown, snapshot.config.server.limits.max_json_depth),
            knobs=knobs,
            deadline_s=request.arrived_s + min(knobs.deadline_s or plan.deadline_s, plan.deadline_s),
            session=session_of(plan.session_by, knobs, run.end_user, principal.key_id),
            headers=forwarded(request, surface) + run.trace_headers,
            trace=run.trace_headers,
            surface=surface,
            at=at,
            reading=reading_of(surface, body, read_of, at, partial(completed, gateway.turns, principal)),
            policy=policy_of(knobs, principal, snapshot.config.defaults.lossy),
            guarding=guarding,
            marks=rules.marks,
        )
        run.stream, run.wants_cost = call.stream, call.wants_cost
        if guarding is not None:
            texts = texts_of_call(call)
            guarding.check_input(texts, schema_of_call(call))
            await call_out(gateway, guarding, run, texts, may_wait=surface.translated and not surface.task)
        run.before_end = partial(_keep, gateway, came.asked if surface.stores else b"")
        ask = partial(_ask, gateway, call, plan, run)
        watches = gateway.answers.semantics.watches
        look = None if came.goes_on else look_of(call, plan, run, snapshot.config.cache, raw, watches)
        if look is None:
            await ask()
        else:
            if guarding is not None:
                await guarding.settled()
            provider = Provider(ask, partial(_check, gateway, call, plan, run))
            await through_cache(gateway.answers, look, call, run, provider)
    except RequestError as error:
        run.fail(error)
        raise
    finally:
        settle(gateway, run)


def controlled(came: Came, surface: Surface, rules: Rules, run: Run) -> Came:
    """The request as prompt controls leave it.

    Raises:
        InvalidRequest: it asks for what is forbidden, or cannot be controlled.
    """
    done = shaped(came.raw, surface, came.at, came.filled, rules)
    run.prompt, run.adjusted = came.filled.told if came.filled is not None else "", done.changed
    if done.raw is came.raw:
        return came
    asked = done.raw if came.asked is came.raw else shaped(came.asked, surface, came.at, came.filled, rules).raw
    return came._replace(raw=done.raw, body=RequestBody(done.raw), asked=asked)


async def _ask(gateway: Gateway, call: Call, plan: Plan, run: Run) -> None:
    """Ask a provider."""
    await dispatch(gateway, admit(gateway, call, plan), run)


class Came(NamedTuple):
    """A request as it has come."""

    raw: bytes
    body: RequestBody
    knobs: Knobs
    at: Path
    asked: bytes  # with all that it goes on from
    goes_on: bool  # from an answer that is stored
    filled: Filled | None  # the template that it calls


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
    knobs, ours = with_cache_fields(knobs, body, principal)
    if ours:
        raw = body.rewrite(model=None, ask_usage=False, remove=ours)
        body = read(raw, max_depth)
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


async def call_out(
    gateway: Gateway, guarding: Guarding, run: Run, texts: list[Passage], *, may_wait: bool = False
) -> None:
    """Show a request to the guardrails that are called out.

    :param may_wait: the answer can be held until those have answered that are asked beside the model.

    Raises:
        GuardrailBlocked: one of them refuses it, or cannot look at it and may not be passed by.
    """
    if not guarding.called:
        return
    asking = Asking(
        guardrail="",
        request_id=run.request.id,
        key=run.principal.name,
        team=run.principal.team,
        model=run.alias,
        is_answer=False,
        judge=partial(ask_model, gateway, run),
    )
    guarding.calling = Calling(asking, gateway.loop)
    await guarding.ask_input(texts, may_wait=may_wait)


def _check(gateway: Gateway, call: Call, plan: Plan, run: Run, watch: Watch, kept: Kept) -> None:
    """Begin to see whether an answer that was given to another question was right."""

    async def checked() -> None:
        text = await ask_apart(gateway, call, plan, run)
        if text is not None:
            watch.note(right=agree(text[: len(kept.text)], kept.text, gateway.answers.semantics.embedder))

    gateway.loop.call_soon_threadsafe(Driver(checked(), None, gateway.loop).start)


def _keep(gateway: Gateway, asked: bytes, run: Run) -> None:
    """Keep what the client may come back to, before it can.

    :param asked: the request, where its answer may be stored.
    """
    remember(gateway.turns, run)
    if asked:
        keep(gateway.responses, run, asked)


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
    template = gateway.snapshot.prompts.config.templates.get(called.id)
    if template is None and surface.stores:
        return None  # a prompt that the provider has stored
    return fill(called, template)


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
    surface: Surface, body: RequestBody, raw: bytes, at: Path, complete: Callable[[Asked], Asked]
) -> Reading | None:
    """What reads the request; ``None`` for a model's own body, which is nobody's to read."""
    if surface.known_by and body.field(surface.known_by) is None:
        return None
    dialects = ARRAYS if at.array else DIALECTS
    return Reading(dialects[surface.dialect], raw, at, surface.task, complete=complete)


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


def admit(gateway: Gateway, call: Call, plan: Plan) -> Admitted:
    """Count and price a call before it is sent.

    Raises:
        InvalidRequest: there is nothing to count.
    """
    deployment = plan.first
    try:
        counted = count(call, deployment)
    except ValueError as error:
        raise InvalidRequest(f"This is no {call.endpoint} request: {error}.") from None
    cost_nanousd = None
    if deployment.rates is not None and call.body is not None and counted is not None:
        output = call.body.max_tokens or gateway.typical_output(deployment.known_as)
        cost_nanousd = deployment.rates.cost(Tokens(input=counted.tokens, output=output))
    return Admitted(call=call, plan=plan, counted=counted, cost_estimate_nanousd=cost_nanousd)


def count(call: Call, deployment: Deployment) -> TokenCount | None:
    """How many tokens the prompt is: by OpenAI's rules in its dialect, else by its texts; ``None``: unread."""
    surface, reading = call.surface, call.reading
    if surface is not None and surface.counted == "text":
        return None if reading is None else count_texts(reading.texts, deployment, COUNT_BYTES)
    endpoint = "chat" if surface is None or surface.counted == "text" else surface.counted
    return deployment.counter.count_request(
        call.raw.removeprefix(BOM_UTF8), model=deployment.model, endpoint=endpoint, max_fresh_bytes=COUNT_BYTES
    )
