"""All who are called out for one request, asked at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from dragoman.driver import Together
from dragoman.guardrails.called.asked import CalledGuard, CannotLook
from dragoman.guardrails.verdict import Finding, Passage, Verdict

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Sequence

    from dragoman.guardrails.called.asked import Asking
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
        self._refused: tuple[CalledGuard, Finding] | None = None
        looks = [(guard, guard.at(passages)) for guard in guards]
        self._together = Together([self._look(guard, at, asking) for guard, at in looks if at], loop)

    async def refused(self) -> tuple[CalledGuard, Finding] | None:
        """Once all have answered: who refuses it, and why."""
        await self._together
        return self._refused

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
        self._refused = self._refused or (guard, finding)
