"""Answers that repeat the system prompt: so many of its words in a row."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dragoman.guardrails.verdict import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dragoman.config.guards import Leakage
    from dragoman.guardrails.guard import About
    from dragoman.guardrails.verdict import Passage

_WORD = re.compile(r"\w+")
SECRET = frozenset({"system", "developer"})


class PromptLeaks:
    """Looks for runs of the request's own instructions."""

    def __init__(self, leakage: Leakage) -> None:
        self._words = leakage.words

    def __call__(self, passages: list[Passage], about: About) -> Finding | None:
        """Whether an answer has such a run."""
        kept = {run for passage in about.said if passage.role in SECRET for run in self._runs(passage.text)}
        if kept and any(run in kept for passage in passages for run in self._runs(passage.text)):
            return Finding(reason="the system prompt, word for word")
        return None

    def _runs(self, text: str) -> Iterator[tuple[str, ...]]:
        words = _WORD.findall(text.lower())
        for start in range(len(words) - self._words + 1):
            yield tuple(words[start : start + self._words])
