"""``GET /v1/usage``: what a key has used and spent, and what its limits stand at."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from dragoman.driver import OnLoop
from dragoman.endpoints.answers import json_answer, own_headers
from dragoman.errors import InvalidRequest
from dragoman.ledger.book import Asker, shown
from dragoman.usage.forms import CONTENT_TYPES, document, table
from dragoman.usage.question import BadQuestion, Question, Scope, read_question
from dragoman.usage.report import Report, report_usage
from dragoman.usage.sums import dollars

if TYPE_CHECKING:
    from dragoman.access.principal import Principal
    from dragoman.gateway import Gateway
    from dragoman.server.request import Request

PATH = "/v1/usage"
SINCE = "30d"
FORMS = ("json", "csv")


class OwnUsage:
    """A key's own figures."""

    always = False

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def serve(self, request: Request) -> None:
        """Answer with the sums, by whatever the query names, and the limits that the key's requests fall under."""
        principal = self.gateway.authenticate(request)
        asked: dict[str, list[str]] = {}
        for name, value in parse_qsl(request.query, keep_blank_values=True):
            asked.setdefault(name, []).append(value)
        form = "".join(asked.pop("format", ["json"]))
        if form not in FORMS:
            raise InvalidRequest(f"The format is one of {', '.join(FORMS)}.", param="format")
        question = _question(asked, Scope(key_id=principal.key_id))
        found: list[Report] = []

        async def report() -> None:
            found.append(await asyncio.to_thread(self._report, question))

        await OnLoop(report())
        if form == "csv":
            self._csv(request, table(question.by, found[0]))
            return
        told = {
            "object": "usage",
            **document(question.by, found[0]),
            "limits": self._limits(principal, (question.where.get("alias") or question.where.get("model") or ("",))[0]),
        }
        json_answer(request, told, snapshot=self.gateway.snapshot.number)

    def _csv(self, request: Request, text: str) -> None:
        headers = [*own_headers(request, self.gateway.snapshot.number)[1:], ("content-type", CONTENT_TYPES["csv"])]
        request.stage = "answered"
        request.proto.response_bytes(200, headers, text.encode())

    def _report(self, question: Question) -> Report:
        self.gateway.writer.catch_up()
        return report_usage(self.gateway.store.engine, question)

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


def _question(asked: dict[str, list[str]], scope: Scope) -> Question:
    try:
        return read_question({"since": [SINCE], **asked}, scope, time.time_ns() // 1_000_000)
    except BadQuestion as error:
        raise InvalidRequest(f"{error}.", param=error.name) from None
