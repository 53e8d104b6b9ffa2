"""The guardrails of one request, on its way in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from dragoman.errors import GuardrailBlocked
from dragoman.guardrails import passages, plain
from dragoman.guardrails.applied import OF_ANSWERS
from dragoman.guardrails.called.round import Round
from dragoman.guardrails.guard import About, ByPlace
from dragoman.guardrails.outgoing import OutgoingStream, blocked_answer
from dragoman.guardrails.reveal import RevealStream
from dragoman.guardrails.sieve import Sifting
from dragoman.guardrails.verdict import Verdict, Verdicts
from dragoman.guardrails.window import Window

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Awaitable, Callable, Sequence

    from dragoman.config.guards import Place
    from dragoman.dialects.canonical import Answer, Json, Request
    from dragoman.guardrails.applied import Applied, Guards
    from dragoman.guardrails.called.asked import Asking, CalledGuard
    from dragoman.guardrails.guard import Guard, Waiting
    from dragoman.guardrails.masking import Hider, Hiding
    from dragoman.guardrails.verdict import Finding, Passage
    from dragoman.routing.call import Call

# What a sieve says of a request in which there is nothing to be found.
EVERYTHING = 2


class Calling(Struct, frozen=True):
    """How others are asked."""

    asking: Asking
    loop: AbstractEventLoop
    again: Callable[[Call, str, str], Awaitable[Answer | None]]  # what was said, and what is wrong with it


class Guarding:
    """What holds for one request."""

    def __init__(self, applied: Applied, tenant: bytes) -> None:
        """:param tenant: the key that its placeholders are made with."""
        self._applied = applied
        self._tenant = tenant
        self.guards = applied.guards
        self.called = applied.called
        self.of_answers = applied.of_answers
        self.calling: Calling | None = None
        self._hidings: Sequence[Hiding] | None = None  # None: not needed yet
        self._pending: Round | None = None  # asked while the model is
        self._refused_by: Guard | None = None
        self._reason = ""
        self._let_through = b""  # a request in which there is nothing to be found
        self._about: About | None = None
        self.verdicts = Verdicts()

    @property
    def identity(self) -> bytes:
        """A digest of what holds."""
        return self._applied.identity

    @property
    def hidings(self) -> Sequence[Hiding]:
        """What hides, each with what it has hidden."""
        if self._hidings is None:
            self._hidings = [hider.begin(self._tenant) for hider in self._applied.hiders]
        return self._hidings

    @property
    def about(self) -> About:
        """What answers are looked at with."""
        if self._about is None:
            self._about = About(plain.of_chat(self._let_through) or [])
        return self._about

    def look_with(self, hidings: Sequence[Hiding], about: About) -> None:
        """Look at an answer with what was hidden before, and what it is about."""
        self._hidings, self._about = hidings, about

    # On the way in ------------------------------------------------------------------------------------------------

    def lets_through(self, raw: bytes, asked: bytes) -> bool:
        """Whether there is surely nothing to hide in a request, nor in all that it goes on from.

        If there is nothing to be found either in the texts of OpenAI's chat, that is remembered.
        """
        sieve = self._applied.requests
        passed = sieve.request(raw)
        if not passed or not (asked is raw or sieve.request(asked)):
            return False
        self._hidings = ()
        if passed == EVERYTHING and self._applied.tells_all:
            self._let_through = raw
        self.verdicts.allow(self._applied.unmasked)
        return True

    def finds_nothing_in_chat(self, raw: bytes) -> bool:
        """Whether the request was let through, and so all guardrails would find nothing in the texts of its chat."""
        if not self._let_through or self._let_through is not raw:
            return False
        self.verdicts.allow(self._applied.passed)
        return True

    @property
    def sifting(self) -> Sifting | None:
        """What requests like this one pass by, in which there is nothing to be found; ``None``: each is looked at."""
        applied, looked_at = self._applied, self.of_answers.in_whole
        if not self._let_through or self.called or (looked_at and not self.sifts_answers):
            return None
        return Sifting(applied.requests, applied.answers if looked_at else None, applied.answered.told)

    def hide(self, body: bytes) -> bytes:
        """The body as providers may see it.

        Raises:
            GuardrailBlocked: it holds what is to be refused.
        """
        try:
            for hiding in self.hidings:
                body = hiding.hide(body)
        finally:
            for hiding in self.hidings:
                self.verdicts.note(hiding.verdict)
        return body

    def check_sent(self, body: bytes) -> None:
        """The last look at what leaves.

        Raises:
            GuardrailBlocked: it holds what was to be hidden.
        """
        for hiding in self.hidings:
            hiding.check(body)

    def check_input(self, found: list[Passage], schema: Json | None = None) -> None:
        """Look at a request.

        :param schema: of the answer that it asks for.

        Raises:
            GuardrailBlocked: a guardrail refuses it.
        """
        self._about = About(found, schema)
        harmless = self._applied.harmless
        unknown = harmless.unknown(found)
        clean = self._applied.screen.is_clean(unknown)
        new, everything = ByPlace(unknown), ByPlace(found)
        if clean and self._find_nothing(self.guards, new, everything):
            harmless.note(unknown)
            return
        for guard in self.guards.all:
            if not (guard.each and not unknown):
                finding = self._look(guard, new if guard.each else everything, clean=clean)
                if finding is not None:
                    raise GuardrailBlocked(guard.name, finding.reason)
            if everything.at(guard.places):
                self.verdicts.note(guard.allows)
        if all(self.verdicts.worst.get(guard.name, guard.allows) is guard.allows for guard in self.guards.all):
            harmless.note(unknown)

    def _find_nothing(self, guards: Guards, new: ByPlace, everything: ByPlace) -> bool:
        """Whether nothing is found where no rule's words are: nearly always, and then no more is done than has to be.

        :param new: of all texts those that are not known to be harmless.
        """
        concerned = guards.concerned(everything.places)
        for guard in concerned.unruled:
            looked_at = (new if guard.each else everything).at(guard.places)
            if looked_at and guard.look(looked_at, self.about) is not None:
                return False
        self.verdicts.note_all(concerned.allows)
        return True

    def _look(self, guard: Guard, found: ByPlace, *, clean: bool) -> Finding | None:
        """Let a guardrail look; what it refuses the texts for.

        :param clean: nothing is there that the rules of any guardrail ask for.
        """
        looked_at = found.at(guard.places)
        if not looked_at:
            return None
        finding = None if clean and guard.rules is not None else guard.look(looked_at, self.about)
        if finding is None:
            self.verdicts.note(guard.allows)
            return None
        self.verdicts.note(
            Verdict(
                guardrail=guard.name,
                ruling="block" if guard.blocks else "flag",
                shadow=guard.shadow,
                place=looked_at[0].place,
                reason=finding.reason,
                score=finding.score,
                signals=finding.signals,
            )
        )
        if not guard.blocks or guard.shadow:
            return None
        self._refused_by, self._reason = guard, finding.reason
        return finding

    def cannot_look(self, reason: str) -> None:
        """Note that a request cannot be looked into.

        Raises:
            GuardrailBlocked: that it may not pass so.
        """
        refused = self._passed_by(self._everyone, reason)
        if refused is not None:
            raise refused

    def cannot_hear(self, place: Place, reason: str) -> GuardrailBlocked | None:
        """Note that what stands at a place is sound or a picture, and not looked into; why it may not pass so."""
        unseeing = [guard for guard in self._everyone if place in guard.places]
        if place in OF_ANSWERS:
            unseeing = [guard for guard in unseeing if guard not in self.of_answers.skipping]
        return self._passed_by(unseeing, reason)

    @property
    def _everyone(self) -> list[Hider | Guard | CalledGuard]:
        return [*self._applied.hiders, *self.guards.all, *self.called]

    def _passed_by(self, guards: Sequence[Hider | Guard | CalledGuard], reason: str) -> GuardrailBlocked | None:
        """Note that these cannot look; that one of them lets nothing pass unseen."""
        refusing = ""
        for guard in guards:
            self.verdicts.note(_not_scanned(guard, reason))
            if guard.closed and not guard.shadow:
                refusing = refusing or guard.name
        return GuardrailBlocked(refusing, f"{reason}; with on_error: open it may pass so") if refusing else None

    # Called out ---------------------------------------------------------------------------------------------------

    async def ask_input(self, found: list[Passage], *, may_wait: bool) -> None:
        """Show a request to others.

        :param may_wait: the answer can be held until those have answered that need not be waited for now.

        Raises:
            GuardrailBlocked: one of them refuses it, or cannot look at it and may not be passed by.
        """
        if not self.called or self.calling is None:
            return
        later = [guard for guard in self.called if guard.parallel and may_wait]
        if later:
            self._pending = self._round(later, found, is_answer=False)
        now = [guard for guard in self.called if guard not in later]
        await self._settled(self._round(now, found, is_answer=False))

    async def settled(self) -> None:
        """Wait for those who were asked while the model was.

        Raises:
            GuardrailBlocked: one of them refuses the request.
        """
        pending, self._pending = self._pending, None
        if pending is not None:
            await self._settled(pending)

    @property
    def has_pending(self) -> bool:
        """Whether an answer has to wait for those who are asked beside the model."""
        return self._pending is not None

    @property
    def refused_meanwhile(self) -> GuardrailBlocked | None:
        """That one of those refuses the request, as far as is known."""
        return None if self._pending is None else _blocked(self._pending)

    def on_refusal(self, act: Callable[[], object]) -> None:
        """Do something as soon as one of those refuses the request, on whatever thread; at once, where one has."""
        if self._pending is not None:
            self._pending.on_refusal(act)

    async def refuses_answer(self, found: list[Passage]) -> bool:
        """Show a whole answer to others: whether one refuses it, or cannot look at it and may not be passed by."""
        return await self._show(self.of_answers.called, found) is not None

    async def refusal_of_stream(
        self, found: list[Passage], *, whole: bool, waiting: Waiting | None = None
    ) -> GuardrailBlocked | None:
        """Why a stream may not go on, or not leave.

        :param whole: they are all that it says, else a window's.
        :param waiting: what is done for its client until all have answered.
        """
        looking = self.of_answers
        if whole and looking.held:
            by = self._refusing(looking.held, found)
            if by is not None:
                return by
        called = looking.shown if looking.holds or not whole else ()
        called = (*called, *looking.called_held) if whole else called
        return await self._show(called, found, waiting)

    async def _show(
        self, called: Sequence[CalledGuard], found: list[Passage], waiting: Waiting | None = None
    ) -> GuardrailBlocked | None:
        if not called or self.calling is None:
            return None
        asked = self._round(called, found, is_answer=True)
        await asked.refused(waiting)
        return _blocked(asked)

    async def _settled(self, asked: Round) -> None:
        await asked.refused()
        blocked = _blocked(asked)
        if blocked is not None:
            raise blocked

    def _round(self, guards: Sequence[CalledGuard], found: list[Passage], *, is_answer: bool) -> Round:
        assert self.calling is not None  # noqa: S101 - nobody is asked without
        asking = replace(self.calling.asking, is_answer=is_answer)
        return Round(guards, found, asking, self.verdicts, self.calling.loop)

    # On the way out -----------------------------------------------------------------------------------------------

    def concerns_answer(self, *, stream: bool) -> bool:
        """Whether an answer has to be looked into."""
        looked_at = self.of_answers.in_streams if stream else self.of_answers.in_whole
        return looked_at or self._pending is not None or self.changes_answer

    @property
    def changes_answer(self) -> bool:
        """Whether an answer is written anew: something was hidden that it may hold."""
        hidings = self._hidings
        return bool(hidings) and any(hiding.session.has_placeholders for hiding in hidings or ())

    def refuses(self, found: list[Passage]) -> Finding | None:
        """Look at a whole answer; what a guardrail refuses it for."""
        return self._first_of(self.of_answers.guards, found)

    @property
    def sifts_answers(self) -> bool:
        """Whether whole answers of OpenAI's chat may be let through without their being read."""
        looking = self.of_answers
        return bool(self._let_through) and not (self._applied.answers is None or looking.called or looking.repair)

    def passes_completion(self, body: bytes) -> bool:
        """Whether a whole answer of OpenAI's chat says nothing but texts, which no guardrail refuses."""
        sieve = self._applied.answers
        if self._let_through and sieve is not None and sieve.answer(body, self._let_through):
            self.verdicts.allow(self._applied.answered)
            return True
        texts = plain.of_completion(body)
        return texts is not None and self.refuses(texts) is None

    def refuses_window(self, found: list[Passage]) -> Finding | None:
        """The same for some of a stream."""
        return self._first_of(self.of_answers.windows, found)

    def _first_of(self, guards: Guards, found: list[Passage]) -> Finding | None:
        clean, by_place = self._applied.screen.is_clean(found), ByPlace(found)
        if clean and self._find_nothing(guards, by_place, by_place):
            return None
        for guard in guards.all:
            finding = self._look(guard, by_place, clean=clean)
            if finding is not None:
                return finding
        return None

    def _refusing(self, guards: Guards, found: list[Passage]) -> GuardrailBlocked | None:
        finding = self._first_of(guards, found)
        if finding is None or self._refused_by is None:
            return None
        return GuardrailBlocked(self._refused_by.name, finding.reason)

    def skip_stream(self) -> None:
        """Note who looks at nothing of an answer that is streamed."""
        for guard in self.of_answers.skipping:
            reason = "streams are not looked at (on_stream: skip)"
            self.verdicts.note(_not_scanned(guard, reason))

    def cannot_hold(self, reason: str) -> GuardrailBlocked | None:
        """Note that a stream cannot be held until it is whole; why it may not pass so."""
        return self._passed_by([*self.of_answers.held.all, *self.of_answers.called_held], reason)

    def cannot_see(self, reason: str) -> GuardrailBlocked | None:
        """Note that an answer cannot be looked into; why it may not pass so."""
        return self._passed_by([*self.of_answers.guards.all, *self.of_answers.called], reason)

    @property
    def may_repair(self) -> bool:
        """Whether an answer may be asked for once more."""
        return self.of_answers.repair

    async def repaired(self, call: Call, said: str) -> Answer | None:
        """An answer that was refused, asked for once more; ``None``: it is not, or is refused again.

        :param said: by the one that was refused.
        """
        guard = self._refused_by
        if guard is None or not guard.repairs or self.calling is None:
            return None
        again = await self.calling.again(call, said, self._reason)
        if again is None or self.refuses(passages.of_answer(again)) is not None:
            return None
        self.verdicts.replace(Verdict(guardrail=guard.name, ruling="repaired", place="output", reason=self._reason))
        return again

    def answer(self, answer: Answer) -> Answer:
        """What of a whole answer its client may see."""
        if self.of_answers.guards and self.refuses(passages.of_answer(answer)) is not None:
            return blocked_answer(answer)
        return answer

    def shown(self, body: bytes) -> bytes:
        """A whole answer, written for its client, with what was hidden from the provider."""
        for hiding in self.hidings:
            body = hiding.session.unmask_body(body)
        return body

    def stream(self, asked: Callable[[], Request]) -> OutgoingStream:
        """The same for a stream.

        :param asked: what was asked, read where it has to be known.
        """
        reveals = [RevealStream(hiding.session, asked) for hiding in self.hidings]
        looking = self.of_answers
        in_windows = looking.windows or looking.shown
        return OutgoingStream(Window(self.refuses_window) if in_windows else None, reveals)

    @property
    def told(self) -> str:
        """The verdicts, for headers and usage rows."""
        return self.verdicts.told


def _not_scanned(guard: Hider | Guard | CalledGuard, reason: str) -> Verdict:
    return Verdict(guardrail=guard.name, ruling="not_scanned", shadow=guard.shadow, reason=reason)


def _blocked(asked: Round) -> GuardrailBlocked | None:
    if asked.refusal is None:
        return None
    guard, finding = asked.refusal
    return GuardrailBlocked(guard.name, finding.reason)
