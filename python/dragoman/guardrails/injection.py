"""Prompts that try to take the model over: what users say, and what tools bring back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman.core import Detector
from dragoman.guardrails.sieve import Sought
from dragoman.guardrails.verdict import Finding

if TYPE_CHECKING:
    from dragoman.config.guards import Injection
    from dragoman.guardrails.guard import About
    from dragoman.guardrails.verdict import Passage

# Whose words are the application's own, and so may say what the model is to do.
OWN = frozenset({"system", "developer", "assistant", "tools"})


class Injections:
    """Judges each text by itself."""

    def __init__(self, injection: Injection) -> None:
        self._threshold = injection.threshold
        self._detector = Detector()
        self.sought = Sought(attempts=injection.threshold) if injection.threshold > 0 else None

    def __call__(self, passages: list[Passage], about: About) -> Finding | None:
        """The worst of the texts, where it is over the threshold."""
        worst: tuple[float, list[str]] = (0.0, [])
        for passage in passages:
            if passage.role not in OWN:
                worst = max(worst, self._detector.judge(passage.text))
        score, signals = worst
        if score < self._threshold:
            return None
        return Finding(reason="it looks like a prompt injection", score=round(score, 3), signals=tuple(signals))
