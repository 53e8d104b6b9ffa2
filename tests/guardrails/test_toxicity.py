from __future__ import annotations

from tests.guardrails.looking import finds

from dragoman.config.guards import Toxicity
from dragoman.guardrails.toxicity import LEXICON, Abuse


def test_the_lexicon() -> None:
    look = Abuse(Toxicity())
    assert all(finds(look, f"you {word.upper()}!") is not None for word in LEXICON)
    assert finds(look, "You are kind; Scunthorpe is a town.") is None


def test_words_more_and_less() -> None:
    look = Abuse(Toxicity(more=("nincompoop",), less=("bullshit",)))
    assert finds(look, "what a nincompoop") is not None
    assert finds(look, "what bullshit") is None
