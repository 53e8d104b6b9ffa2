"""``GET /v1/models`` and ``/v1/models/{id}``: what the key may use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.config.resolve import REHEARSAL
from dragoman.endpoints.answers import json_answer
from dragoman.errors import MethodNotAllowed, NotFound

if TYPE_CHECKING:
    from dragoman.access.principal import Principal
    from dragoman.gateway import Gateway
    from dragoman.routing.build import Snapshot
    from dragoman.server.request import Request

PREFIX = "/v1/models/"
# What a gateway without any model still answers to.
REHEARSAL_MODELS = ("rehearsal/demo", "rehearsal/embedding")


class Models:
    """The list, and each of its items."""

    always = False

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def serve(self, request: Request) -> None:
        """Answer from the snapshot."""
        if request.method != "GET":
            raise MethodNotAllowed(f"{request.path} takes GET.")
        principal = self.gateway.authenticate(request)
        snapshot = self.gateway.snapshot
        if not request.path.startswith(PREFIX):
            listed = [_shown(snapshot, alias) for alias in aliases(snapshot, principal)]
            json_answer(request, {"object": "list", "data": listed}, snapshot=snapshot.number)
            return
        alias = request.path.removeprefix(PREFIX)
        if not principal.may_use(alias) or not known(snapshot, alias):
            raise NotFound(f"The model {alias!r} does not exist here.", code="model_not_found", param="model")
        json_answer(request, _shown(snapshot, alias), snapshot=snapshot.number)


def aliases(snapshot: Snapshot, principal: Principal) -> list[str]:
    """The names that the key may send as ``model``, routes first."""
    names = list(snapshot.plans)
    if snapshot.config.rehearsal.enabled:
        names += [name for name in REHEARSAL_MODELS if name not in snapshot.plans]
    names += [name for name in snapshot.builder.known_models(snapshot.config) if name not in snapshot.plans]
    return [name for name in names if principal.may_use(name)]


def known(snapshot: Snapshot, alias: str) -> bool:
    """Whether a request for the alias would find a plan."""
    if alias in snapshot.plans:
        return True
    provider, slash, model = alias.partition("/")
    configured = provider in snapshot.config.providers or (provider == REHEARSAL and snapshot.config.rehearsal.enabled)
    return bool(slash and model and configured)


def _shown(snapshot: Snapshot, alias: str) -> dict[str, Any]:
    plan = snapshot.plans.get(alias)
    owner = plan.first.provider if plan is not None else alias.partition("/")[0]
    return {"id": alias, "object": "model", "created": snapshot.built_at_s, "owned_by": owner}
