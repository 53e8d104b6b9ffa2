"""All who are called out for one request, asked at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from dragoman.driver import Together
from dragoman.guardrails.called.asked import CalledGuard, CannotLook
from dragoman.guardrails.verdict import Finding, Passage, Verdict

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Sequence

    from dragoman.guardrails.called.asked import Asking
    from dragoman.guardrails.guard import Waiting
    from dragoman.guardrails.verdict import Verdicts


class Round:
    """One asking of several."""

    def __init__(
        self,
        guards: Sequence[CalledGuard],
        passages: list[Passage],
        asking: Asking,
        verdicts: Verdicts,
        loop: AbstractEventLoop,
    ) -> None:
        """Begin."""
        self._verdicts = verdicts
        self._on_refusal: Callable[[], object] | None = None
        self.refusal: tuple[CalledGuard, Finding] | None = None  # who refuses it, and why, as far as is known
        looks = [(guard, guard.at(passages)) for guard in guards]
        self._together = Together([self._look(guard, at, asking) for guard, at in looks if at], loop)

    async def refused(self, waiting: Waiting | None = None) -> tuple[CalledGuard, Finding] | None:
        """Once all have answered: who refuses it, and why.

        :param waiting: what is done meanwhile.
        """
        while waiting is not None and not self._together.is_over:
            if not await self._together.within(waiting.every_s):
                waiting.stay_alive()
        await self._together
        return self.refusal

    def on_refusal(self, act: Callable[[], object]) -> None:
        """Do something as soon as one refuses it, on whatever thread; at once, where one has."""
        self._on_refusal = act
        if self.refusal is not None:
            act()

    async def _look(self, guard: CalledGuard, passages: list[Passage], asking: Asking) -> None:
        place = passages[0].place
        try:
            asking = replace(asking, guardrail=guard.name)
            finding = await guard.service.look(passages, asking, guard.timeout_s)
        except CannotLook as error:
            verdict = Verdict(guardrail=guard.name, ruling="not_scanned", shadow=guard.shadow, reason=str(error))
            self._verdicts.note(verdict)
            if guard.closed and not guard.shadow:
                self._refuse(guard, Finding(reason=f"{error}; with on_error: open it may pass so"))
            return
        if finding is None:
            self._verdicts.note(guard.allows)
            return
        blocks = guard.blocks and not finding.only_flagged
        ruling = "block" if blocks else "flag"
        self._verdicts.note(
            Verdict(
                guardrail=guard.name,
                ruling=ruling,  # type: ignore[arg-type]
                shadow=guard.shadow,
                place=place,
                reason=finding.reason,
                score=finding.score,
                signals=finding.signals,
            )
        )
        if blocks and not guard.shadow:
            self._refuse(guard, finding)

    def _refuse(self, guard: CalledGuard, finding: Finding) -> None:
        self.refusal = self.refusal or (guard, finding)
        if self._on_refusal is not None:
            self._on_refusal()
