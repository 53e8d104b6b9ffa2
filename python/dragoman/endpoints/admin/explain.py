"""``POST /v1/explain``: what the gateway would do with a request, without doing it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from dragoman import pipeline
from dragoman.access.knobs import policy_of, read_knobs
from dragoman.access.roles import may
from dragoman.dialects.dialect import Path
from dragoman.endpoints.answers import json_answer
from dragoman.endpoints.surfaces import CHAT, FIXED
from dragoman.errors import Forbidden, Untranslatable
from dragoman.routing import arrival
from dragoman.routing.call import Call
from dragoman.routing.continuity import completed
from dragoman.routing.sending import sending_to

if TYPE_CHECKING:
    from dragoman.gateway import Gateway
    from dragoman.routing.call import Admitted
    from dragoman.routing.plan import Deployment
    from dragoman.server.request import Request


class Explain:
    """The plan for a request: a chat request, or one of the path that ``?path=`` names."""

    always = False

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def serve(self, request: Request) -> None:
        """Read, plan, count and price the request as if it were to be sent."""
        gateway = self.gateway
        snapshot = gateway.snapshot
        principal = gateway.authenticate(request)
        if not may(principal, "requests.explain") and not gateway.keys.is_open:
            raise Forbidden("Explaining a request needs a key with admin, or a role that may.", code="admin_only")
        surface = FIXED.get(dict(parse_qsl(request.query)).get("path", ""), CHAT)
        knobs = read_knobs(request.headers, principal)
        raw = await gateway.read_body(request)
        at = Path(headers=request.headers)
        body = arrival.read(raw, snapshot.config.server.limits.max_json_depth)
        arrival.check_model(body, at)
        knobs = arrival.with_body_fallbacks(knobs, body)
        plan = snapshot.plan(body.model or "", knobs.fallbacks, principal)
        call = Call(
            endpoint=surface.endpoint,
            path="",
            raw=raw,
            body=body,
            knobs=knobs,
            deadline_s=min(knobs.deadline_s or plan.deadline_s, plan.deadline_s),
            session=knobs.session,
            headers=[],
            surface=surface,
            at=at,
            reading=arrival.reading_of(surface, body, raw, at, partial(completed, gateway.turns, principal)),
            policy=policy_of(knobs, principal, snapshot.config.defaults.lossy),
        )
        json_answer(request, self._shown(pipeline.admit(gateway, call, plan)), snapshot=snapshot.number)

    def _shown(self, admitted: Admitted) -> dict[str, Any]:
        plan, call, counted = admitted.plan, admitted.call, admitted.counted
        cost = admitted.cost_estimate_nanousd
        return {
            "object": "explanation",
            "alias": plan.alias,
            "snapshot": self.gateway.snapshot.number,
            "deadline_s": call.deadline_s,
            "retries": plan.retries if call.knobs.retries is None else call.knobs.retries,
            "input_tokens": counted.tokens if counted else None,
            "input_tokens_exact": counted.exact if counted else None,
            "cost_estimate_usd": None if cost is None else f"{cost / 1e9:.9f}",
            "tiers": [self._tier(call, tier) for tier in plan.tiers],
        }

    def _tier(self, call: Call, tier: Any) -> list[dict[str, Any]]:
        shown = []
        for step in self.gateway.balancer.plan(tier.tier):
            member = tier.members[step.index]
            shown.append(
                {
                    "deployment": member.deployment.name,
                    "provider": member.deployment.provider,
                    "model": member.deployment.model,
                    "credential": member.credential,
                    "domain": member.deployment.domain,
                    "why": step.reason,
                    **self._way(call, member.deployment),
                }
            )
        return shown

    def _way(self, call: Call, deployment: Deployment) -> dict[str, Any]:
        """How the request would reach a deployment, and what it would lose."""
        try:
            sending = sending_to(call, deployment)
        except Untranslatable as refused:
            return {"dialect": deployment.dialects[0], "refused": refused.message}
        native = call.dialect if call.surface is None else call.surface.native_to
        return {"dialect": sending.spoken, "translated": sending.spoken != native, "lossy": sending.lossy}
