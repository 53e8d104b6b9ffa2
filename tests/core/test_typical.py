from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core import Typical


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2**64 - 1) | st.integers(0, 1000)), max_size=30))
def test_each_answer_weighs_a_twentieth_in_its_deployments_mean(answers: list[tuple[str, int]]) -> None:
    typical, means = Typical(), {"a": 256.0, "b": 256.0}
    for name, tokens in answers:
        typical.learn(name, tokens)
        means[name] += 0.05 * (tokens - means[name])
    assert {name: typical.output(name) for name in means} == {name: round(mean) for name, mean in means.items()}


@pytest.mark.parametrize("tokens", [-1, 2**64])
def test_what_is_no_count_is_not_learnt(tokens: int) -> None:
    typical = Typical()
    with pytest.raises(OverflowError):
        typical.learn("a", tokens)
    assert typical.output("a") == 256
