"""Telling of levels that limits have reached: in the log, and to a webhook.

The webhook gets ``{"event": "limit_level", "limit", "who", "measure", "level", "spent", "most", "period", "at"}``, the
amounts of money in dollars. One that cannot be reached is tried three times, and then it is logged.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import msgspec

from dragoman.driver import Driver, Pause
from dragoman.ledger.book import NANO, shown
from dragoman.routing.elsewhere import place_of, post, signed, target_of

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from dragoman.config import limiting
    from dragoman.core import Target, Upstream
    from dragoman.ledger.book import Book

log = logging.getLogger("dragoman.ledger")

TIMEOUT_S = 10.0
PAUSES_S = (1.0, 10.0)


class Alerts:
    """Whom to tell."""

    def __init__(self, book: Book, upstream: Upstream, loop: AbstractEventLoop) -> None:
        self.failures = 0
        self._book = book
        self._upstream = upstream
        self._loop = loop
        self._settings: limiting.Alerts | None = None
        self._target: Target | None = None

    def replace(self, settings: limiting.Alerts | None) -> None:
        """These are the settings from now on."""
        if settings == self._settings and self._target is not None:
            return
        self._settings, self._target = settings, None
        if settings is not None:
            place = place_of(settings.url)
            self._target = target_of(self._upstream, place.base_url, [], private=settings.allow_private)

    def tell(self) -> None:
        """Tell of what has been reached since the last time. Does not wait; from any thread."""
        for number, who, level, spent in self._book.ledger.crossings():
            rule = self._book.rule(number)
            unit = NANO if rule.measure == "cost" else 1
            told = {
                "event": "limit_level",
                "limit": rule.name,
                "who": shown(who),
                "measure": rule.measure,
                "level": level,
                "spent": spent / unit,
                "most": rule.most / unit,
                "period": rule.period,
                "at": int(time.time()),
            }
            log.warning("limit %s: %.0f %% of it is used %s", rule.name, level * 100, f"by {shown(who)}" if who else "")
            if self._target is not None:
                send = self._send(self._target, msgspec.json.encode(told))
                self._loop.call_soon_threadsafe(Driver(send, None, self._loop).start)

    async def _send(self, target: Target, body: bytes) -> None:
        assert self._settings is not None  # noqa: S101 - there is a target
        path, secret = place_of(self._settings.url).path, self._settings.secret
        outcome: Any = None
        for pause_s in (0.0, *PAUSES_S):
            if pause_s:
                await Pause(pause_s)
            headers = [("content-type", "application/json"), *signed(secret, body)]
            outcome = await post(target, path, body, headers, TIMEOUT_S)
            if not outcome.failure:
                return
        self.failures += 1
        reason = f"HTTP {outcome.status}" if outcome.failure == "status" else outcome.failure
        log.error("an alert could not be delivered: %s", reason)
