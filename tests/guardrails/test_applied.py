from __future__ import annotations

from typing import Any

import pytest

from dragoman.access.principal import ANONYMOUS
from dragoman.config.called import Presidio
from dragoman.config.guards import Guardrail, Injection, Length, OnStream, Patterns, Schema, Words
from dragoman.config.schema import Config
from dragoman.guardrails.applied import OfAnswers
from dragoman.guardrails.build import build_guardrails

KINDS: dict[str, Any] = {
    "words": Words(deny=("x",)),
    "patterns": Patterns(deny={"x": "x"}),
    "json_schema": Schema(),
    "length": Length(max_chars=9),
}


def sorted_out(on_stream: OnStream | None = None, **kinds: Any) -> OfAnswers:
    guardrails = {
        name: Guardrail(**{name: part}, on=("input", "output"), on_stream=on_stream) for name, part in kinds.items()
    }
    guarding = build_guardrails(Config(guardrails=guardrails)).begin(ANONYMOUS, "m", b"pepper")
    assert guarding is not None
    return guarding.of_answers


@pytest.mark.parametrize("kind", KINDS)
def test_what_needs_all_of_an_answer_holds_it(kind: str) -> None:
    found = sorted_out(**{kind: KINDS[kind]})
    names = [guard.name for guard in (found.held if kind in ("json_schema", "length") else found.windows).all]
    assert (names, found.in_streams, found.holds) == ([kind], True, kind in ("json_schema", "length"))
    assert sorted_out(patterns=Patterns(require={"x": "x"})).holds


@pytest.mark.parametrize("kind", KINDS)
def test_as_it_is_configured(kind: str) -> None:
    held, skipped = sorted_out("hold", **{kind: KINDS[kind]}), sorted_out("skip", **{kind: KINDS[kind]})
    assert [guard.name for guard in held.held.all] == [kind]
    assert ([guard.name for guard in skipped.skipping], skipped.in_streams) == ([kind], False)
    assert [guard.name for guard in skipped.guards.all] == [kind]


def test_those_called_out_are_shown_it_whole() -> None:
    presidio = Presidio(url="http://127.0.0.1:9")
    assert Guardrail(presidio=presidio).streamed == "hold"
    assert Guardrail(presidio=presidio, on_stream="windows").streamed == "windows"


def test_who_looks_at_no_answers_is_not_among_them() -> None:
    guardrails = {"a": Guardrail(injection=Injection())}
    guarding = build_guardrails(Config(guardrails=guardrails)).begin(ANONYMOUS, "m", b"pepper")
    assert guarding is not None
    assert (guarding.of_answers.guards.all, guarding.of_answers.in_streams) == ((), False)
