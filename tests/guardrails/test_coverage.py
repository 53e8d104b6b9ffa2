from __future__ import annotations

import pytest

from dragoman.dialects.canonical import Message, Request, Text
from dragoman.dialects.table import DIALECTS
from dragoman.guardrails import coverage


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_dialect_has_a_hole(dialect: str) -> None:
    told = coverage.coverage()[dialect]
    assert [place for place, covered in told.items() if covered == "hole"] == []
    assert sum(covered == "covered" for covered in told.values()) >= 12


def test_a_hole_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage.passages, "of_request", lambda request: [])
    asked = Request(dialect="", model="m", messages=(Message(role="user", blocks=(Text(text=coverage.SAID),)),))
    assert coverage.asked(DIALECTS["openai_chat"], asked) == "hole"
