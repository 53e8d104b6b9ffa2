"""Presidio's analyzer (https://microsoft.github.io/presidio/api-docs/api-docs.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dragoman.guardrails.called.asked import Parcel, read_as
from dragoman.guardrails.verdict import Finding

if TYPE_CHECKING:
    from dragoman.config.called import Presidio
    from dragoman.guardrails.called.asked import Asking
    from dragoman.guardrails.verdict import Passage


class _Span(msgspec.Struct):
    entity_type: str
    score: float


class PresidioForm:
    """How it is asked."""

    def __init__(self, presidio: Presidio) -> None:
        self._config = presidio

    def ask(self, passages: list[Passage], asking: Asking) -> Parcel:
        """All texts as one: where in it something stands is of no matter."""
        told: dict[str, object] = {
            "text": "\n\n".join(passage.text for passage in passages),
            "language": self._config.language,
            "score_threshold": self._config.threshold,
        }
        if self._config.entities:
            told["entities"] = self._config.entities
        return Parcel("/analyze", msgspec.json.encode(told))

    def read(self, body: bytes) -> Finding | None:
        """The kinds of what it found."""
        spans = read_as(list[_Span], body)
        wanted = self._config.entities
        sure = [span for span in spans if span.score >= self._config.threshold]
        found = [span for span in sure if not wanted or span.entity_type in wanted]
        if not found:
            return None
        kinds = tuple(sorted({span.entity_type for span in found}))
        return Finding(reason=", ".join(kinds), score=max(span.score for span in found), signals=kinds)
