"""``/healthz`` and ``/readyz``: for probes, without a key.

``/readyz`` names what is degraded. The state of deployments is detail for operators: it is shown with ``?verbose``, to
an admin key or where no key is needed.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dragoman.endpoints.answers import json_answer
from dragoman.errors import RequestError
from dragoman.store import sqlite

if TYPE_CHECKING:
    from dragoman.gateway import Gateway
    from dragoman.server.request import Request


class Health:
    """The process answers, and is no worse than what is put right by itself."""

    always = True

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def serve(self, request: Request) -> None:
        """200, or 503 where the event loop has stood still for so long that the worker should have been replaced."""
        snapshot = self.gateway.snapshot
        longest_s = snapshot.config.server.silent_s
        hangs = 0 < longest_s < self.gateway.seat.pulse.silent_s
        said = {"status": "hanging" if hangs else "ok"}
        json_answer(request, said, status=503 if hangs else 200, snapshot=snapshot.number)


class Ready:
    """The process takes requests."""

    always = True

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def serve(self, request: Request) -> None:
        """200, or 503 while draining, or while the event loop stands still."""
        draining, steady = self.gateway.is_draining(), self.gateway.seat.pulse.is_steady
        snapshot = self.gateway.snapshot
        payload: dict[str, Any] = {
            "status": "draining" if draining else "ready" if steady else "hanging",
            "snapshot": snapshot.number,
            "degraded": degraded(self.gateway),
        }
        if snapshot.config.server.workers > 1:
            payload["worker"] = self.gateway.seat.worker
        if self.gateway.problems:
            payload["config_problems"] = self.gateway.problems
        if "verbose" in request.query and self._may_see(request):
            payload["deployments"] = [state(member) for member in self.gateway.balancer.members()]
        json_answer(request, payload, status=200 if steady and not draining else 503, snapshot=snapshot.number)

    def _may_see(self, request: Request) -> bool:
        try:
            principal = self.gateway.authenticate(request)
        except RequestError:
            return False
        return principal.admin or self.gateway.keys.is_open


def degraded(gateway: Gateway) -> list[str]:
    """What does not work as it should, though requests are served."""
    found = []
    if gateway.problems:
        found.append("config: the new configuration is not used")
    last_good = gateway.store.last_good
    if last_good is not None:
        hours = last_good.age_h(time.time_ns() // 1_000_000)
        found.append(f"store: the database is away; keys and limits are those of {hours:.1f} hours ago")
    if gateway.seat.quarantine is not None and gateway.seat.quarantine.refused:
        found.append(f"server: {len(gateway.seat.quarantine.refused)} requests that brought down workers are refused")
    log_bytes = gateway.store.log_bytes()
    if log_bytes > sqlite.LOG_TOLD_BYTES:
        found.append(f"store: the database's log has {log_bytes >> 20} MiB; end whoever has been reading for so long")
    if gateway.writer.failures and gateway.writer.queued:
        found.append("usage: the database does not take rows; they wait")
    if gateway.writer.dropped:
        found.append(f"usage: {gateway.writer.dropped} rows were lost")
    found += [f"ledger: {trouble}" for trouble in gateway.counting.troubles]
    if gateway.auditor.trail.failure is not None:
        found.append(f"audit: the log cannot be written ({gateway.auditor.trail.failure})")
    if gateway.auditor.trail.figures["lost"]:
        found.append(f"audit: {gateway.auditor.trail.figures['lost']} records were lost")
    if gateway.keys.stale_s > 30:
        found.append(f"keys: not read from the database for {gateway.keys.stale_s:.0f} s")
    return found


def state(member: Any) -> dict[str, Any]:
    """One deployment and credential, for operators."""
    names = ("name", "domain", "breaker", "cooldown_left_s", "in_flight", "ewma_ms", "success_ratio")
    return {name: getattr(member, name) for name in (*names, "requests", "failures", "retries_denied")}
