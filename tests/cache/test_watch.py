from __future__ import annotations

import random

import pytest

from dragoman.cache.watch import NEVER, Watch, Watches, agree
from dragoman.config.caching import Semantic
from dragoman.core import Embedder


def test_it_comes_to_rest_where_as_many_are_wrong_as_may_be() -> None:
    """Hits whose share of wrong ones falls with the score: at 0.95 one in a hundred is wrong."""
    chance = random.Random(7)
    watch = Watch(Semantic(least_score=0.5, target_wrong_share=0.01))
    wrong_at: list[float] = []
    for turn in range(60_000):
        wrong = chance.random() < 0.01 * 10 ** ((0.95 - watch.least_score) * 20)
        watch.note(right=not wrong)
        if turn > 20_000:
            wrong_at.append(watch.least_score)
    assert sum(wrong_at) / len(wrong_at) == pytest.approx(0.95, abs=0.02)


def test_it_never_asks_for_less_than_it_is_told_to() -> None:
    watch = Watch(Semantic(least_score=0.9))
    for _ in range(100):
        watch.note(right=True)
    assert (watch.least_score, watch.wrong_share) == (0.9, 0.0)


def test_where_even_the_surest_are_wrong_there_are_no_hits() -> None:
    watch = Watch(Semantic(least_score=0.9))
    assert watch.wrong_share is None
    for _ in range(10):
        watch.note(right=False)
    assert (watch.least_score, watch.wrong_share) == (NEVER, 1.0)
    assert watch.least_score > 1


def test_each_namespace_has_its_own() -> None:
    watches, rule = Watches(), Semantic()
    one = watches.of("chat", "", rule)
    assert watches.of("chat", "", rule) is one
    assert watches.of("chat", "n", rule) is not one
    assert watches.of("chat", "", Semantic(least_score=0.5)) is not one


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Unscrew it.", "unscrew  IT.", True),
        ("Unscrew the old bulb and put in the new one.", "Unscrew the old bulb, then put the new one in.", True),
        ("Unscrew the old bulb.", "The capital of France is Paris.", False),
        ("", "Something.", False),
        ("", "", True),
    ],
)
def test_answers_that_say_the_same(one: str, other: str, same: bool) -> None:
    assert agree(one, other, Embedder.spelling()) is same
