"""One answer of a session on its way to the client: looked at as it comes, and what was hidden shown again.

Its frames are told as the events of any stream, which guardrails look at as they do at others: in windows, held, or
shown to those who are called out. What of its texts may leave is put back into the frames that it came in. Texts that
come whole, in whatever frame and field, are looked at where they have not been by then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import Struct

from dragoman.dialects.canonical import (
    BlockStarted,
    BlockStopped,
    Delta,
    Event,
    Opaque,
    Reasoning,
    Request,
    Text,
    ToolCall,
)
from dragoman.driver import driven
from dragoman.errors import GuardrailBlocked
from dragoman.realtime.speech.spoken import blanked, put
from dragoman.routing.judging import Judging

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from dragoman.config.schema import Limits
    from dragoman.dialects.canonical import Answer, Block, Json
    from dragoman.guardrails.guarding import Guarding
    from dragoman.guardrails.verdict import Passage
    from dragoman.realtime.speech.spoken import Piece, Slot, Speech, Spoken

Frame = str | bytes
T = TypeVar("T")
_decode, _encode = msgspec.json.decode, msgspec.json.encode
_ASKED = Request(dialect="", model="", messages=())
# Why what is said aloud may not pass where nothing may pass unseen.
ALOUD = "what the model says aloud is not looked into ({} has it written)"


async def waited(guarding: Guarding, asked: Coroutine[Any, Any, T]) -> T:
    """What comes of those who are called out, on the event loop: they are asked by a driver, on whatever thread."""
    if guarding.calling is None or not guarding.called:
        return await asked
    told: list[T] = []

    async def tell() -> None:
        told.append(await asked)

    await driven(tell(), guarding.calling.loop)
    return told[0]


def written(event: Json, like: Frame) -> Frame:
    """A frame, as text or as bytes as another is."""
    raw = _encode(event)
    return raw if isinstance(like, bytes) else raw.decode()


class _Open(Struct):
    """A text that is not whole."""

    index: int  # of its block
    piece: Piece  # the last of it
    event: Json  # the frame of that
    parts: list[str] = []


class Answering:
    """One answer, or whatever else a provider says that is to be looked at."""

    def __init__(self, guarding: Guarding, speech: Speech, limits: Limits) -> None:
        self.guarding = guarding
        self.refused: GuardrailBlocked | None = None
        self._speech = speech
        self._stream = guarding.stream(lambda: _ASKED)
        looking = guarding.of_answers
        is_judged = looking.whole or looking.shown
        self._judging = Judging(guarding, _never_again, limits) if is_judged else None
        self._open: dict[Slot, _Open] = {}
        self._blocks = 0
        self._known: set[tuple[str, str]] = set()  # texts that have been looked at, by their places
        self._is_aloud = False
        self._held: list[Frame] = []
        guarding.skip_stream()

    @property
    def holds(self) -> bool:
        """Whether frames wait for a verdict."""
        return bool(self._held)

    async def take(self, frame: Frame, event: Json, spoken: Spoken) -> list[Frame]:
        """A frame of it: what may leave now. If it is refused, nothing may any more, and ``refused`` says why."""
        if spoken.is_aloud and not self._is_aloud:
            self._is_aloud = True
            self.refused = self.guarding.cannot_hear("output", ALOUD.format(self._speech.text_by))
        events = self._events(event, spoken)
        passed = self._stream.events(events)
        if spoken.is_aloud:
            passed += self._stream.look()
        if self._stream.cut:
            self.refused = self.refused or blocked_by(self.guarding)
        if self.refused is not None:
            return []
        frames = self._frames(frame, event, spoken, passed)
        if not (events or spoken.is_aloud or spoken.settles or self._held):
            return frames  # an answer's beginning, of which nobody has to judge anything
        self._held += frames
        return await self._judged(events, len(frame), is_whole=spoken.settles or spoken.is_alone)

    async def wait(self) -> list[Frame]:
        """Nothing more comes for now: what may leave."""
        return await self._judged([], 0, is_quiet=True)

    async def _judged(
        self, events: list[Event], size: int, *, is_whole: bool = False, is_quiet: bool = False
    ) -> list[Frame]:
        judging = self._judging
        if judging is not None:
            judging.note(events, size)
            if is_whole:
                await waited(self.guarding, judging.ends(_nothing))
            elif not await waited(self.guarding, judging.lets_go(_nothing, quiet=is_quiet)):
                self.refused = judging.refused
                return []
            self.refused = judging.refused
        held, self._held = self._held, []
        return [] if self.refused is not None else held

    # As events ----------------------------------------------------------------------------------------------------

    def _events(self, event: Json, spoken: Spoken) -> list[Event]:
        """What a frame says."""
        events: list[Event] = []
        for piece in spoken.pieces:
            if piece.slot not in self._open:
                self._open[piece.slot] = _Open(self._begin(_BLOCKS[piece.kind], events), piece, event, [])
            known = self._open[piece.slot]
            known.piece, known.event = piece, event
            known.parts.append(piece.text)
            events.append(Delta(index=known.index, text=piece.text))
        for slot in self._open if spoken.settles else spoken.whole:
            if slot in self._open:
                known = self._open[slot]
                place = "tool_arguments" if known.piece.kind == "call" else "output"
                self._known.add((place, "".join(known.parts)))
                events.append(BlockStopped(index=known.index))
        for passage in spoken.rest.passages:
            self._tell(passage, events)
        return events

    def _begin(self, block: Block, events: list[Event]) -> int:
        self._blocks += 1
        events.append(BlockStarted(index=self._blocks, block=block))
        return self._blocks

    def _tell(self, passage: Passage, events: list[Event]) -> None:
        """A text that comes whole."""
        place = "tool_arguments" if passage.place == "tool_arguments" else "output"
        if (place, passage.text) in self._known:
            return
        self._known.add((place, passage.text))
        if place == "output" and passage.aside:
            index = self._begin(Opaque(dialect="", type="", raw={"": passage.text}), events)
        else:
            index = self._begin(_BLOCKS["text" if place == "output" else "call"], events)
            events.append(Delta(index=index, text=passage.text))
        events.append(BlockStopped(index=index))

    # As frames ----------------------------------------------------------------------------------------------------

    def _frames(self, frame: Frame, event: Json, spoken: Spoken, passed: list[Event]) -> list[Frame]:
        """The frame with what may leave of it, after what may leave of others."""
        texts: dict[int, str] = {}
        for one in passed:
            if type(one) is Delta:
                texts[one.index] = texts.get(one.index, "") + one.text
        own = {self._open[piece.slot].index: piece for piece in spoken.pieces}
        frames = [
            written(self._speech.left(known.event, known.piece, texts[known.index]), frame)
            for known in self._open.values()
            if known.index not in own and texts.get(known.index)
        ]
        shown = self._shown(event, spoken, {piece: texts.get(index, "") for index, piece in own.items()})
        for slot in list(self._open) if spoken.settles else spoken.whole:
            self._open.pop(slot, None)
        if shown is event:
            return [*frames, frame]
        return frames if shown is None else [*frames, written(shown, frame)]

    def _shown(self, event: Json, spoken: Spoken, texts: dict[Piece, str]) -> Json | None:
        """A frame with these texts for its pieces, and with what was hidden in all else; ``None``: it is empty."""
        shown = event
        if spoken.rest.passages and self.guarding.changes_answer:
            shown = blanked(event, spoken.pieces)
            shown = _decode(self.guarding.shown(_encode(shown)))
        last = {piece.slot: piece for piece in spoken.pieces}
        for piece in spoken.pieces:
            text = texts.get(piece, "") if last[piece.slot] is piece else ""
            if shown is not event or text != piece.text:
                shown = put(shown, piece.path, text)
        if all(texts.get(piece) for piece in last.values()) and len(last) == len(spoken.pieces):
            return shown
        return self._speech.without(shown, spoken.pieces)


_BLOCKS: dict[str, Block] = {
    "text": Text(text=""),
    "thought": Reasoning(text=""),
    "call": ToolCall(id="", name="", arguments=""),
}


def blocked_by(guarding: Guarding) -> GuardrailBlocked | None:
    """Who has refused something, and why."""
    for verdict in guarding.verdicts.worst.values():
        if verdict.ruling == "block" and not verdict.shadow:
            return GuardrailBlocked(verdict.guardrail, verdict.reason)
    return None


def _nothing() -> None:
    """A session's client needs no signs of life."""


async def _never_again(said: str) -> Answer | None:
    """Nobody can be asked for the same answer once more in a session."""
    return None
