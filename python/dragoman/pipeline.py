"""The way of one request, straight down. Each step takes the typed result of the one before, so none can be skipped.

The dispatcher takes nothing but an :class:`~dragoman.routing.call.Admitted`, and what was tried and written is in the
:class:`~dragoman.routing.run.Run` that the request has from the moment its key is known: whatever happens then, the run
is settled, once.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from functools import partial
from typing import TYPE_CHECKING, cast

from dragoman.access.knobs import read_knobs
from dragoman.cache.once import MOST_BYTES, Answering
from dragoman.cache.serve import Provider, is_looked_for, look_of, through_cache
from dragoman.cache.watch import Watch, agree
from dragoman.core import Recording, TokenCount
from dragoman.driver import AtClient, Driver
from dragoman.errors import InvalidRequest, RequestError
from dragoman.guardrails.called.asked import Asking
from dragoman.guardrails.guarding import Calling
from dragoman.guardrails.prompts.build import NO_RULES
from dragoman.guardrails.request import looked_into
from dragoman.ledger.bound import bound_of
from dragoman.ledger.hold import tell
from dragoman.routing.apart import ask_again, ask_apart, ask_embedding, ask_model
from dragoman.routing.arrival import call_of, come, controlled, is_short
from dragoman.routing.attempts import dispatch
from dragoman.routing.call import Admitted, Call
from dragoman.routing.continuity import remember
from dragoman.routing.reading import count_texts
from dragoman.routing.run import Run
from dragoman.routing.settle import settle
from dragoman.routing.stored import keep
from dragoman.telemetry.trace import outgoing_trace
from dragoman.usage.row import Tokens

if TYPE_CHECKING:
    from dragoman.cache.kept import Kept
    from dragoman.config.caching import Cache
    from dragoman.dialects.dialect import Path
    from dragoman.express import Passing
    from dragoman.gateway import Gateway
    from dragoman.guardrails.guarding import Guarding
    from dragoman.guardrails.verdict import Passage
    from dragoman.ledger.allowance import Allowance
    from dragoman.routing.arrival import Came
    from dragoman.routing.plan import Deployment, Plan
    from dragoman.routing.surface import Surface
    from dragoman.server.request import Request

# Text that is not in the counter's memory is counted on the way up to this size, and estimated beyond it.
COUNT_BYTES = 8 * 1024


async def serve(gateway: Gateway, request: Request, surface: Surface, at: Path) -> None:
    """Serve one request to generate, or to embed."""
    if request.passing is not None:
        await resume(gateway, request, surface, at, request.passing)
        return
    generation = gateway.express.core.generation
    snapshot = gateway.snapshot
    principal = gateway.authenticate(request)
    run = Run(request, snapshot.number, principal, surface.endpoint)
    try:
        principal.permit(surface.endpoint)
        knobs = read_knobs(request.headers, principal)
        came = await come(gateway, request, surface, at, knobs, principal)
        named = came.at.model or came.body.model or snapshot.alias_of(came.knobs.deployment)
        plan = snapshot.plan(named, came.knobs.fallbacks, principal)
        if is_short(came, surface) and not is_looked_for(came.knobs, plan, snapshot.config.cache):
            await AtClient(gateway.upstream)
        run.planned(plan.alias, came.body.end_user or "", came.knobs, outgoing_trace(request.headers))
        rules = snapshot.prompts.rules(principal, plan.alias)
        canary = snapshot.guardrails.canary(principal, plan.alias, gateway.pepper)
        if came.filled is not None or rules is not NO_RULES or canary:
            came = controlled(came, surface, rules, run, canary)
        run.body = came.raw if came.shown_raw is None else came.shown_raw
        run.guarding = snapshot.guardrails.begin(principal, plan.alias, gateway.pepper)
        call = call_of(gateway, came, surface, plan, run)
        run.stream, run.wants_cost, run.sent_body = call.stream, call.wants_cost, call.raw
        run.before_end = partial(_keep, gateway, came.asked if surface.stores else b"")
        answer = partial(_answer, gateway, came, call, plan, run, snapshot.config.cache)
        if gateway.once.concerns(run):
            answering = Answering(answer, before=partial(on_record, gateway, run))
            await gateway.once.through(answering, call, run, recorded(gateway, run))
        else:
            await answer()
        gateway.express.offer(generation, snapshot, call, plan, run)
    except RequestError as error:
        run.fail(error)
        raise
    finally:
        settle(gateway, run)


async def _answer(gateway: Gateway, came: Came, call: Call, plan: Plan, run: Run, config: Cache) -> None:
    """Answer a request that has been read."""
    guarding, surface = call.guarding, call.surface
    if guarding is not None:
        if call.stream:
            guarding.skip_stream()
        texts, may_wait = looked_into(guarding, call), surface is not None and surface.translated and not surface.task
        await call_out(gateway, guarding, run, plan, texts, may_wait=may_wait)
    admitted = await within_limits(gateway, call, plan, run)
    await on_record(gateway, run)
    ask = partial(_ask, gateway, admitted or call, plan, run)
    watches = gateway.answers.semantics.watches
    look = None if came.goes_on else look_of(call, plan, run, config, came.raw, watches)
    if look is None:
        await ask()
        return
    if guarding is not None:
        await guarding.settled()
    embed = partial(ask_embedding, gateway, call, run)
    provider = Provider(ask, embed, partial(_check, gateway, call, plan, run))
    await through_cache(gateway.answers, look, call, run, provider)


async def resume(gateway: Gateway, request: Request, surface: Surface, at: Path, passing: Passing) -> None:
    """Serve a request of which one attempt has been made by the express way."""
    principal, plan = passing.principal, passing.plan
    run = Run(request, passing.snapshot.number, principal, surface.endpoint)
    try:
        if request.adopted is not None:
            run.hold, run.allowance = request.adopted.hold, cast("Allowance | None", request.adopted.allowance)
        tell(run, surface.dialect)
        came = await come(gateway, request, surface, at, read_knobs({}, principal), principal)
        run.planned(plan.alias, came.body.end_user or "", came.knobs, outgoing_trace(request.headers))
        run.body = came.raw
        run.guarding = guarding = passing.snapshot.guardrails.begin(principal, plan.alias, gateway.pepper)
        call = call_of(gateway, came, surface, plan, run)
        run.stream, run.sent_body = call.stream, call.raw
        if guarding is not None:
            looked_into(guarding, call)  # which finds nothing again
        await dispatch(gateway, admit(gateway, call, plan), run)
    except RequestError as error:
        run.fail(error)
        raise
    finally:
        settle(gateway, run)


async def _ask(gateway: Gateway, call: Call | Admitted, plan: Plan, run: Run) -> None:
    """Ask a provider."""
    admitted = call if isinstance(call, Admitted) else admit(gateway, call, plan)
    await dispatch(gateway, admitted, run)


async def on_record(gateway: Gateway, run: Run) -> None:
    """See that a request is on record, and its answer will be, as far as the audit log wants that.

    Raises:
        Overloaded: the record cannot be made durable.
    """
    auditor = gateway.auditor
    if auditor.keeps_answers and run.stream:
        recorded(gateway, run)
    await auditor.before(run)


def recorded(gateway: Gateway, run: Run) -> Recording:
    """The recording of a request's answer, which is as long as any may be who want it."""
    most = max(gateway.auditor.settings.max_content_bytes, gateway.snapshot.config.cache.max_entry_bytes, MOST_BYTES)
    return run.request.record(Recording(most))


async def within_limits(gateway: Gateway, call: Call, plan: Plan, run: Run) -> Admitted | None:
    """Hold what a call may come to, where anything limits it; ``None``: nothing does.

    Raises:
        LimitExceeded: a limit is reached.
        RequestError: it cannot be counted, or what it may come to is not known or too much.
    """
    concern = gateway.holds.concern(run)
    if concern is None:
        return None
    accounting, admitted = gateway.snapshot.config.ledger, admit(gateway, call, plan)
    if gateway.holds.take_at_once(run, concern, admitted, accounting):
        return admitted
    bound = bound_of(call, plan, admitted.counted, accounting)
    await gateway.holds.take(run, concern, call, bound, accounting)
    return admitted


async def call_out(
    gateway: Gateway, guarding: Guarding, run: Run, plan: Plan, texts: list[Passage], *, may_wait: bool = False
) -> None:
    """Show a request to the guardrails that are called out.

    :param may_wait: the answer can be held until those have answered that are asked beside the model.

    Raises:
        GuardrailBlocked: one of them refuses it, or cannot look at it and may not be passed by.
    """
    if not guarding.called and not guarding.may_repair:
        return
    guarding.calling = calling_of(gateway, run, plan)
    await guarding.ask_input(texts, may_wait=may_wait)


def calling_of(gateway: Gateway, run: Run, plan: Plan) -> Calling:
    """How others are asked for a request."""
    asking = Asking(
        guardrail="",
        request_id=run.request.id,
        key=run.principal.name,
        team=run.principal.team,
        model=run.alias,
        is_answer=False,
        judge=partial(ask_model, gateway, run),
    )
    return Calling(asking, gateway.loop, partial(ask_again, gateway, plan, run))


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


def admit(gateway: Gateway, call: Call, plan: Plan) -> Admitted:
    """Count and price a call before it is sent.

    Raises:
        InvalidRequest: there is nothing to count.
    """
    if call.passed_through:
        return Admitted(call=call, plan=plan, counted=None, cost_estimate_nanousd=None)
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
        if reading is None:
            return None
        return count_texts(reading.texts, deployment, COUNT_BYTES, are_said=reading.task is None)
    endpoint = "chat" if surface is None or surface.counted == "text" else surface.counted
    return deployment.counter.count_request(
        call.raw.removeprefix(BOM_UTF8), model=deployment.model, endpoint=endpoint, max_fresh_bytes=COUNT_BYTES
    )
