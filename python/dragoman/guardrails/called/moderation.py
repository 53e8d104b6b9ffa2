"""OpenAI's moderation (https://platform.openai.com/docs/api-reference/moderations)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dragoman.guardrails.called.asked import CannotLook, Parcel, read_as
from dragoman.guardrails.verdict import Finding

if TYPE_CHECKING:
    from dragoman.config.called import Moderation
    from dragoman.guardrails.called.asked import Asking
    from dragoman.guardrails.verdict import Passage


class _Result(msgspec.Struct):
    flagged: bool
    categories: dict[str, bool | None] = {}
    category_scores: dict[str, float | None] = {}


class _Said(msgspec.Struct):
    results: list[_Result]


class ModerationForm:
    """How it is asked."""

    def __init__(self, moderation: Moderation) -> None:
        self._config = moderation

    def ask(self, passages: list[Passage], asking: Asking) -> Parcel:
        """All texts in one request."""
        texts = [passage.text for passage in passages]
        return Parcel("/moderations", msgspec.json.encode({"model": self._config.model, "input": texts}))

    def read(self, body: bytes) -> Finding | None:
        """The categories that count."""
        results = read_as(_Said, body).results
        if not results:
            raise CannotLook("its answer has no results")
        found: dict[str, float] = {}
        for result in results:
            for name in self._counted(result):
                found[name] = max(found.get(name, 0.0), result.category_scores.get(name) or 0.0)
        if not found:
            return None
        names = tuple(sorted(found))
        return Finding(reason=", ".join(names), score=max(found.values()), signals=names)

    def _counted(self, result: _Result) -> list[str]:
        wanted, threshold = self._config.categories, self._config.threshold
        if threshold is not None:
            over = [name for name, score in result.category_scores.items() if (score or 0.0) >= threshold]
        else:
            over = [name for name, flagged in result.categories.items() if flagged]
            over = over or (["flagged"] if result.flagged and not wanted else [])
        return [name for name in over if not wanted or name in wanted]
