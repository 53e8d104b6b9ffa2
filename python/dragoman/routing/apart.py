"""A request of the gateway's own: asked, recorded and paid for like any other, and answered to nobody."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from dragoman.errors import RequestError
from dragoman.routing.attempts import dispatch
from dragoman.routing.call import Admitted
from dragoman.routing.run import Run
from dragoman.routing.settle import settle, text_of

if TYPE_CHECKING:
    from dragoman.gateway import Gateway
    from dragoman.routing.call import Call
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
