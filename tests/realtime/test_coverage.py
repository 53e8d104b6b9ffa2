from __future__ import annotations

import pytest

from dragoman.realtime import answering, coverage, guarded
from dragoman.realtime.texts import Said


def test_no_protocol_has_a_hole() -> None:
    for places in coverage.coverage().values():
        assert [place for place, covered in places.items() if covered == "hole"] == []
        assert sum(covered == "covered" for covered in places.values()) >= 15
        assert (places["client: sound"], places["model: sound"]) == ("refused", "refused")


def test_both_protocols_have_the_same_places() -> None:
    first, second = coverage.coverage().values()
    assert list(first) == list(second)


def test_a_hole_in_what_clients_say_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded, "said_in", lambda event: Said())
    assert coverage.coverage()["openai_realtime"]["client: user"] == "hole"


def test_a_hole_in_what_models_say_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering.Answering, "_tell", lambda self, passage, events: None)
    assert coverage.coverage()["gemini_live"]["model: tool call, whole"] == "hole"
