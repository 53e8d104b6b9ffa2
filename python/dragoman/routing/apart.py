"""A request of the gateway's own: asked, recorded and paid for like any other, and answered to nobody."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from msgspec import structs
from msgspec.structs import replace

from dragoman.access.knobs import NONE
from dragoman.core import RequestBody
from dragoman.dialects.dialect import Path
from dragoman.dialects.table import DIALECTS
from dragoman.errors import RequestError
from dragoman.routing.attempts import dispatch
from dragoman.routing.call import Admitted, Call
from dragoman.routing.reading import Reading
from dragoman.routing.run import Run
from dragoman.routing.settle import settle, text_of
from dragoman.routing.surface import Surface

if TYPE_CHECKING:
    from dragoman.gateway import Gateway
    from dragoman.routing.plan import Plan

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


# How a model is asked whose answer is for the gateway alone.
JUDGED = Surface(endpoint="chat", dialect="openai_chat", native=lambda at, model: "/chat/completions", counted="chat")


async def ask_model(gateway: Gateway, asked_by: Run, alias: str, raw: bytes, timeout_s: float) -> str | None:
    """Ask a model something of the gateway's own: the text of its answer, ``None`` where there is none.

    :param asked_by: for whose request; it need not be allowed the model itself.
    :param raw: a chat request of OpenAI's.
    """
    principal = structs.replace(asked_by.principal, allow=("*",))
    run = Run(asked_by.request.part(Nobody()), asked_by.snapshot, principal, "guardrail")
    run.request.watched = True  # nobody hangs up
    at = Path()
    try:
        plan = gateway.snapshot.plan(alias, (), principal)
        run.planned(plan.alias, asked_by.end_user, NONE, None)
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
        await dispatch(gateway, Admitted(call=call, plan=plan, counted=None, cost_estimate_nanousd=None), run)
    except RequestError as error:
        run.fail(error)
        return None
    finally:
        settle(gateway, run)
    return None if run.outcome is None else text_of(run, run.outcome)[0]


async def ask_apart(gateway: Gateway, call: Call, plan: Plan, asked_by: Run) -> str | None:
    """Ask once more what somebody has asked: the text of the answer, ``None`` where there is none."""
    request = asked_by.request.part(Nobody())
    request.watched = True  # nobody hangs up
    run = Run(request, asked_by.snapshot, asked_by.principal, asked_by.endpoint)
    run.planned(plan.alias, asked_by.end_user, call.knobs, None)
    run.cache = "check"
    call = replace(call, deadline_s=monotonic() + PATIENCE_S)
    try:
        await dispatch(gateway, Admitted(call=call, plan=plan, counted=None, cost_estimate_nanousd=None), run)
    except RequestError as error:
        run.fail(error)
        return None
    finally:
        settle(gateway, run)
    return None if run.outcome is None else text_of(run, run.outcome)[0]
