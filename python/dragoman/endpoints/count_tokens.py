"""How long a prompt is: asked of the provider where its dialect has a word for that, else counted here.

Nothing is generated and nothing billed, so no usage row is written. The header ``x-dragoman-counted-by`` says whose
number it is: the provider's, or the gateway's, which is exact for OpenAI's vocabularies and an estimate elsewhere.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from dragoman.core import Terms
from dragoman.dialects.counting import COUNTING, Counting
from dragoman.dialects.dialect import Path
from dragoman.dialects.fields import Unreadable
from dragoman.endpoints.answers import own_headers
from dragoman.errors import InvalidRequest, UpstreamAuth
from dragoman.routing.reading import count_texts, texts_of

if TYPE_CHECKING:
    from dragoman.dialects.canonical import Request as Asked
    from dragoman.gateway import Gateway
    from dragoman.routing.plan import PlanTier
    from dragoman.server.request import Request

# A count that takes longer is made here.
PATIENCE_S = 10.0
LARGEST_ANSWER = 64 * 1024


class CountTokens:
    """The endpoint of one dialect."""

    always = False

    def __init__(self, gateway: Gateway, dialect: str) -> None:
        self.gateway = gateway
        self.dialect = dialect

    async def serve(self, request: Request) -> None:
        """Answer a request whose model is in its body."""
        await self.answer(request, Path(headers=request.headers))

    async def answer(self, request: Request, at: Path) -> None:
        """Answer."""
        gateway, counting = self.gateway, COUNTING[self.dialect]
        principal, snapshot = gateway.authenticate(request), gateway.snapshot
        body = await gateway.read_body(request)
        asked = _read(counting, body, at)
        plan = snapshot.plan(at.model or asked.model, (), principal)
        guarding = snapshot.guardrails.begin(principal, plan.alias, gateway.pepper)
        if guarding is not None and guarding.hidings:
            asked = _read(counting, guarding.hide(body), at)
        tokens = await self._ask(plan.tiers[0], asked, request)
        counted_by = "provider"
        if tokens is None:
            tokens, counted_by = count_texts(texts_of(asked), plan.first, are_said=True).tokens, "gateway"
        request.stage = "answered"
        headers = [*own_headers(request, snapshot.number), ("x-dragoman-counted-by", counted_by)]
        request.proto.response_bytes(200, headers, counting.write(tokens))

    async def _ask(self, tier: PlanTier, asked: Asked, request: Request) -> int | None:
        """What a provider says; ``None`` where it has no word for it, or does not answer."""
        ticket = self.gateway.balancer.choose(tier.tier)
        if ticket is None or ticket.reason == "probe":  # of which this would be none: it proves nothing
            return None
        member = tier.members[ticket.index]
        deployment = member.deployment
        counting = COUNTING.get(deployment.dialects[0])
        if counting is None:
            return None
        outgoing = counting.write_request(asked, deployment.written_for)
        times_s = (PATIENCE_S, PATIENCE_S, PATIENCE_S, PATIENCE_S)
        terms = Terms("json", "POST", [], times_s, (LARGEST_ANSWER, LARGEST_ANSWER), hold=True)
        parcel = outgoing.path, outgoing.body, outgoing.headers
        try:
            await member.ready(monotonic() + PATIENCE_S)
        except UpstreamAuth:
            ticket.finish_auth()
            return None
        exchange = member.send(request.reply, parcel, terms)
        request.exchanges.append(exchange)
        outcome = await exchange
        request.exchanges.remove(exchange)
        ticket.finish_cancelled(None)  # how long it takes says nothing of how long answers take
        if outcome.failure:
            return None
        try:
            return counting.read(outcome.body)
        except Unreadable:
            return None


def _read(counting: Counting, body: bytes, at: Path) -> Asked:
    try:
        asked = counting.read_request(body, at)
    except Unreadable as error:
        raise InvalidRequest(error.message, param=error.at or None) from None
    if not at.model and not asked.model:
        raise InvalidRequest("The field model is missing.", code="missing_model", param="model")
    return asked
