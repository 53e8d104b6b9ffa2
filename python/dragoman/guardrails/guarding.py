"""The guardrails of one request, on its way in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from dragoman.errors import GuardrailBlocked
from dragoman.guardrails import passages
from dragoman.guardrails.called.round import Round
from dragoman.guardrails.guard import About, ByPlace
from dragoman.guardrails.outgoing import OutgoingStream, blocked_answer
from dragoman.guardrails.reveal import RevealStream
from dragoman.guardrails.verdict import Verdict, Verdicts
from dragoman.guardrails.window import Window

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Awaitable, Callable, Sequence

    from dragoman.dialects.canonical import Answer, Json, Request
    from dragoman.guardrails.build import Applied
    from dragoman.guardrails.called.asked import Asking, CalledGuard
    from dragoman.guardrails.guard import Guard
    from dragoman.guardrails.masking import Hider, Hiding
    from dragoman.guardrails.verdict import Finding, Passage
    from dragoman.routing.call import Call

# Where an answer's texts stand.
OF_ANSWERS = frozenset({"output", "tool_arguments"})


class Calling(Struct, frozen=True):
    """How others are asked."""

    asking: Asking
    loop: AbstractEventLoop
    again: Callable[[Call, Answer, str], Awaitable[Answer | None]]  # an answer, and what is wrong with it


class Guarding:
    """What holds for one request."""

    def __init__(self, hidings: Sequence[Hiding], applied: Applied) -> None:
        self.identity = applied.identity
        self.screen = applied.screen
        self.harmless = applied.harmless
        self.hidings = hidings
        self.guards = applied.guards
        self.of_answer = [guard for guard in applied.guards if guard.places & OF_ANSWERS]
        self.called = applied.called
        self.called_of_answer = [guard for guard in applied.called if guard.places & OF_ANSWERS]
        self.calling: Calling | None = None
        self._pending: Round | None = None  # asked while the model is
        self._refused_by: Guard | None = None
        self._reason = ""
        self.about = About()
        self.verdicts = Verdicts()

    # On the way in ------------------------------------------------------------------------------------------------

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
        self.about = About(found, schema)
        unknown = self.harmless.unknown(found)
        clean = self.screen.is_clean(unknown)
        new, everything = ByPlace(unknown), ByPlace(found)
        for guard in self.guards:
            if not (guard.each and not unknown):
                finding = self._look(guard, new if guard.each else everything, clean=clean)
                if finding is not None:
                    raise GuardrailBlocked(guard.name, finding.reason)
            if everything.at(guard.places):
                self.verdicts.note(guard.allows)
        if all(self.verdicts.worst.get(guard.name, guard.allows) is guard.allows for guard in self.guards):
            self.harmless.note(unknown)

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
        refusing = ""
        everyone: list[Hider | Guard | CalledGuard] = [
            *(hiding.hider for hiding in self.hidings),
            *self.guards,
            *self.called,
        ]
        for guard in everyone:
            verdict = Verdict(guardrail=guard.name, ruling="not_scanned", shadow=guard.shadow, reason=reason)
            self.verdicts.note(verdict)
            if guard.closed and not guard.shadow:
                refusing = refusing or guard.name
        if refusing:
            raise GuardrailBlocked(refusing, f"{reason}; with on_error: open it may pass so")

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

    async def refuses_answer(self, found: list[Passage]) -> bool:
        """Show an answer to others: whether one of them refuses it, or cannot look at it and may not be passed by."""
        if not self.called_of_answer or self.calling is None:
            return False
        return await self._round(self.called_of_answer, found, is_answer=True).refused() is not None

    async def _settled(self, asked: Round) -> None:
        refused = await asked.refused()
        if refused is not None:
            guard, finding = refused
            raise GuardrailBlocked(guard.name, finding.reason)

    def _round(self, guards: Sequence[CalledGuard], found: list[Passage], *, is_answer: bool) -> Round:
        assert self.calling is not None  # noqa: S101 - nobody is asked without
        asking = replace(self.calling.asking, is_answer=is_answer)
        return Round(guards, found, asking, self.verdicts, self.calling.loop)

    # On the way out -----------------------------------------------------------------------------------------------

    @property
    def concerns_answer(self) -> bool:
        """Whether an answer has to be looked into."""
        return bool(self.of_answer or self.called_of_answer or self._pending is not None) or self.changes_answer

    @property
    def changes_answer(self) -> bool:
        """Whether an answer is written anew: something was hidden that it may hold."""
        return any(hiding.session.has_placeholders for hiding in self.hidings)

    def refuses(self, found: list[Passage], *, whole: bool = True) -> Finding | None:
        """Look at an answer; what a guardrail refuses it for.

        :param whole: it is all of the answer.
        """
        clean, by_place = self.screen.is_clean(found), ByPlace(found)
        for guard in self.of_answer:
            finding = self._look(guard, by_place, clean=clean) if whole or not guard.whole else None
            if finding is not None:
                return finding
        return None

    @property
    def may_repair(self) -> bool:
        """Whether an answer may be asked for once more."""
        return any(guard.repairs for guard in self.of_answer)

    async def repaired(self, call: Call, answer: Answer) -> Answer | None:
        """An answer that was refused, asked for once more; ``None``: it is not, or is refused again."""
        guard = self._refused_by
        if guard is None or not guard.repairs or self.calling is None:
            return None
        again = await self.calling.again(call, answer, self._reason)
        if again is None or self.refuses(passages.of_answer(again)) is not None:
            return None
        self.verdicts.replace(Verdict(guardrail=guard.name, ruling="repaired", place="output", reason=self._reason))
        return again

    def answer(self, answer: Answer) -> Answer:
        """What of a whole answer its client may see."""
        if self.of_answer and self.refuses(passages.of_answer(answer)) is not None:
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
        whole = any(guard.whole for guard in self.of_answer)
        return OutgoingStream(Window(self.refuses, whole=whole) if self.of_answer else None, reveals)

    @property
    def told(self) -> str:
        """The verdicts, for headers and usage rows."""
        return self.verdicts.told
