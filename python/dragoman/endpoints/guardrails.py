"""``GET /v1/guardrails/coverage``: what guardrails see, where prompt controls hold, and which guardrails there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.endpoints.answers import json_answer
from dragoman.errors import Forbidden
from dragoman.guardrails.build import KINDS
from dragoman.guardrails.called.build import KINDS as CALLED
from dragoman.guardrails.coverage import OTHERS, coverage
from dragoman.guardrails.masking import PLACES
from dragoman.guardrails.prompts.coverage import controls
from dragoman.realtime import coverage as sessions

if TYPE_CHECKING:
    from dragoman.gateway import Gateway
    from dragoman.server.request import Request

PATH = "/v1/guardrails/coverage"


class Coverage:
    """The table, found out anew each time."""

    always = False

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def serve(self, request: Request) -> None:
        """Answer an admin."""
        principal = self.gateway.authenticate(request)
        if not principal.admin and not self.gateway.keys.is_open:
            raise Forbidden("What guardrails see is for keys with admin.", code="admin_only")
        snapshot = self.gateway.snapshot
        configured: dict[str, Any] = {}
        for name, guardrail in snapshot.config.guardrails.items():
            (kind,) = guardrail.kinds
            usual = PLACES if kind == "mask" else CALLED[kind] if kind in CALLED else KINDS[kind][1]
            configured[name] = {
                "kind": kind,
                "on": sorted(guardrail.on or usual),
                "mode": guardrail.mode,
                "on_error": guardrail.on_error,
                "on_stream": guardrail.streamed,
            }
        told = {
            "object": "coverage",
            "dialects": coverage(),
            "others": OTHERS,
            "sessions": sessions.coverage(),
            "controls": controls(),
            "guardrails": configured,
        }
        json_answer(request, told, snapshot=snapshot.number)
