"""An answer of the client's own dialect that is looked at on its way: as long as nothing is found, byte by byte.

What guardrails hold back of its events is held back of its bytes: a piece leaves when all of its text may. What has to
be changed (a stream that is cut, an answer that is refused) is written anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman.core import without_usage
from dragoman.dialects.canonical import BlockStopped, Delta, Event, Finished
from dragoman.dialects.dialect import Asked
from dragoman.routing.translation import Relayed
from dragoman.routing.with_cost import DONE

if TYPE_CHECKING:
    from dragoman.core import Exchange, Outcome
    from dragoman.dialects.canonical import Report
    from dragoman.dialects.dialect import Target
    from dragoman.guardrails.guarding import Guarding
    from dragoman.routing.reading import Reading
    from dragoman.routing.run import Run


class Watched(Relayed):
    """One attempt's answer."""

    def __init__(
        self, reading: Reading, target: Target, guarding: Guarding, *, hides_usage: bool, wants_cost: bool
    ) -> None:
        """:param hides_usage: the usage that the stream (of OpenAI's chat) tells is not for the client.
        :param wants_cost: nor is its end, since the cost is to stand before it.
        """
        super().__init__(reading, target)
        self._hides_usage = hides_usage
        self._wants_cost = wants_cost
        self.guarding = guarding
        self._refused = False
        self._held_back: list[tuple[int, bytes]] = []  # pieces, and how much text had come with each
        self._come = 0  # characters
        self._structure: list[Event] = []  # what has left, but for texts

    def asked(self, run: Run) -> Asked:
        """What an ending is written for."""
        request = run.request
        return Asked(request=self.reading.request, request_id=request.id, created_s=request.started_at_ms // 1000)

    def read_whole(self, outcome: Outcome) -> None:
        """Read the answer, look at it, and keep it as it is."""
        guarding, self.guarding = self.guarding, None
        super().read_whole(outcome)
        self.guarding = guarding
        if self.answer is not None and guarding is not None:
            looked_at = guarding.answer(self.answer)
            self._refused = looked_at is not self.answer
            self.answer = looked_at

    def write_whole(self, run: Run) -> bytes:
        """The answer as it came, or that it is refused."""
        if not self._refused or self.answer is None:
            return self.raw
        return self.reading.dialect.write_answer(self.answer, self.asked(run))

    def _hold(self, exchange: Exchange, events: list[Event]) -> None:
        if self.error is not None or self.outgoing is None or self.outgoing.cut:
            return
        piece = without_usage(exchange.batch_raw()) if self._hides_usage else exchange.batch_raw()
        piece = piece.removesuffix(DONE) if self._wants_cost else piece
        self._come += sum(len(event.text) for event in events if type(event) is Delta)
        passed = self.outgoing.events(events)
        if self.outgoing.cut:
            self._held_back = [(0, self._cut_off(passed))]
            return
        self._structure += [event for event in passed if type(event) is not Delta]
        if piece:
            self._held_back.append((self._come, piece))

    def _cut_off(self, passed: list[Event]) -> bytes:
        """What ends the stream, after what of it has left."""
        assert self.writer is not None  # noqa: S101 - made before anything is kept
        ending: list[Event] = [event for event in passed if type(event) in (Finished, BlockStopped)]
        self.writer.write(self._structure)
        return self.writer.write(ending) + self.writer.finish()

    def _held(self) -> bytes:
        """The pieces that may leave."""
        assert self.outgoing is not None  # noqa: S101 - made before anything is kept
        free = self._come if self.outgoing.cut else self._come - self.outgoing.held
        leaving = [piece for come, piece in self._held_back if come <= free]
        self._held_back = self._held_back[len(leaving) :]
        return b"".join(leaving)

    def last_words(self, report: Report) -> bytes:
        """What ends a stream that has begun and then failed; what was held back of it is let go."""
        assert self.writer is not None  # noqa: S101 - made before anything is kept
        self.writer.write(self._structure)
        return self.writer.fail(report)
