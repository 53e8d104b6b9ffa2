from __future__ import annotations

import pytest

from dragoman.dialects.losses import Losses
from dragoman.dialects.tasks.task import Embed, Picture, Rank, drop_unsaid
from dragoman.errors import Untranslatable


def test_what_the_model_reads() -> None:
    assert Embed(model="m", inputs=("a", Picture("image/png", "AA"))).texts == ["a"]
    assert Rank(model="m", query="q", documents=("a",)).texts == ["q", "a"]
    assert Picture("image/png", "AA").url == "data:image/png;base64,AA"


def test_fields_of_its_own_are_told() -> None:
    losses = Losses()
    drop_unsaid(Rank(model="m", query="q", documents=(), extra={"own": 1}), losses)
    assert losses.header() == "own"
    with pytest.raises(Untranslatable, match="not tokens"):
        drop_unsaid(Embed(model="m", inputs=(), tokens=[1]), losses)
