"""``GET /v1/usage``: what a key has used and spent, and what its limits stand at."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from dragoman.driver import OnLoop
from dragoman.endpoints.answers import json_answer
from dragoman.errors import InvalidRequest
from dragoman.ledger.book import Asker, shown
from dragoman.usage.report import DIMENSIONS, Question, Report, dollars, parse_moment_ms, report_usage

if TYPE_CHECKING:
    from dragoman.access.principal import Principal
    from dragoman.gateway import Gateway
    from dragoman.server.request import Request

PATH = "/v1/usage"
SINCE = "30d"
FIELDS = ("by", "since", "until", "model")


class OwnUsage:
    """A key's own figures."""

    always = False

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def serve(self, request: Request) -> None:
        """Answer with the sums, by whatever the query names, and the limits that the key's requests fall under."""
        principal = self.gateway.authenticate(request)
        asked = dict(parse_qsl(request.query))
        unknown = asked.keys() - set(FIELDS)
        if unknown:
            raise InvalidRequest(f"The query takes {', '.join(FIELDS)}.", param=min(unknown))
        question = _question(asked, principal)
        found: list[Report] = []

        async def report() -> None:
            found.append(await asyncio.to_thread(report_usage, self.gateway.store.engine, question))

        await OnLoop(report())
        told = {
            "object": "usage",
            "by": question.by,
            "groups": [
                {**dict(zip(question.by, group.values, strict=True)), **group.sums.told()} for group in found[0].groups
            ]
            if question.by
            else [],
            "whole": found[0].whole.told(),
            "limits": self._limits(principal, asked.get("model", "")),
        }
        json_answer(request, told, snapshot=self.gateway.snapshot.number)

    def _limits(self, principal: Principal, alias: str) -> list[dict[str, Any]]:
        book = self.gateway.book
        scope = book.scope(Asker(principal, alias, principal.tags))
        told = []
        for standing in [] if scope is None else book.ledger.standings(scope):
            rule = book.rule(standing.rule)
            money = rule.measure == "cost"
            amounts = {"most": rule.most, "spent": standing.spent, "held": standing.held}
            told.append(
                {
                    "limit": "key" if rule.name.startswith("key:") else rule.name,
                    "of": shown(standing.who),
                    "measure": "usd" if money else rule.measure,
                    "period": rule.period,
                    **{name: dollars(amount) if money else amount for name, amount in amounts.items()},
                    "resets_s": standing.resets_s,
                    "mode": "enforce" if rule.enforced else "shadow",
                }
            )
        return told


def _question(asked: dict[str, str], principal: Principal) -> Question:
    by = tuple(dict.fromkeys(name for name in asked.get("by", "").split(",") if name))
    for name in by:
        if name not in DIMENSIONS:
            raise InvalidRequest(f"{name!r} is none of {', '.join(DIMENSIONS)}.", param="by")
    return Question(
        by=by,
        since_ms=_moment_ms(asked.get("since", SINCE), "since"),
        until_ms=_moment_ms(asked["until"], "until") if "until" in asked else None,
        key_id=principal.key_id,
    )


def _moment_ms(text: str, param: str) -> int:
    try:
        return parse_moment_ms(text, time.time_ns() // 1_000_000)
    except ValueError as error:
        raise InvalidRequest(f"{error}.", param=param) from None
