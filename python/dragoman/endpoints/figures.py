"""``/metrics``: figures for Prometheus, without a key.

Of several workers the one that is asked answers for all (see ``telemetry.node``), so each family says what several
workers' figures come to.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dragoman.driver import OnLoop
from dragoman.endpoints.answers import own_headers
from dragoman.errors import NotFound
from dragoman.telemetry.metrics import Family, Labels, counter, exposition, gauge

if TYPE_CHECKING:
    from dragoman.gateway import Gateway
    from dragoman.server.request import Request


class Exposition:
    """``/metrics``."""

    always = True

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def serve(self, request: Request) -> None:
        """All figures, in Prometheus's text format."""
        if not self.gateway.snapshot.config.server.metrics:
            raise NotFound("Metrics are switched off (server.metrics).")
        text = await self._text()
        headers = own_headers(request, self.gateway.snapshot.number)
        headers[0] = ("content-type", "text/plain; version=0.0.4; charset=utf-8")
        request.stage = "answered"
        request.proto.response_bytes(200, headers, text)

    async def _text(self) -> bytes:
        node = self.gateway.node
        if node is None:
            return exposition(figures_of(self.gateway)).encode()
        found: list[str] = []

        async def gather() -> None:
            found.append(await asyncio.to_thread(lambda: exposition(node.gather())))

        await OnLoop(gather())
        return found[0].encode()


def figures_of(gateway: Gateway) -> list[Family]:
    """All figures of this process."""
    families = gateway.metrics.families()
    passed = counter("express_requests_total", "Requests served by the express way", [((), gateway.express.served)])
    return [*families, passed, *_gauges(gateway)]


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
        counter("cache_semantic_hits", "Answers given to questions in other words", told("hits")),
        counter("cache_semantic_checked", "Of these, asked anew", told("checked")),
        counter("cache_semantic_wrong", "Of these, answered otherwise", told("wrong")),
    ]


def _line(gateway: Gateway) -> list[Family]:
    line = gateway.line
    return [
        gauge("waiting", "Requests in line for deployments that are full", [((), line.length)]),
        counter("waited", "Requests that have waited and come up", [((), line.waited)]),
        counter("turned_away", "Requests that have waited in vain, or found the line full", [((), line.turned_away)]),
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
        counter("limit_refusals", "Requests that a limit refused", told(gateway.holds.refused)),
        counter(
            "limit_shadow_refusals", "Requests that a limit in shadow would have refused", told(gateway.holds.shadowed)
        ),
        counter(
            "ledger_write_failures", "Refused transactions of the limits' figures", [((), gateway.counting.failures)]
        ),
        *_redis(gateway),
        counter("alerts_undelivered", "Alerts that reached nobody", [((), gateway.alerts.failures)]),
    ]


def _redis(gateway: Gateway) -> list[Family]:
    if gateway.redis is None:
        return []
    return [
        gauge("redis_up", "Whether Redis answers", [((), float(gateway.redis.is_up))], "each"),
        counter("redis_failures", "Commands that failed", [((), gateway.redis.failures)]),
    ]


def _audit(gateway: Gateway) -> list[Family]:
    figures, auditor = gateway.auditor.trail.figures, gateway.auditor
    return [
        counter("audit_records", "Records of the audit log", [((), figures["written"])]),
        gauge("audit_records_queued", "Of these, not yet written", [((), figures["queued"])]),
        counter("audit_records_lost", "Records that could not be written", [((), figures["lost"])]),
        counter("audit_content_lost", "Prompts and answers that could not be kept", [((), auditor.contents.lost)]),
    ]


def _gauges(gateway: Gateway) -> list[Family]:
    members = gateway.balancer.members()
    named = [((("member", member.name),), member) for member in members]
    breaker = {"closed": 0.0, "half_open": 1.0, "open": 2.0}
    return [
        gauge("in_flight", "Attempts under way", [(labels, member.in_flight) for labels, member in named]),
        gauge(
            "latency_ewma_ms",
            "Peak EWMA of latency",
            [(labels, member.ewma_ms or 0) for labels, member in named],
            "max",
        ),
        gauge(
            "breaker", "0 closed, 1 half open, 2 open", [(labels, breaker[one.breaker]) for labels, one in named], "max"
        ),
        counter("retries_denied", "By the retry budget", [(labels, one.retries_denied) for labels, one in named]),
        gauge("snapshot", "The configuration in force", [((), gateway.snapshot.number)], "each"),
        gauge("cache_answers", "Answers that are kept", [((), len(gateway.answers))]),
        gauge("cache_bytes", "What they take", [((), gateway.answers.bytes)]),
        *_semantic(gateway),
        *_limits(gateway),
        *_line(gateway),
        *_audit(gateway),
        gauge("usage_rows_queued", "Usage rows not yet written", [((), gateway.writer.queued)]),
        counter("usage_rows_dropped", "Usage rows lost", [((), gateway.writer.dropped)]),
        counter("usage_write_failures", "Refused transactions", [((), gateway.writer.failures)]),
    ]
