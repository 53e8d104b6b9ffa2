from __future__ import annotations

import pytest

from dragoman.guardrails.prompts import coverage
from dragoman.guardrails.prompts.apply import Shaped
from dragoman.guardrails.prompts.coverage import CONTROLS, controls

TOLD = controls()


@pytest.mark.parametrize("surface", TOLD)
def test_no_surface_has_a_hole(surface: str) -> None:
    refused = {"user's words decorated"} if surface.startswith("sessions") else set()
    refused |= set(CONTROLS) if surface.endswith("anything else") else set()
    assert TOLD[surface] == {control: "refused" if control in refused else "covered" for control in CONTROLS}


def test_a_hole_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "shaped", lambda raw, *_: Shaped(raw))
    told = controls()["anthropic"]
    assert set(told.values()) == {"hole"}
