"""``/healthz``, ``/readyz`` and ``/metrics``: for probes and for Prometheus, without a key.

``/readyz`` names what is degraded. The state of deployments is detail for operators: it is shown with ``?verbose``, to
an admin key or where no key is needed.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dragoman.endpoints.answers import json_answer, own_headers
from dragoman.errors import NotFound, RequestError
from dragoman.telemetry.metrics import Family, Labels, exposition, gauge

if TYPE_CHECKING:
    from dragoman.gateway import Gateway
    from dragoman.server.request import Request


class Health:
    """The process answers."""

    always = True

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def serve(self, request: Request) -> None:
        """Always 200."""
        json_answer(request, {"status": "ok"}, snapshot=self.gateway.snapshot.number)


class Ready:
    """The process takes requests."""

    always = True

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def serve(self, request: Request) -> None:
        """200, or 503 while draining."""
        draining = self.gateway.is_draining()
        snapshot = self.gateway.snapshot
        payload: dict[str, Any] = {
            "status": "draining" if draining else "ready",
            "snapshot": snapshot.number,
            "degraded": degraded(self.gateway),
        }
        if snapshot.config.server.workers > 1:
            payload["worker"] = self.gateway.seat.worker
        if self.gateway.problems:
            payload["config_problems"] = self.gateway.problems
        if "verbose" in request.query and self._may_see(request):
            payload["deployments"] = [state(member) for member in self.gateway.balancer.members()]
        json_answer(request, payload, status=503 if draining else 200, snapshot=snapshot.number)

    def _may_see(self, request: Request) -> bool:
        try:
            principal = self.gateway.authenticate(request)
        except RequestError:
            return False
        return principal.admin or self.gateway.keys.is_open


class Exposition:
    """``/metrics``."""

    always = True

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def serve(self, request: Request) -> None:
        """All figures, in Prometheus's text format."""
        if not self.gateway.snapshot.config.server.metrics:
            raise NotFound("Metrics are switched off (server.metrics).")
        families = [*self.gateway.metrics.families(), *_gauges(self.gateway)]
        headers = own_headers(request, self.gateway.snapshot.number)
        headers[0] = ("content-type", "text/plain; version=0.0.4; charset=utf-8")
        request.stage = "answered"
        request.proto.response_bytes(200, headers, exposition(families, _worker(self.gateway)).encode())


def _worker(gateway: Gateway) -> Labels:
    """Which of several processes has answered: each tells its own figures."""
    several = gateway.snapshot.config.server.workers > 1
    return (("worker", str(gateway.seat.worker)),) if several else ()


def degraded(gateway: Gateway) -> list[str]:
    """What does not work as it should, though requests are served."""
    found = []
    if gateway.problems:
        found.append("config: the new configuration is not used")
    last_good = gateway.store.last_good
    if last_good is not None:
        hours = last_good.age_h(time.time_ns() // 1_000_000)
        found.append(f"store: the database is away; keys and limits are those of {hours:.1f} hours ago")
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


def _semantic(gateway: Gateway) -> list[Family]:
    """Of questions in other words: by alias alone, since namespaces are named by clients."""
    watches = list(gateway.answers.semantics.watches.known.items())
    aliases = sorted({alias for (alias, _), _ in watches})

    def told(name: str) -> list[tuple[Labels, float]]:
        return [
            ((("model", alias),), sum(getattr(watch, name) for (known, _), watch in watches if known == alias))
            for alias in aliases
        ]

    return [
        gauge("cache_semantic_hits", "Answers given to questions in other words", told("hits")),
        gauge("cache_semantic_checked", "Of these, asked anew", told("checked")),
        gauge("cache_semantic_wrong", "Of these, answered otherwise", told("wrong")),
    ]


def _line(gateway: Gateway) -> list[Family]:
    line = gateway.line
    return [
        gauge("waiting", "Requests in line for deployments that are full", [((), line.length)]),
        gauge("waited", "Requests that have waited and come up", [((), line.waited)]),
        gauge("turned_away", "Requests that have waited in vain, or found the line full", [((), line.turned_away)]),
    ]


def _limits(gateway: Gateway) -> list[Family]:
    def told(counts: dict[str, int]) -> list[tuple[Labels, float]]:
        # Keys are many, and made by the hour: they are one.
        found: dict[str, int] = {}
        for name, count in list(counts.items()):
            shown = "key" if name.startswith("key:") else name
            found[shown] = found.get(shown, 0) + count
        return [((("limit", name),), count) for name, count in found.items()]

    return [
        gauge("limit_refusals", "Requests that a limit refused", told(gateway.holds.refused)),
        gauge(
            "limit_shadow_refusals", "Requests that a limit in shadow would have refused", told(gateway.holds.shadowed)
        ),
        gauge(
            "ledger_write_failures", "Refused transactions of the limits' figures", [((), gateway.counting.failures)]
        ),
        *_redis(gateway),
        gauge("alerts_undelivered", "Alerts that reached nobody", [((), gateway.alerts.failures)]),
    ]


def _redis(gateway: Gateway) -> list[Family]:
    if gateway.redis is None:
        return []
    return [
        gauge("redis_up", "Whether Redis answers", [((), float(gateway.redis.is_up))]),
        gauge("redis_failures", "Commands that failed", [((), gateway.redis.failures)]),
    ]


def _audit(gateway: Gateway) -> list[Family]:
    figures, auditor = gateway.auditor.trail.figures, gateway.auditor
    return [
        gauge("audit_records", "Records of the audit log", [((), figures["written"])]),
        gauge("audit_records_queued", "Of these, not yet written", [((), figures["queued"])]),
        gauge("audit_records_lost", "Records that could not be written", [((), figures["lost"])]),
        gauge("audit_content_lost", "Prompts and answers that could not be kept", [((), auditor.contents.lost)]),
    ]


def _gauges(gateway: Gateway) -> list[Family]:
    members = gateway.balancer.members()
    named = [((("member", member.name),), member) for member in members]
    breaker = {"closed": 0.0, "half_open": 1.0, "open": 2.0}
    return [
        gauge("in_flight", "Attempts under way", [(labels, member.in_flight) for labels, member in named]),
        gauge("latency_ewma_ms", "Peak EWMA of latency", [(labels, member.ewma_ms or 0) for labels, member in named]),
        gauge("breaker", "0 closed, 1 half open, 2 open", [(labels, breaker[one.breaker]) for labels, one in named]),
        gauge("retries_denied", "By the retry budget", [(labels, one.retries_denied) for labels, one in named]),
        gauge("snapshot", "The configuration in force", [((), gateway.snapshot.number)]),
        gauge("cache_answers", "Answers that are kept", [((), len(gateway.answers))]),
        gauge("cache_bytes", "What they take", [((), gateway.answers.bytes)]),
        *_semantic(gateway),
        *_limits(gateway),
        *_line(gateway),
        *_audit(gateway),
        gauge("usage_rows_queued", "Usage rows not yet written", [((), gateway.writer.queued)]),
        gauge("usage_rows_dropped", "Usage rows lost", [((), gateway.writer.dropped)]),
        gauge("usage_write_failures", "Refused transactions", [((), gateway.writer.failures)]),
    ]
