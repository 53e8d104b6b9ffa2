"""The guardrails of a session: a frame of the client's is judged and masked as a request is, an answer as a stream.

What is hidden stays known for as long as the session lasts, so that the same value has the same name in every turn;
what guardrails say is told turn by turn. A frame that is refused is answered with an error, and the session goes on,
but for sound, of which there is always more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from dragoman.core import BodyError, RequestBody
from dragoman.errors import GuardrailBlocked, InvalidRequest, UpstreamProtocol
from dragoman.guardrails.guard import About
from dragoman.guardrails.verdict import Passage, Verdict, Verdicts
from dragoman.realtime.answering import ALOUD, Answering, waited, written
from dragoman.realtime.texts import said_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman.config.schema import Limits
    from dragoman.dialects.canonical import Json
    from dragoman.guardrails.guarding import Calling, Guarding
    from dragoman.guardrails.masking import Hiding
    from dragoman.realtime.answering import Frame
    from dragoman.realtime.speech.spoken import Speech, Spoken, Stop

_decode, _encode = msgspec.json.decode, msgspec.json.encode
DEPTH = 128
SECRET = frozenset({"system", "developer"})
# So many of a session's instructions are remembered, to be found in answers.
MOST_INSTRUCTIONS = 64
# So much of what was said before is looked at with what follows.
SEAM = 48
# Why sound may not pass where nothing may pass unseen.
SEEN = "sound and pictures are not looked into"


class Passing(Struct):
    """What goes where, after a frame of the provider's."""

    to_client: list[Frame] = []
    to_provider: list[Frame] = []


class Guarded:
    """One session."""

    def __init__(self, begin: Callable[[], Guarding], speech: Speech, limits: Limits, calling: Calling | None) -> None:
        """
        :param begin: what holds for anything that is said.
        :param calling: how those are asked who are called out.
        """
        self._begin = begin
        self._speech = speech
        self._limits = limits
        self._calling = calling
        self._hidings = begin().hidings
        self._instructions: dict[str, Passage] = {}
        self._before = ""  # the end of what the client has said last
        self._turn, self._session = Verdicts(), Verdicts()
        self.refusing: Guarding | None = None  # what has refused the client's last frame that was refused
        self._answers: dict[str, Answering] = {}
        self._refused: dict[str, GuardrailBlocked] = {}  # answers that go on, unheard
        self.is_over = False  # whether the client has said what ends the session

    # From the client ----------------------------------------------------------------------------------------------

    async def from_client(self, frame: Frame) -> Frame:
        """What the provider may get in a frame's place.

        Raises:
            GuardrailBlocked: a guardrail refuses it.
            InvalidRequest: it cannot be read.
        """
        guarding = self._fresh()
        try:
            sent = await self._judged(frame, guarding)
        except GuardrailBlocked:
            self.refusing = guarding
            self._note(guarding, self._session)
            raise
        self._note(guarding, self._turn, self._session)
        return sent

    async def _judged(self, frame: Frame, guarding: Guarding) -> Frame:
        event = _read(frame)
        said = said_in(event)
        if said.has_media:
            self.is_over = self._speech.is_sound(event)
            _raise(guarding.cannot_hear("input", SEEN))
            self.is_over = False
        aloud = ALOUD.format(self._speech.text_by)
        if self._speech.asks_aloud(event) and self._begin().cannot_hear("output", aloud) is not None:
            _raise(guarding.cannot_hear("output", aloud))
        if not said.passages:
            self._check(frame.encode() if isinstance(frame, str) else frame)
            return frame
        guarding.hide(_encode(event))
        sent = self._hidden(event, guarding)
        found = said_in(_decode(sent)).passages
        guarding.check_input(found)
        await waited(guarding, guarding.ask_input(found, may_wait=False))
        self._remember(found)
        self._before = said.passages[-1].text[-SEAM:]
        return sent if isinstance(frame, bytes) else sent.decode()

    def _hidden(self, event: Json, guarding: Guarding) -> bytes:
        """The frame as providers may see it, by all that has been hidden in the session.

        What is split is found across the seam to what was said before, which has left: the rest of it does not. So
        that nothing else stands between the two, ids of the protocol's come last.
        """
        event = dict(sorted(event.items(), key=lambda member: isinstance(member[1], str)))
        both = _encode([self._before, event])
        for hiding in self._enforcing:
            both = hiding.session.mask_body(both)
            hidden = _decode(both)[1]
            if hidden != event:
                event = hidden
                guarding.verdicts.note(Verdict(guardrail=hiding.hider.name, ruling="mask", place="input"))
        sent = _encode(event)
        self._check(sent)
        return sent

    def _check(self, sent: bytes) -> None:
        for hiding in self._enforcing:
            hiding.check(sent)

    @property
    def _enforcing(self) -> list[Hiding]:
        return [hiding for hiding in self._hidings if not hiding.hider.shadow]

    def _remember(self, found: list[Passage]) -> None:
        for passage in found:
            if passage.role in SECRET:
                self._instructions.pop(passage.text, None)
                self._instructions[passage.text] = passage
        for text in list(self._instructions)[:-MOST_INSTRUCTIONS]:
            del self._instructions[text]

    def _fresh(self) -> Guarding:
        guarding = self._begin()
        guarding.calling = self._calling
        return guarding

    # From the provider --------------------------------------------------------------------------------------------

    async def from_provider(self, frame: Frame) -> Passing:
        """What comes of a frame.

        Raises:
            UpstreamProtocol: it cannot be read.
        """
        passing = Passing()
        try:
            event: Any = _decode(frame)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            event = None
        if not isinstance(event, dict):
            raise UpstreamProtocol("The provider sends a frame that is no object of JSON.")
        if self._speech.is_ours(event):
            return passing
        spoken = self._speech.read(event)
        unheard = await self._refuses_heard(spoken.heard, event)
        if unheard is not None:
            _tell(passing, unheard, frame)
        if not spoken.is_judged:
            passing.to_client.append(self._shown(frame))
        else:
            if spoken.answer not in self._refused:
                await self._answered(frame, event, spoken, passing)
            if spoken.answer in self._refused:
                self._turn_away(frame, event, spoken, passing)
        return passing

    async def quiet(self) -> Passing:
        """What may leave when nothing has come for a while."""
        passing = Passing()
        for answer, answering in list(self._answers.items()):
            passing.to_client += await answering.wait()
            if answering.refused is not None:
                self._refuse(answer, answering.refused)
                _tell(passing, self._speech.stop(answer), "")
        return passing

    @property
    def holds(self) -> bool:
        """Whether something waits for a verdict."""
        return any(answering.holds for answering in self._answers.values())

    async def _answered(self, frame: Frame, event: Json, spoken: Spoken, passing: Passing) -> None:
        """A frame of an answer."""
        answering = self._answers.get(spoken.answer) or self._answering()
        self._answers[spoken.answer] = answering
        passing.to_client += await answering.take(frame, event, spoken)
        if answering.refused is not None:
            self._refuse(spoken.answer, answering.refused)
            if spoken.is_alone:
                error = self._refused.pop("")
                passing.to_client.append(written(self._speech.error(error), frame))
            elif not spoken.ends:
                _tell(passing, self._speech.stop(spoken.answer), frame)
        elif spoken.settles or spoken.is_alone:
            self._note(self._answers.pop(spoken.answer).guarding, self._turn, self._session)

    def _answering(self) -> Answering:
        guarding = self._fresh()
        guarding.look_with(self._hidings, About(list(self._instructions.values())))
        return Answering(guarding, self._speech, self._limits)

    def _refuse(self, answer: str, error: GuardrailBlocked) -> None:
        self._refused[answer] = error
        answering = self._answers.pop(answer, None)
        if answering is not None:
            self._note(answering.guarding, self._turn, self._session)

    def _turn_away(self, frame: Frame, event: Json, spoken: Spoken, passing: Passing) -> None:
        """A frame of an answer that has been refused: nothing of it leaves but that it is over."""
        _tell(passing, self._speech.turned_away(event), frame)
        if spoken.ends:
            error = self._refused.pop(spoken.answer)
            passing.to_client.append(written(self._speech.ended(event, error), frame))

    async def _refuses_heard(self, text: str, event: Json) -> Stop | None:
        """Judge what the client was heard to say; what is said where that is refused."""
        if not text:
            return None
        found, guarding = [Passage("input", text)], self._fresh()
        try:
            guarding.hide(_encode({"text": text}))
            guarding.check_input(found)
            await waited(guarding, guarding.ask_input(found, may_wait=False))
        except GuardrailBlocked as error:
            answer, stop = self._speech.unheard(event, error)
            if answer:
                self._refuse(answer, error)
            return stop
        finally:
            self._note(guarding, self._turn, self._session)
        return None

    def _shown(self, frame: Frame) -> Frame:
        """A frame that says nothing of a model's, with what was hidden."""
        raw = frame.encode() if isinstance(frame, str) else frame
        for hiding in self._hidings:
            raw = hiding.session.unmask_body(raw)
        return raw if isinstance(frame, bytes) else raw.decode()

    # What is told -------------------------------------------------------------------------------------------------

    def _note(self, guarding: Guarding, *told: Verdicts) -> None:
        for verdict in list(guarding.verdicts.worst.values()):
            for verdicts in told:
                verdicts.note(verdict)

    def of_turn(self, *, is_over: bool) -> Guarding:
        """What guardrails have said in this turn.

        :param is_over: the next begins.
        """
        for answering in self._answers.values():
            self._note(answering.guarding, self._turn, self._session)
        told = self._telling(self._turn)
        if is_over:
            self._turn = Verdicts()
        return told

    def of_session(self) -> Guarding:
        """The same of the whole session."""
        return self._telling(self._session)

    def _telling(self, verdicts: Verdicts) -> Guarding:
        guarding = self._begin()
        guarding.verdicts = verdicts
        return guarding


def _read(frame: Frame) -> Json:
    """A frame of the client's.

    Raises:
        InvalidRequest: it is no object of JSON, or one that can be read in two ways.
    """
    raw = frame.encode() if isinstance(frame, str) else frame
    try:
        RequestBody(raw, DEPTH)
    except BodyError as error:
        raise InvalidRequest(error.message, code=error.code, param=error.path or None) from None
    event: Json = _decode(raw)
    return event


def _raise(error: GuardrailBlocked | None) -> None:
    if error is not None:
        raise error


def _tell(passing: Passing, stop: Stop, like: Frame) -> None:
    passing.to_client += [written(one, like) for one in stop.to_client]
    passing.to_provider += [written(one, "") for one in stop.to_provider]
