"""An answer of the client's own dialect that is looked at on its way: as long as nothing is found, byte by byte.

What guardrails hold back of its events is held back of its bytes: a piece leaves when all of its text may. What has to
be changed (a stream that is cut, an answer that is refused) is written anew.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING

from msgspec import Struct

from dragoman.core import read_answer, without_usage
from dragoman.dialects.canonical import Delta, Event, Usage
from dragoman.dialects.dialect import Asked
from dragoman.guardrails.outgoing import ended
from dragoman.routing.translation import Relayed
from dragoman.routing.with_cost import DONE

if TYPE_CHECKING:
    from dragoman.core import Exchange, Outcome
    from dragoman.dialects.canonical import Answer, Report
    from dragoman.dialects.dialect import EventReader, Target
    from dragoman.guardrails.guarding import Guarding
    from dragoman.routing.reading import Reading
    from dragoman.routing.run import Run


_DATA = re.compile(rb"^data(?::|$)", re.MULTILINE)


def frames_of(raw: bytes) -> list[bytes]:
    """Server-sent events one by one, each with what stands between it and the one before.

    Where lines end otherwise than with a line feed they are not told apart.
    """
    *blocks, rest = raw.split(b"\n\n") if b"\r" not in raw else [b""]
    frames: list[bytes] = []
    before = b""
    for block in blocks:
        before += block + b"\n\n"
        if _DATA.search(block):
            frames.append(before)
            before = b""
    if frames:
        frames[-1] += before + rest
    return frames


class _Piece(Struct):
    """Some of a stream, as it came."""

    raw: bytes
    come: int  # characters of text, it and all before it
    events: list[Event]  # what may leave of it, but for texts


class Watched(Relayed):
    """One attempt's answer."""

    def __init__(
        self, reading: Reading, target: Target, guarding: Guarding, *, hides_usage: bool, wants_cost: bool
    ) -> None:
        """:param hides_usage: the usage that the stream (of OpenAI's chat) tells is not for the client.
        :param wants_cost: nor is its end, since the cost is to stand before it.
        """
        super().__init__(reading, target)
        # Of a format, or for others, an answer has to be read whole.
        self._is_plain = (
            reading.dialect.name == "openai_chat" and not guarding.of_answers.called and not guarding.may_repair
        )
        self._hides_usage = hides_usage
        self._wants_cost = wants_cost
        self.guarding = guarding
        self._held_back: list[_Piece] = []
        self._come = 0  # characters
        self._frames: list[list[Event]] = []  # what was read last, of each frame

    def asked(self, run: Run) -> Asked:
        """What an ending is written for."""
        request = run.request
        return Asked(request=self.reading.shown, request_id=request.id, created_s=request.started_at_ms // 1000)

    def read_whole(self, outcome: Outcome) -> None:
        """Read the answer, look at it, and keep it as it is."""
        if self._is_plain and self._read_plain(outcome.body):
            return
        guarding, self.guarding = self.guarding, None
        super().read_whole(outcome)
        self.guarding = guarding
        if self.answer is not None and guarding is not None:
            looked_at = guarding.answer(self.answer)
            self.refused = looked_at is not self.answer
            self.answer = looked_at

    def _read_plain(self, body: bytes) -> bool:
        """Look at an answer that says nothing but texts. False: it says more, or is refused, and has to be read."""
        assert self.guarding is not None  # noqa: S101 - the answer is watched
        if not self.guarding.passes_completion(body):
            return False
        told = read_answer(body)
        usage = told.usage
        if usage is None or usage.suspect or not told.finish_reason:
            return False
        self.usage = Usage(
            input=usage.input,
            output=usage.output,
            cached=usage.cached_input,
            cache_write=usage.cache_write,
            reasoning=usage.reasoning,
            audio_input=usage.audio_input,
            audio_output=usage.audio_output,
        )
        self.finish_reason = told.finish_reason
        self.raw = body
        return True

    def write_whole(self, run: Run) -> bytes:
        """The answer as it came, or that it is refused."""
        if not (self.refused or self.replaced) or self.answer is None:
            return self.raw
        return self.reading.dialect.write_answer(self.answer, self.asked(run))

    def _begin(self, exchange: Exchange, events: list[Event]) -> bool:
        """Begin with the first piece that may leave, unless it ends in a failure: nothing is kept of that."""
        if self.begun or self.failed:
            return self.begun
        leaving = self._held_back[: self._leaving]
        return super()._begin(exchange, [event for piece in leaving for event in piece.events])

    def _read(self, reader: EventReader, frames: list[tuple[str, bytes]]) -> list[Event]:
        self._frames = [super(Watched, self)._read(reader, [frame]) for frame in frames]
        return list(chain.from_iterable(self._frames))

    def _hold(self, exchange: Exchange, events: list[Event]) -> None:
        if self.failed or self.outgoing is None or self.cut:
            return
        raw = exchange.batch_raw()
        pieces = frames_of(raw)
        frames, self._frames = self._frames, []
        if not pieces or len(pieces) != len(frames):
            pieces, frames = [raw], [events]
        for at, (piece, come) in enumerate(zip(pieces, frames, strict=True), 1):
            self._come += sum(len(event.text) for event in come if type(event) is Delta)
            passed = self.outgoing.events(come, more=at < len(frames))
            passed = [event for event in passed if type(event) is not Delta]
            if self.outgoing.cut:
                self._held_back = [_Piece(self._cut_off(passed), 0, passed)]
                return
            self._held_back.append(_Piece(self._as_asked(piece), self._come, passed))

    def _refuse(self) -> None:
        unsent = [event for piece in self._held_back for event in piece.events]
        self._write_anew(ended(self._left, unsent))
        self.refused = True

    def _say(self, answer: Answer) -> None:
        super()._say(answer)
        self._write_anew(self.events)

    def _write_anew(self, events: list[Event]) -> None:
        """Say something else than what is held back."""
        assert self.writer is not None  # noqa: S101 - made before anything is kept
        self.writer.write(self._left)
        written = self.writer.write(events) + self.writer.finish()
        self._held_back = [_Piece(written.removesuffix(DONE) if self._wants_cost else written, 0, events)]

    def _as_asked(self, raw: bytes) -> bytes:
        """Without what the client does not want, or not here."""
        if self._hides_usage and b"usage" in raw:
            raw = without_usage(raw)
        return raw.removesuffix(DONE) if self._wants_cost else raw

    def _cut_off(self, passed: list[Event]) -> bytes:
        """What ends the stream, after what of it has left."""
        assert self.writer is not None  # noqa: S101 - made before anything is kept
        self.writer.write(self._left)
        unsent = [event for piece in self._held_back for event in piece.events] + passed
        told = ended(self._left, unsent) if self._is_judged else unsent
        return self.writer.write(told) + self.writer.finish()

    @property
    def _leaving(self) -> int:
        """How many pieces may leave."""
        assert self.outgoing is not None  # noqa: S101 - made before anything is kept
        free = self._come if self.cut or self.replaced else self._come - self.outgoing.held
        held = (at for at, piece in enumerate(self._held_back) if piece.come > free)
        return next(held, len(self._held_back))

    def _held(self) -> bytes:
        """The pieces that may leave."""
        leaving = self._leaving
        pieces, self._held_back = self._held_back[:leaving], self._held_back[leaving:]
        for piece in pieces:
            self._left += piece.events
        return b"".join(piece.raw for piece in pieces)

    def last_words(self, report: Report) -> bytes:
        """What ends a stream that has begun and then failed; what was held back of it is let go."""
        assert self.writer is not None  # noqa: S101 - made before anything is kept
        self.writer.write(self._left)
        return self.writer.fail(report)
