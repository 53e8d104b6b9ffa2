"""An answer on its way from a provider's dialect into the client's.

A whole answer is read when it is there. A stream is read event by event, and nothing of it is written before its first
content, so that one that fails before can be taken up elsewhere without the client's noticing: the same rule as the
relay's.
"""

from __future__ import annotations

from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from dragoman.core import Exchange, Outcome
from dragoman.dialects.canonical import (
    Answer,
    BlockStarted,
    Delta,
    Event,
    Failed,
    Finished,
    Metered,
    Proved,
    Report,
    Request,
    Started,
    Text,
    Usage,
)
from dragoman.dialects.dialect import Asked, Dialect, EventReader, EventWriter, Target
from dragoman.dialects.fields import Unreadable
from dragoman.dialects.recall import Gatherer, Turn, turn_of
from dragoman.dialects.replay import events_of
from dragoman.dialects.table import DIALECTS
from dragoman.dialects.undo import Undo, UndoStream, undo_answer
from dragoman.errors import RequestError, UpstreamProtocol
from dragoman.guardrails.outgoing import blocked_answer, ended

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman.guardrails.guarding import Guarding
    from dragoman.guardrails.outgoing import OutgoingStream
    from dragoman.ledger.allowance import Length
    from dragoman.routing.call import Call
    from dragoman.routing.judging import Judging
    from dragoman.routing.reading import Reading
    from dragoman.routing.run import Run

# Text kept of an answer to count its tokens should its usage not come.
TEXT_CHARS = 256 * 1024
_CONTENT = (Delta, BlockStarted, Finished)
# What is asked, where an answer fails of which nothing but the failure is left to write.
NOTHING = Request(dialect="", model="", messages=())


class Translation:
    """One attempt's answer."""

    def __init__(
        self, reading: Reading, provider: Dialect, target: Target, undo: Undo, guarding: Guarding | None = None
    ) -> None:
        self.guarding = guarding
        self.outgoing: OutgoingStream | None = None
        self.reading = reading
        self.provider = provider
        self.target = target
        self.undoing = undo
        self.undo = UndoStream(undo)
        self.events: list[Event] = []
        self.usage: Usage | None = None
        self.finish_reason = ""
        self.unfinished = False  # made in the background: nothing is known of it yet
        self.text = ""
        self.length: Length | None = None  # where it is limited
        self.generated_bytes = 0
        self.gatherer = Gatherer()
        self.said = False  # whether anything but text has come
        self.report: Report | None = None  # an error that the provider reported inside its answer
        self.error: RequestError | None = None  # an answer that is none
        self.writer: EventWriter | None = None
        self.answer: Answer | None = None
        self.sent_s = monotonic()
        self.first_token_ms: float | None = None
        self.last = b""  # what was sent last: a whole answer, or a piece of a stream
        self.unsent: bytes | None = None  # the end of a stream, where its cost is to be added
        self.begun = False  # whether the client has got anything
        self.refused = False  # by somebody who was shown all of it
        self.replaced = False  # by one that was asked for once more
        self.original: Answer | None = None  # as it came, whatever was made of it
        self._left: list[Event] = []  # but for texts, where those who judge it may end it
        self._is_judged = False  # by those who have not seen yet what is kept

    @property
    def stream_type(self) -> str:
        """The content type of a stream; empty: as the provider says."""
        return self.reading.dialect.stream_type

    def asked(self, run: Run) -> Asked:
        """What the answer is written for."""
        request = run.request
        return Asked(request=self.reading.shown, request_id=request.id, created_s=request.started_at_ms // 1000)

    @property
    def turn(self) -> Turn | None:
        """What was proved of it that its client may not bring back."""
        return self.gatherer.turn if self.answer is None else turn_of(self.answer.choices[0].blocks)

    # Whole answers ------------------------------------------------------------------------------------------------

    def read_whole(self, outcome: Outcome) -> None:
        """Read the answer; ``error`` says what is wrong with one that is none."""
        try:
            answer = undo_answer(self.provider.read_answer(outcome.body, self.target), self.undoing)
        except Unreadable as error:
            self.error = UpstreamProtocol(f"The answer of {self.target.provider} cannot be read: {error.message}")
            return
        self.usage = answer.usage
        first = answer.choices[0]
        self.finish_reason = first.native_stop or first.stop or ""
        self.unfinished = first.stop is None
        self.text = "".join(
            block.text for choice in answer.choices for block in choice.blocks if isinstance(block, Text)
        )[:TEXT_CHARS]
        if first.stop == "error" and not first.blocks:
            self.error = self._broke_off(first.native_stop)
        else:
            self.original = answer
            self.answer = answer if self.guarding is None else self.guarding.answer(answer)
            self.refused = self.answer is not answer

    def write_whole(self, run: Run) -> bytes:
        """The answer as the client reads it."""
        assert self.answer is not None  # noqa: S101 - an attempt without one has failed
        return self.reading.dialect.write_answer(self.answer, self.asked(run))

    # Streams ------------------------------------------------------------------------------------------------------

    async def follow(self, exchange: Exchange, run: Run, judging: Judging | None) -> Outcome:
        """Read the stream, and write it as it comes.

        :param judging: those who have to judge what is to leave.
        """
        reply = run.request.reply
        reader = self.provider.reader(self.target)
        self._is_judged = judging is not None
        if self.guarding is not None:
            self.outgoing = self.guarding.stream(lambda: self.reading.request)
        self.writer = self.reading.dialect.writer(self.asked(run))
        alive = partial(self._stay_alive, exchange, run)
        while (frames := await exchange.next_batch()) is not None:
            events = self._arrived(reader, frames) if frames else []
            if frames:
                self._hold(exchange, events)
                await self._settle_request(events, run)
            elif self.begun and not (judging is not None and judging.holds):
                reply.send(self.writer.ping())
            if await self._may_leave(judging, events, frames, alive) and self._begin(exchange, events):
                piece = self._held()
                self.last = piece or self.last
                if piece and not reply.send(piece):
                    exchange.cancel()
            if self.failed or self.cut:
                exchange.cancel()
        outcome = await exchange
        if self.cut or (not outcome.failure and not self.failed):
            await self._conclude(exchange, run, reader, judging)
        return outcome

    async def _conclude(self, exchange: Exchange, run: Run, reader: EventReader, judging: Judging | None) -> None:
        """See what has come to its end, and write what is left of it."""
        ending = [] if self.cut else self.undo.events(self._finish(reader))
        self._hold(exchange, ending)
        if self.guarding is not None:
            await self._wait_for(self.guarding)
        if judging is not None and not self.failed and not self.cut:
            judging.note(ending, 0)
            again = await judging.ends(partial(self._stay_alive, exchange, run))
            if again is not None:
                self._say(again)
            elif judging.refused is not None:
                self._refuse()
        if not self.failed:
            run.refresh_headers()
            self._end(exchange, run)

    def _arrived(self, reader: EventReader, frames: list[tuple[str, bytes]]) -> list[Event]:
        """What has come, as if nothing had been done to the request."""
        events = self.undo.events(self._read(reader, frames))
        if self.first_token_ms is None and not self.failed and _has_content(events):
            self.first_token_ms = (monotonic() - self.sent_s) * 1000
        return events

    async def _settle_request(self, events: list[Event], run: Run) -> None:
        """Wait, with the first content, for those who are asked of the request beside the model."""
        if self.guarding is not None and self.guarding.has_pending and _has_content(events):
            await self._wait_for(self.guarding)
            run.refresh_headers()

    async def _may_leave(
        self,
        judging: Judging | None,
        events: list[Event],
        frames: list[tuple[str, bytes]],
        alive: Callable[[], None],
    ) -> bool:
        """Whether what has come may leave, as far as those say who judge it."""
        if judging is None:
            return bool(frames)
        if self.failed or self.cut:
            return False
        judging.note(events, sum(len(data) for _, data in frames))
        if await judging.lets_go(alive, quiet=not frames):
            return True
        if judging.refused is not None:
            self._refuse()
        return False

    async def _wait_for(self, guarding: Guarding) -> None:
        """Wait for those who are asked beside the model; nothing of the answer has left."""
        try:
            await guarding.settled()
        except RequestError as refused:
            self.error = refused

    def _stay_alive(self, exchange: Exchange, run: Run) -> None:
        """Give a sign of life to a client whose answer has come and is held."""
        assert self.writer is not None  # noqa: S101 - made before anything is kept
        sign = self.writer.ping()
        if sign and not self.failed and self.first_token_ms is not None:
            self.begun = self.begun or exchange.begin(self.stream_type)
            if not self.begun or not run.request.reply.send(sign):
                exchange.cancel()

    def _refuse(self) -> None:
        """Leave nothing of what is held but its beginning and that it was filtered."""
        self.refused = True
        self.events = ended(self._left, self.events)

    def _say(self, answer: Answer) -> None:
        """Give another answer in the place of one that is held."""
        assert self.outgoing is not None  # noqa: S101 - made before anything is kept
        self.replaced = True
        self.events = self.outgoing.revealed(events_of(answer))

    def replace_whole(self, answer: Answer) -> None:
        """Give another answer in the place of one that was refused."""
        self.refused, self.replaced, self.answer = False, True, answer

    def refuse_whole(self) -> None:
        """Leave nothing of a whole answer but that it was filtered."""
        assert self.answer is not None  # noqa: S101 - it has been read
        self.refused = True
        self.answer = blocked_answer(self.answer)

    @property
    def cut(self) -> bool:
        """Whether a guardrail has ended the stream."""
        return self.refused or (self.outgoing is not None and self.outgoing.cut)

    def _end(self, exchange: Exchange, run: Run) -> None:
        """Write what is left of a good stream."""
        self.begun = self.begun or exchange.begin(self.stream_type)
        if self.begun:
            ending = self._held() + self._ending()
            self.last = ending or self.last
            run.translation = self
            run.before_end(run)
            if run.wants_cost:
                self.unsent = ending
                return
            run.request.reply.send(ending)
            run.request.reply.finish()

    def _begin(self, exchange: Exchange, events: list[Event]) -> bool:
        """Begin to answer with the first content. False: there is none yet, or the answer is another's."""
        if not self.begun and self.error is None and _has_content(events + self.events):
            self.begun = exchange.begin(self.stream_type)
            if not self.begun:
                exchange.cancel()
        return self.begun

    def _hold(self, exchange: Exchange, events: list[Event]) -> None:
        """Keep events until they may be written; what comes after the end of a stream that was refused is nothing."""
        if self.refused:
            return
        self.events += events if self.outgoing is None else self.outgoing.events(events)
        if self._is_judged and self.cut:
            self._refuse()

    def _held(self) -> bytes:
        """What is kept, to be written now."""
        assert self.writer is not None  # noqa: S101 - made before anything is kept
        events, self.events = self.events, []
        if self.guarding is not None:
            self._left += [event for event in events if type(event) is not Delta]
        return self.writer.write(events)

    def _ending(self) -> bytes:
        assert self.writer is not None  # noqa: S101 - made before anything is kept
        return self.writer.finish()

    def last_words(self, report: Report) -> bytes:
        """What ends a stream that has begun and then failed."""
        return b"" if self.writer is None else self.writer.fail(report)

    def _read(self, reader: EventReader, frames: list[tuple[str, bytes]]) -> list[Event]:
        try:
            events = self._noted(reader.read(frames))
            if self.length is not None:
                self.length.note(self.text, self.generated_bytes)
            return events
        except Unreadable as error:
            self.error = UpstreamProtocol(f"The stream of {self.target.provider} cannot be read: {error.message}")
            return []

    def _finish(self, reader: EventReader) -> list[Event]:
        try:
            return self._noted(reader.finish())
        except Unreadable as error:
            self.error = UpstreamProtocol(f"The stream of {self.target.provider} ended early: {error.message}")
            return []

    def _noted(self, events: list[Event]) -> list[Event]:
        """The events, with what the record needs of them taken note of."""
        for event in events:
            kind = type(event)
            if kind is Delta:
                self.generated_bytes += _bytes(event.text)  # type: ignore[union-attr]
                if len(self.text) < TEXT_CHARS:
                    self.text += event.text  # type: ignore[union-attr]
                if self.gatherer.thinks:
                    self.gatherer.thought(event.text)  # type: ignore[union-attr]
            elif kind is Metered:
                self.usage = event.usage  # type: ignore[union-attr]
            elif kind is BlockStarted:
                self.said = True
                self.gatherer.started(event.block)  # type: ignore[union-attr]
            elif kind is Proved:
                self.gatherer.proved(event.proof)  # type: ignore[union-attr]
            elif kind is Finished:
                self._finished(event)  # type: ignore[arg-type]
            elif kind is Failed:
                self.report = event.report  # type: ignore[union-attr]
            elif kind is Started and event.usage is not None:  # type: ignore[union-attr]
                self.usage = event.usage  # type: ignore[union-attr]
        if self.report is not None:
            return [event for event in events if type(event) is not Failed]
        return events

    def _finished(self, event: Finished) -> None:
        self.finish_reason = event.native_stop or event.stop
        if event.stop == "error" and not self.said and not self.text:
            self.error = self._broke_off(event.native_stop)

    def _broke_off(self, reason: str) -> RequestError:
        return UpstreamProtocol(f"{self.target.provider} broke off without an answer: {reason or 'no reason'}")

    @property
    def failed(self) -> bool:
        """Whether the answer is none, or none that can be read on."""
        return self.report is not None or self.error is not None


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _has_content(events: list[Event]) -> bool:
    return any(type(event) in _CONTENT for event in events)


class Relayed(Translation):
    """An answer of the client's own dialect: passed on as it came, and read on the side for what the record needs."""

    def __init__(self, reading: Reading, target: Target) -> None:
        super().__init__(reading, reading.dialect, target, Undo())
        self.raw: bytes = b""

    @property
    def stream_type(self) -> str:
        """As the provider says."""
        return ""

    @property
    def turn(self) -> Turn | None:
        """Its client's dialect has a place for all of it."""
        return None

    def asked(self, run: Run) -> Asked:
        """Nothing of the answer is written here but what is said of its failure."""
        return asked_nothing(run)

    def read_whole(self, outcome: Outcome) -> None:
        """Read the answer, and keep it as it is."""
        super().read_whole(outcome)
        self.raw = outcome.body

    def write_whole(self, run: Run) -> bytes:
        """The answer as it came."""
        return self.raw

    def _hold(self, exchange: Exchange, events: list[Event]) -> None:
        if self.error is None:
            self.raw += exchange.batch_raw()

    def _held(self) -> bytes:
        raw, self.raw = self.raw, b""
        return raw

    def _ending(self) -> bytes:
        return b""

    def last_words(self, report: Report) -> bytes:
        """The provider's own report has been passed on."""
        return b"" if self.report is not None else super().last_words(report)


def asked_nothing(run: Run) -> Asked:
    """What a failure is written for."""
    return Asked(request=NOTHING, request_id=run.request.id, created_s=run.request.started_at_ms // 1000)


def last_words(call: Call, run: Run, report: Report) -> bytes:
    """What ends a stream that has begun, in the client's dialect."""
    if run.translation is not None:
        return run.translation.last_words(report)
    return DIALECTS[call.dialect].writer(asked_nothing(run)).fail(report)
