from __future__ import annotations

from random import Random

from dragoman.rehearsal.prose import OPENING, passage


def test_the_same_seed_says_the_same() -> None:
    assert passage(Random(7), 5) == passage(Random(7), 5)
    assert passage(Random(7), 5) != passage(Random(8), 5)


def test_it_says_what_it_is_in_plain_ascii_sentences() -> None:
    text = passage(Random(1), 6)
    assert text.startswith(OPENING)
    assert text.isascii()
    assert text.count(".") == 7


def test_a_sentence_has_more_than_eight_words_or_nearly() -> None:
    """``answer`` reckons with eight tokens a sentence at least."""
    for seed in range(200):
        sentence = passage(Random(seed), 1).removeprefix(OPENING)
        assert len(sentence.split()) + 1 >= 7
