from __future__ import annotations

from tests.guardrails.looking import said

from dragoman.guardrails import harmless
from dragoman.guardrails.harmless import LEAST_CHARS, Harmless

LONG = "x" * LEAST_CHARS


def test_what_was_harmless_is_known_again() -> None:
    known = Harmless()
    passages = [said(LONG), said(LONG + "y")]
    assert known.unknown(passages) == passages
    known.note(passages[:1])
    assert known.unknown(passages) == passages[1:]


def test_elsewhere_it_is_another_text() -> None:
    known = Harmless()
    known.note([said(LONG)])
    others = [said(LONG, "tool_results"), said(LONG, role="system")]
    assert known.unknown(others) == others


def test_short_ones_are_always_looked_at() -> None:
    known = Harmless()
    short = [said(LONG[1:])]
    known.note(short)
    assert known.unknown(short) == short


def test_what_is_kept_is_bounded() -> None:
    known = Harmless()
    for number in range(harmless.MOST + 3):
        known.note([said(f"{number:0{LEAST_CHARS}}")])
    assert known.unknown([said(f"{0:0{LEAST_CHARS}}")])
    assert not known.unknown([said(f"{harmless.MOST + 2:0{LEAST_CHARS}}")])
