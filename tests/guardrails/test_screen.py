from __future__ import annotations

import pytest
from tests.guardrails.looking import said

from dragoman.config.guards import Patterns, Words
from dragoman.guardrails.lists import DeniedPatterns, DeniedWords
from dragoman.guardrails.screen import Rules, Screen

TEXTS = (
    "nothing of it",
    "about plutonium",
    "TCK-12",
    "blue moon over plutonium TCK-7",
    "tck-12",
    "pl\u200butonium",
    "TCK-1plutonium",
)


@pytest.mark.parametrize("text", TEXTS)
def test_it_finds_something_where_one_of_its_guardrails_does(text: str) -> None:
    looks = (
        DeniedWords(Words(deny=("plutonium",))),
        DeniedWords(Words(deny=("blue moon", "plutonium"))),
        DeniedPatterns(Patterns(deny={"ticket": r"TCK-\d+", "two": r"TCK-\d\d"})),
        DeniedPatterns(Patterns(deny={"ticket": r"(?i)tck-\d+x"})),
    )
    screen = Screen(look.rules for look in looks)
    found = [look([said(text)], None) for look in looks]  # type: ignore[arg-type]
    assert screen.is_clean([said("fine"), said(text)]) is not any(found)


def test_without_rules_everything_is_clean() -> None:
    assert Screen([]).is_clean([said("anything")])
    assert Screen([Rules()]).is_clean([said("anything")])
