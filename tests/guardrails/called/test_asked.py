from __future__ import annotations

from dragoman.guardrails.called.asked import MOST_REASON_CHARS, shown


def test_another_s_reason_is_shown_as_far_as_it_can_be() -> None:
    assert shown("a\x1b[31m\n\u202eb") == "a[31mb"
    assert len(shown("x" * 10_000)) == MOST_REASON_CHARS
    assert shown(None) == "None"
