"""Any other path of OpenAI's API, passed through to the provider that the model or a header names.

Bodies and answers are not looked into but for the model and the usage, and where guardrails or prompt controls are for
them; what these cannot read they refuse. What is passed through may have effects (a file
stored, a batch begun), so it is sent again only where no byte of it had left.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dragoman.access.knobs import Knobs, read_knobs
from dragoman.core import BodyError, RequestBody
from dragoman.dialects.form import Form, is_form
from dragoman.errors import InvalidRequest, RequestError
from dragoman.guardrails.passages import of_body
from dragoman.guardrails.prompts.passed import controlled
from dragoman.pipeline import admit, call_out, on_record, within_limits
from dragoman.routing.arrival import filled_in
from dragoman.routing.attempts import dispatch
from dragoman.routing.call import Call
from dragoman.routing.run import Run
from dragoman.routing.settle import settle
from dragoman.telemetry.trace import outgoing_trace

if TYPE_CHECKING:
    from dragoman.gateway import Gateway
    from dragoman.guardrails.guarding import Guarding
    from dragoman.guardrails.prompts.template import Filled
    from dragoman.routing.surface import Surface
    from dragoman.server.request import Request

METHODS = frozenset({"GET", "POST", "DELETE", "PUT", "PATCH"})
# Headers of the client that mean something to the provider.
FORWARDED = ("content-type", "accept", "openai-beta", "idempotency-key")
# A part of a path that is no id: ids have digits or capitals.
_WORD = re.compile(r"[a-z_]{0,32}")
HINT = "Name the deployment or provider in the header x-dragoman-deployment."


class PassThrough:
    """What has no endpoint of its own."""

    always = False

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def serve(self, request: Request) -> None:
        """Pass the request on, with our key taken off and the provider's put on."""
        gateway = self.gateway
        snapshot = gateway.snapshot
        principal = gateway.authenticate(request)
        if request.method not in METHODS:
            raise InvalidRequest(f"{request.method} is not passed through.", code="method_not_passed")
        run = Run(request, snapshot.number, principal, shape_of(request.path.removeprefix("/v1")))
        try:
            principal.permit(run.endpoint)
            knobs = read_knobs(request.headers, principal)
            raw = received = await gateway.read_body(request)
            body = _json(request, raw, snapshot.config.server.limits.max_json_depth)
            form = _form(request, raw)
            alias = self._alias(request, knobs, body or form)
            plan = snapshot.plan(alias, (), principal)
            run.planned(plan.alias, (body.end_user if body else None) or "", knobs, outgoing_trace(request.headers))
            path = request.path.removeprefix("/v1") + (f"?{request.query}" if request.query else "")
            sent_on = [(name, request.headers[name]) for name in FORWARDED if name in request.headers]
            raw, body = self._controlled(run, raw, body)
            run.guarding = snapshot.guardrails.begin(principal, plan.alias, gateway.pepper)
            if run.guarding is not None and raw:
                raw, body = guarded(run.guarding, raw, body)
                await call_out(gateway, run.guarding, run, plan, of_body(raw))
            call = Call(
                endpoint=run.endpoint,
                path=path,
                raw=raw,
                body=body,
                form=form,
                guarding=run.guarding,
                knobs=knobs,
                deadline_s=request.arrived_s + min(knobs.deadline_s or plan.deadline_s, plan.deadline_s),
                session=knobs.session or principal.key_id,
                headers=sent_on + run.trace_headers,
                method=request.method,
                passed_through=True,
            )
            run.body, run.sent_body = received, raw
            admitted = await within_limits(gateway, call, plan, run) or admit(gateway, call, plan)
            await on_record(gateway, run)
            await dispatch(gateway, admitted, run)
        except RequestError as error:
            run.fail(error)
            raise
        finally:
            settle(gateway, run)

    def _controlled(self, run: Run, raw: bytes, body: RequestBody | None) -> tuple[bytes, RequestBody | None]:
        """What may be sent of a request, as prompt controls leave it.

        Raises:
            RequestError: it asks for what is forbidden, or cannot be controlled.
        """
        rules = self.gateway.snapshot.prompts.rules(run.principal, run.alias)
        path = run.request.path.removeprefix("/v1")
        called: list[Filled] = []

        def fill(asked: RequestBody, surface: Surface) -> Filled | None:
            filled = filled_in(self.gateway, asked, surface)
            called.extend([] if filled is None else [filled])
            return filled

        done = controlled(path, raw, body, rules, fill)
        run.prompt = ", ".join(dict.fromkeys(one.told for one in called))
        run.adjusted = done.changed
        return done.raw, body if done.raw is raw else RequestBody(done.raw)

    def _alias(self, request: Request, knobs: Knobs, body: RequestBody | Form | None) -> str:
        """The alias that decides where the request goes."""
        named = knobs.deployment or request.headers.get("x-portkey-provider", "").removeprefix("@")
        if named:
            return self.gateway.snapshot.alias_of(named)
        if body is not None and body.model:
            return body.model
        providers = list(self.gateway.snapshot.config.providers)
        if len(providers) == 1:
            return f"{providers[0]}/*"
        raise InvalidRequest(f"It is not clear which provider this is for. {HINT}", code="no_deployment_named")


def guarded(guarding: Guarding, raw: bytes, body: RequestBody | None) -> tuple[bytes, RequestBody | None]:
    """What may be sent of a request that nothing is known of but that it is JSON.

    Raises:
        GuardrailBlocked: a guardrail refuses it, or cannot look into it because it is none.
    """
    if body is None:
        guarding.cannot_look("its body is no JSON, and so not looked into")
        return raw, None
    hidden = guarding.hide(raw)
    guarding.check_input(of_body(hidden))
    return hidden, body if hidden is raw else RequestBody(hidden)


def shape_of(path: str) -> str:
    """A path with ``*`` in place of ids, so that figures by endpoint are few."""
    return "/".join(part if _WORD.fullmatch(part) else "*" for part in path.split("/"))


def _json(request: Request, raw: bytes, max_depth: int) -> RequestBody | None:
    """The body, where it is JSON."""
    if not raw or "json" not in request.headers.get("content-type", "application/json"):
        return None
    try:
        return RequestBody(raw, max_depth)
    except BodyError as error:
        raise InvalidRequest(error.message, code=error.code, param=error.path or None) from None


def _form(request: Request, raw: bytes) -> Form | None:
    """The body, where it is a form."""
    content_type = request.headers.get("content-type", "")
    return Form(raw, content_type) if raw and is_form(content_type) else None
