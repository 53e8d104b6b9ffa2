"""A stream before those who judge it: held until they have, or let go window by window.

Some can tell only of a whole answer; others can be asked of parts of one, but not of every word. Nothing leaves that
has not been judged, and a client that waits is given signs of life in between. What is held is bounded.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from dragoman.guardrails.guard import Waiting
from dragoman.guardrails.heard import Heard
from dragoman.guardrails.passages import of_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman.config.schema import Limits
    from dragoman.dialects.canonical import Answer, Event
    from dragoman.errors import GuardrailBlocked
    from dragoman.guardrails.guarding import Guarding
    from dragoman.routing.call import Call

# Others are shown a stream when so many characters have come that no window has shown.
WINDOW = 800


class Judging:
    """One attempt's stream."""

    def __init__(self, guarding: Guarding, call: Call, limits: Limits) -> None:
        self.guarding = guarding
        self.call = call
        self.holds = guarding.of_answers.holds
        self.refused: GuardrailBlocked | None = None
        self.heard = Heard()
        self._limits = limits
        self._bytes = 0
        self._told_s = monotonic()

    @classmethod
    def of(cls, call: Call, limits: Limits) -> Judging | None:
        """What judges a call's stream; ``None``: nobody who needs more than a look at what comes."""
        guarding = call.guarding
        if guarding is None or not (guarding.of_answers.holds or guarding.of_answers.shown):
            return None
        return cls(guarding, call, limits)

    def note(self, events: list[Event], size: int) -> None:
        """What has come.

        :param size: in bytes, as the provider sent it.
        """
        if self.holds or self.guarding.of_answers.shown:
            for event in events:
                self.heard.note(event)
        self._bytes += size
        if self.holds and self._bytes > self._limits.max_held_bytes:
            self.holds = False
            reason = f"a stream of more than {self._limits.max_held_bytes} bytes is not held (max_held_bytes)"
            self.refused = self.guarding.cannot_hold(reason)
            if not self.guarding.of_answers.shown:
                self.heard = Heard()

    async def lets_go(self, stay_alive: Callable[[], object], *, quiet: bool) -> bool:
        """Whether what has come may leave.

        :param quiet: nothing more comes for now.
        """
        if self.refused is not None:
            return False
        if self.holds:
            if quiet or monotonic() - self._told_s >= self._limits.heartbeat_s:
                self._alive(stay_alive)
            return False
        unseen = self.heard.unseen if self.guarding.of_answers.shown else 0
        if unseen >= WINDOW or (unseen and quiet):
            self.refused = await self._judged(stay_alive, whole=False)
            return self.refused is None
        return not unseen

    async def ends(self, stay_alive: Callable[[], object]) -> Answer | None:
        """Judge what is left of a stream that is over; another answer, where one is given in its place."""
        if self.refused is not None:
            return None
        if not self.holds:
            if self.heard.unseen and self.guarding.of_answers.shown:
                self.refused = await self._judged(stay_alive, whole=False)
            return None
        self.refused = await self._judged(stay_alive, whole=True)
        if self.refused is None:
            return None
        again = await self.guarding.repaired(self.call, self.heard.said)
        if again is not None:
            waiting = self._waiting(stay_alive)
            self.refused = await self.guarding.refusal_of_stream(of_answer(again), whole=True, waiting=waiting)
        return again if self.refused is None else None

    async def _judged(self, stay_alive: Callable[[], object], *, whole: bool) -> GuardrailBlocked | None:
        found = self.heard.passages if whole else self.heard.window()
        return await self.guarding.refusal_of_stream(found, whole=whole, waiting=self._waiting(stay_alive))

    def _waiting(self, stay_alive: Callable[[], object]) -> Waiting:
        return Waiting(self._limits.heartbeat_s, lambda: self._alive(stay_alive))

    def _alive(self, stay_alive: Callable[[], object]) -> None:
        self._told_s = monotonic()
        stay_alive()
