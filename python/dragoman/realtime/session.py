"""One session: authorised, routed, relayed and metered."""

from __future__ import annotations

import asyncio
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

import msgspec
from websockets.exceptions import ConnectionClosed

from dragoman.access.credentials import secret_of
from dragoman.access.knobs import Knobs, read_knobs
from dragoman.access.origin import refuse_other_sites
from dragoman.access.principal import ANONYMOUS
from dragoman.errors import (
    ClientGone,
    GuardrailBlocked,
    InvalidRequest,
    NoDeployment,
    RequestError,
    ShuttingDown,
    Unauthenticated,
    UpstreamAuth,
)
from dragoman.ledger.bound import Bound
from dragoman.pipeline import calling_of
from dragoman.realtime.guarded import Guarded, Passing
from dragoman.realtime.meter import Turn
from dragoman.realtime.protocols import Realtime, protocol_of
from dragoman.realtime.upstream import connect
from dragoman.routing.arrival import template_of
from dragoman.routing.attempt import log_mistrust
from dragoman.routing.run import AttemptNote, Run
from dragoman.routing.settle import settle
from dragoman.telemetry.trace import outgoing_trace
from dragoman.usage.price import UNPRICED
from dragoman.usage.row import Tokens

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

    from dragoman.core import Ticket
    from dragoman.gateway import Gateway
    from dragoman.guardrails.prompts.sessions import SessionControls
    from dragoman.routing.plan import Deployment, Member, Plan
    from dragoman.server.request import Request
    from dragoman.server.websocket import ClientSocket, Frame

# How a session ends (RFC 6455, 7.4.1).
NORMAL, GOING_AWAY, POLICY, BROKEN = 1000, 1001, 1008, 1011
# Codes that may not be sent, since they say that none came.
UNSENT = frozenset({1005, 1006, 1015})
# Clients that cannot set headers put their key here, among the protocols that they offer.
KEY_PROTOCOL = "openai-insecure-api-key."


class Session:
    """A client's session."""

    def __init__(self, gateway: Gateway, request: Request, client: ClientSocket) -> None:
        self.gateway = gateway
        self.request = request
        self.client = client
        self.protocol: Realtime = protocol_of(request.path)
        self.secret = _key_of(request)
        self.guards: Guarded | None = None
        self.is_set_up = False  # whether the client talks to a provider
        self.stopped = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        request.exchanges.append(self)  # type: ignore[arg-type]

    def cancel(self) -> None:
        """End it, from whatever thread: the process stops, or the client is given up."""
        self.loop.call_soon_threadsafe(self.stopped.set)

    async def serve(self) -> None:
        """Serve it to its end.

        Raises:
            RequestError: it was not opened, and the client has not been told.
        """
        gateway, request = self.gateway, self.request
        principal = gateway.authenticate_secret(self.secret, request.client)
        if principal is ANONYMOUS:
            refuse_other_sites(request.headers)
        run = Run(request, gateway.snapshot.number, principal, self.protocol.endpoint)
        run.stream = True
        try:
            principal.permit(run.endpoint)
            knobs = read_knobs(request.headers, principal)
            first = await self._first_frame()
            plan = gateway.snapshot.plan(self.protocol.alias(request.query, first), knobs.fallbacks, principal)
            run.planned(plan.alias, "", knobs, outgoing_trace(request.headers))
            rules = gateway.snapshot.prompts.rules(principal, plan.alias)
            canary = gateway.snapshot.guardrails.canary(principal, plan.alias, gateway.pepper)
            controls = self.protocol.controls(rules, partial(template_of, gateway), request, canary)
            first = self.protocol.first(first, controls)
            self.guards = self._guards(plan, run)
            if self.guards is not None:
                run.guarding = self.guards.of_session()
                first = await self.guards.from_client(first) if first else first
            await self._hold(plan.first, run)
            await gateway.auditor.before_on_loop(run)
            upstream, ticket = await self._open(plan, run)
            try:
                await self._relay(upstream, first, controls, run, knobs)
            finally:
                ticket.finish_neutral()  # how long people talk says nothing of how quick a provider is
                await upstream.close()
        except RequestError as error:
            run.fail(error)
            if not self.client.is_accepted:
                raise
            await self._tell(error)
        finally:
            settle(gateway, run)

    def _guards(self, plan: Plan, run: Run) -> Guarded | None:
        """The guardrails that hold for it, as they are now."""
        gateway = self.gateway
        begin = partial(gateway.snapshot.guardrails.begin, run.principal, plan.alias, gateway.pepper)
        if begin() is None:
            return None
        limits = gateway.snapshot.config.server.limits
        return Guarded(begin, self.protocol.speech(), limits, calling_of(gateway, run, plan))  # type: ignore[arg-type]

    async def _first_frame(self) -> Frame:
        """The frame that names the model, where the protocol has it there."""
        if not self.protocol.named_inside:
            return ""
        await self.client.accept()
        patience_s = self.gateway.snapshot.config.server.limits.header_timeout_s
        try:
            first = await asyncio.wait_for(self.client.receive(), patience_s)
        except TimeoutError:
            raise InvalidRequest("The first frame did not come.", code="setup_timeout") from None
        if first is None:
            raise ClientGone("the client hung up")
        return first

    async def _open(self, plan: Plan, run: Run) -> tuple[ClientConnection, Ticket]:
        """A session at the first deployment that opens one."""
        error: RequestError | None = None
        for index, tier in enumerate(plan.tiers):
            tried: list[int] = []
            while (ticket := self.gateway.balancer.choose(tier.tier, tried=tried)) is not None:
                if self.gateway.probing is not None and not await self.gateway.probing.permits_on_loop(ticket):
                    continue
                member = tier.members[ticket.index]
                tried.append(ticket.index)
                run.chosen(member)
                run.fallback_index = index
                begun_s = monotonic()
                try:
                    if not self._may_speak(member.deployment):
                        ticket.finish_neutral()
                        error = error or _unsupported(member.deployment, self.protocol)
                        continue
                    upstream = await self._connect(member)
                except RequestError as failure:
                    error = failure
                    log_mistrust(member.deployment.name, failure, ticket)
                    self._note(run, member, ticket, failure.error_code, begun_s)
                    ticket.finish_auth() if isinstance(failure, UpstreamAuth) else ticket.finish_failure(None)
                    continue
                self._note(run, member, ticket, "ok", begun_s)
                return upstream, ticket
        raise error or NoDeployment("No deployment can open a session now.", retry_after_s=1)

    def _note(self, run: Run, member: Member, ticket: Ticket, outcome: str, begun_s: float) -> None:
        waited_ms = (monotonic() - begun_s) * 1000
        run.note(AttemptNote(member.deployment.name, member.credential, ticket.reason, outcome, waited_ms))

    def _may_speak(self, deployment: Deployment) -> bool:
        return self.protocol.endpoint in deployment.endpoints and bool(
            self.protocol.dialects & set(deployment.dialects)
        )

    async def _connect(self, member: Member) -> ClientConnection:
        deployment, door, request = member.deployment, member.door, self.request
        timeout_s = deployment.timeouts.connect_s + deployment.timeouts.first_byte_s
        await member.ready_on_loop(timeout_s)
        url = self.protocol.url(door.base_url, deployment.model, request.path, request.query)
        sent_on = [(name, request.headers[name]) for name in self.protocol.forwarded if name in request.headers]
        signed = [] if member.signer is None else member.signer.headers("GET", "http" + url.removeprefix("ws"), b"")
        return await connect(door, url, [*door.headers, *sent_on, *signed], deployment.provider, timeout_s)

    # While it lasts ----------------------------------------------------------------------------------------------

    async def _relay(
        self, upstream: ClientConnection, first: Frame, controls: SessionControls, run: Run, knobs: Knobs
    ) -> None:
        assert run.member is not None  # noqa: S101 - it was chosen to open the session
        if first:
            await upstream.send(self.protocol.opening(first, run.member.door.base_url, run.member.deployment.model))
        await self.client.accept()
        self.is_set_up = True
        self._note_controls(controls, run)
        both = self._to_provider(upstream, controls, run, knobs), self._to_client(upstream, controls, run, knobs)
        tasks = [asyncio.create_task(one) for one in both]
        stopped = asyncio.create_task(self.stopped.wait())
        try:
            done, _ = await asyncio.wait({*tasks, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*tasks, stopped):
                task.cancel()
            await asyncio.gather(*tasks, stopped, return_exceptions=True)
        if stopped in done:
            raise ShuttingDown("The gateway is shutting down.", retry_after_s=1)
        for task in tasks:
            if task in done:
                task.result()

    def _note_controls(self, controls: SessionControls, run: Run) -> None:
        run.prompt, run.adjusted = controls.prompt, controls.changed

    async def _to_provider(self, upstream: ClientConnection, controls: SessionControls, run: Run, knobs: Knobs) -> None:
        while (frame := await self.client.receive()) is not None:
            try:
                held = controls.from_client(frame)
                held = held if self.guards is None else await self.guards.from_client(held)
            except RequestError as refused:  # of one frame; the session goes on
                await self._refuse(refused, frame, run, knobs)
                continue
            self._note_controls(controls, run)
            try:
                await upstream.send(held)
            except ConnectionClosed:
                return  # the other direction has what was said before, and the code
        await upstream.close()

    async def _refuse(self, refused: RequestError, frame: Frame, run: Run, knobs: Knobs) -> None:
        """Tell the client, and the records, of a frame that is not sent.

        Raises:
            RequestError: of such frames there is no end, and so the session has come to its own.
        """
        if self.guards is not None and self.guards.is_over:
            raise refused
        if self.guards is not None and isinstance(refused, GuardrailBlocked):
            part = self._part(run, knobs)
            part.guarding = self.guards.refusing
            part.fail(refused)
            settle(self.gateway, part)
        await self.client.send(self.protocol.error(refused, frame))

    async def _to_client(self, upstream: ClientConnection, controls: SessionControls, run: Run, knobs: Knobs) -> None:
        meter = self.protocol.meter()
        try:
            while True:
                frame = await self._next(upstream)
                turn = None if frame is None else meter.see(frame)
                try:
                    passing = await self._passing(frame, controls)
                finally:
                    if turn is not None:
                        self._record(turn, run, knobs)
                for told in passing.to_provider:
                    await upstream.send(told)
                for shown in passing.to_client:
                    if not await self.client.send(shown):
                        return
                if turn is not None:
                    await self._go_on(run)
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd is not None else BROKEN
            self.client.close(BROKEN if code in UNSENT else code)
        finally:
            turn = meter.end()
            if turn is not None:
                self._record(turn, run, knobs)

    async def _next(self, upstream: ClientConnection) -> Frame | None:
        """The provider's next frame; ``None``: none comes for now, and something waits to be judged."""
        if self.guards is None or not self.guards.holds:
            return await upstream.recv()
        try:
            return await asyncio.wait_for(upstream.recv(), self.gateway.snapshot.config.server.limits.heartbeat_s)
        except TimeoutError:
            return None

    async def _passing(self, frame: Frame | None, controls: SessionControls) -> Passing:
        """What goes where, after a frame of the provider's."""
        if frame is None:
            return Passing() if self.guards is None else await self.guards.quiet()
        shown = controls.from_provider(frame)
        if shown is None:
            return Passing()
        return Passing([shown]) if self.guards is None else await self.guards.from_provider(shown)

    async def _go_on(self, run: Run) -> None:
        """See whether there may be another turn.

        Raises:
            Unauthenticated: the key is not in force any more.
            LimitExceeded: a limit is reached.
        """
        if self.gateway.keys.find(self.secret, self.request.client) is None:
            raise Unauthenticated("The API key is not valid any more.")
        if run.deployment is not None:
            await self._hold(run.deployment, run)

    async def _hold(self, deployment: Deployment, run: Run) -> None:
        """Hold what a turn may come to; how long it will be nobody knows.

        Raises:
            RequestError: a limit is reached, or what it may cost is not known.
        """
        holds, accounting = self.gateway.holds, self.gateway.snapshot.config.ledger
        concern = None if run.hold is not None else holds.concern(run)
        if concern is None:
            return
        longest = deployment.written_for.max_output or accounting.output_tokens
        rates = deployment.rates
        most = None if rates is None else rates.most(Tokens(output=longest), cached=False, heard=True)
        await holds.take_on_loop(run, concern, Bound(longest, longest, most), accounting)

    def _part(self, run: Run, knobs: Knobs) -> Run:
        """What is recorded by itself of a session, with the session's id in it."""
        part = Run(self.request.part(), run.snapshot, run.principal, run.endpoint)
        part.alias, part.end_user, part.stream = run.alias, run.end_user, True
        part.trace_id, part.fallback_index = run.trace_id, run.fallback_index
        part.prompt, part.adjusted = run.prompt, run.adjusted
        part.knobs = msgspec.structs.replace(knobs, metadata={**knobs.metadata, "realtime_session": run.request.id})
        assert run.member is not None  # noqa: S101 - it was chosen to open the session
        part.chosen(run.member)
        part.notes = run.notes[-1:]
        return part

    def _record(self, turn: Turn, run: Run, knobs: Knobs) -> None:
        """A row for a turn."""
        part = self._part(run, knobs)
        if self.guards is not None:
            part.guarding = self.guards.of_turn(is_over=not turn.transcription)
        if turn.transcription and part.deployment is not None:  # another model's, whose price is not known here
            part.deployment = msgspec.structs.replace(part.deployment, model="", find_rates=UNPRICED)
        part.metered = turn.tokens
        part.metered_stop = turn.finish_reason
        part.hold, run.hold = run.hold, None
        settle(self.gateway, part)

    async def _tell(self, error: RequestError) -> None:
        """End a session that was accepted."""
        told = self.protocol.error(error)
        await self.client.send(told)
        if self.protocol.named_inside and not self.is_set_up:
            await self._tell_again(told)
        stopping = isinstance(error, ShuttingDown)
        self.client.close(GOING_AWAY if stopping else POLICY if error.http_status < 500 else BROKEN)

    async def _tell_again(self, told: Frame) -> None:
        """Google's SDK takes the first answer to a setup for its completion, whatever it says, and reads the next one
        only when its user has said something: so that is waited for."""
        await self.client.send(told)
        waiting = [asyncio.create_task(one) for one in (self.client.receive(), self.stopped.wait())]
        patience_s = self.gateway.snapshot.config.server.limits.header_timeout_s
        await asyncio.wait(waiting, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def _key_of(request: Request) -> str:
    """The key, in a header, in the query, or among the protocols that are offered."""
    offered = request.headers.get("sec-websocket-protocol", "")
    for name in (one.strip() for one in offered.split(",")):
        if name.startswith(KEY_PROTOCOL):
            return name.removeprefix(KEY_PROTOCOL)
    return secret_of(request)


def _unsupported(deployment: Deployment, protocol: Realtime) -> InvalidRequest:
    message = f"{deployment.provider} has no {protocol.endpoint} sessions."
    return InvalidRequest(message, code="unsupported_endpoint", param="model")


async def serve_session(gateway: Gateway, request: Request, client: ClientSocket) -> None:
    """Serve a WebSocket, and close it whatever happens.

    Raises:
        RequestError: it was not accepted.
    """
    code = BROKEN
    try:
        await Session(gateway, request, client).serve()
        code = NORMAL
    finally:
        if client.is_accepted:
            client.close(code)
        request.exchanges.clear()
