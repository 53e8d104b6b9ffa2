"""What tests of single guardrails share."""

from __future__ import annotations

from typing import Any

from dragoman.config.guards import Place
from dragoman.guardrails.guard import About, Look
from dragoman.guardrails.verdict import Finding, Passage

NOTHING = About()


def said(text: str, place: Place = "input", role: str = "user") -> Passage:
    return Passage(place, text, role)


def finds(look: Look, *texts: str, about: About = NOTHING, **where: Any) -> Finding | None:
    return look([said(text, **where) for text in texts], about)
