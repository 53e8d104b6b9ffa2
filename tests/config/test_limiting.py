from __future__ import annotations

import pytest

from dragoman.config.limiting import Limit, problems_of


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (Limit(), "limits nothing"),
        (Limit(requests=1, of=("key", "key")), "names something twice"),
        (Limit(requests=1, per="year", sliding=True), "the last year is none"),
        (Limit(requests=1, per="ever", sliding=True), "the last ever is none"),
    ],
)
def test_what_is_no_limit(limit: Limit, said: str) -> None:
    (problem,) = problems_of(limit)
    assert said in problem


@pytest.mark.parametrize("limit", [Limit(requests=1), Limit(cost_usd=0.01, per="day", sliding=True, of=("key",))])
def test_what_is_one(limit: Limit) -> None:
    assert problems_of(limit) == []
