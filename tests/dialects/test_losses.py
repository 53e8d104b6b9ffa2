from __future__ import annotations

import pytest

from dragoman.dialects.losses import Losses, Policy


def lost() -> Losses:
    losses = Losses()
    losses.drop("seed", "no seeds here")
    losses.drop("seed", "told twice")
    losses.approximate("temperature", "clamped to 1")
    losses.drop("n", "one answer only", meaning=True)
    return losses


def test_each_field_is_told_once_with_the_first_reason() -> None:
    assert lost().header() == "seed, ~temperature, n"
    assert lost().found["seed"].why == "no seeds here"


@pytest.mark.parametrize(
    ("policy", "fields"), [("allow", []), ("meaning", ["n"]), ("strict", ["seed", "temperature", "n"])]
)
def test_a_policy_refuses(policy: Policy, fields: list[str]) -> None:
    assert [loss.field for loss in lost().refused(policy)] == fields


def test_nothing_lost_is_no_header() -> None:
    assert Losses().header() == ""
