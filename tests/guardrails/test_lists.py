from __future__ import annotations

import pytest
from tests.guardrails.looking import finds

from dragoman.config.guards import Patterns, Words
from dragoman.guardrails.lists import DeniedPatterns, DeniedWords


@pytest.mark.parametrize(
    "text", ["about Plutonium", "plut\u200bonium!", "Ｐlutonium", "рlutonium", "blue  moon is Blue Moon"]
)
def test_words_are_seen_in_any_case_and_disguise(text: str) -> None:
    assert finds(DeniedWords(Words(deny=("plutonium", "blue moon"))), "fine", text) is not None


def test_words_are_whole() -> None:
    assert finds(DeniedWords(Words(deny=("ass",))), "class assets") is None


def test_patterns_are_denied_and_required() -> None:
    look = DeniedPatterns(Patterns(deny={"ticket": r"TCK-\d+"}, require={"greeting": "(?i)dear"}))
    assert finds(look, "Dear all, fine") is None
    found = finds(look, "Dear all, TCK-12")
    assert found is not None
    assert found.signals == ("ticket",)
    missing = finds(look, "all fine")
    assert missing is not None
    assert "greeting is missing" in missing.reason
