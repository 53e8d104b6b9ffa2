"""A stream before those who judge it: held until they have, or let go window by window.

Some can tell only of a whole answer; others can be asked of parts of one, but not of every word. Nothing leaves that
has not been judged, and a client that waits is given signs of life in between. What is held is bounded.
"""

from __future__ import annotations

from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from dragoman.guardrails.guard import Waiting
from dragoman.guardrails.heard import Heard
from dragoman.guardrails.passages import of_answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from dragoman.config.schema import Limits
    from dragoman.dialects.canonical import Answer, Event
    from dragoman.errors import GuardrailBlocked
    from dragoman.guardrails.guarding import Guarding
    from dragoman.guardrails.verdict import Passage
    from dragoman.routing.call import Call

    Again = Callable[[str], Awaitable[Answer | None]]

# Others are shown a stream when so many characters have come that no window has shown.
WINDOW = 800


class Judging:
    """One attempt's stream."""

    def __init__(self, guarding: Guarding, again: Again, limits: Limits) -> None:
        """:param again: asks for an answer once more, whose words were refused."""
        self.guarding = guarding
        self._again = again
        looking = guarding.of_answers
        self.holds = looking.holds
        self.refused: GuardrailBlocked | None = None
        self.heard = Heard() if looking.whole else None  # all of it
        self.windows = Heard() if looking.shown and not looking.holds else None
        self._limits = limits
        self._bytes = 0
        self._told_s = monotonic()

    @classmethod
    def of(cls, call: Call, limits: Limits) -> Judging | None:
        """What judges a call's stream; ``None``: nobody who needs more than a look at what comes."""
        guarding = call.guarding
        if guarding is None or not (guarding.of_answers.whole or guarding.of_answers.shown):
            return None
        return cls(guarding, partial(guarding.repaired, call), limits)

    def note(self, events: list[Event], size: int) -> None:
        """What has come.

        :param size: in bytes, as the provider sent it.
        """
        for heard in (self.heard, self.windows):
            if heard is not None:
                for event in events:
                    heard.note(event)
        self._bytes += size
        if self.heard is not None and self._bytes > self._limits.max_held_bytes:
            reason = f"a stream of more than {self._limits.max_held_bytes} bytes is not held (max_held_bytes)"
            self.refused = self.guarding.cannot_hold(reason)
            if self.holds and self.guarding.of_answers.shown:
                self.windows = self.heard
            self.holds, self.heard = False, None

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
        unseen = 0 if self.windows is None else self.windows.unseen
        if unseen >= WINDOW or (unseen and quiet):
            await self._judge_window(stay_alive)
            return self.refused is None
        return not unseen

    async def ends(self, stay_alive: Callable[[], object]) -> Answer | None:
        """Judge what is left of a stream that is over; another answer, where one is given in its place."""
        if self.refused is None:
            await self._judge_window(stay_alive)
        if self.refused is not None or self.heard is None:
            return None
        await self._judge_whole(self.heard.passages, stay_alive)
        if self.refused is None:
            return None
        again = await self._again(self.heard.said)
        if again is not None:
            await self._judge_whole(of_answer(again), stay_alive)
        return again if self.refused is None else None

    async def _judge_window(self, stay_alive: Callable[[], object]) -> None:
        if self.windows is not None and self.windows.unseen:
            found, waiting = self.windows.window(), self._waiting(stay_alive)
            self.refused = await self.guarding.refusal_of_stream(found, whole=False, waiting=waiting)

    async def _judge_whole(self, found: list[Passage], stay_alive: Callable[[], object]) -> None:
        waiting = self._waiting(stay_alive)
        self.refused = await self.guarding.refusal_of_stream(found, whole=True, waiting=waiting)

    def _waiting(self, stay_alive: Callable[[], object]) -> Waiting:
        return Waiting(self._limits.heartbeat_s, lambda: self._alive(stay_alive))

    def _alive(self, stay_alive: Callable[[], object]) -> None:
        self._told_s = monotonic()
        stay_alive()
