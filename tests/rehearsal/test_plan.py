from __future__ import annotations

from random import Random

import pytest

from dragoman.rehearsal.plan import Pace, Plan, Step


def pace(jitter: float) -> Pace:
    return Pace(first_s=0.2, gap_s=0.01, jitter=jitter, chance=Random(1))


def test_without_jitter_the_pace_is_even() -> None:
    steps = pace(0.0).gaps([b"a", b"b", b"c"])
    assert steps == [Step(0.0, b"a"), Step(0.01, b"b"), Step(0.01, b"c")]
    assert pace(0.0).first() == 0.2


def test_jitter_strays_no_further_than_told_and_not_on_average() -> None:
    gaps = [step.delay_s for step in pace(0.5).gaps([b"x"] * 2001)[1:]]
    assert 0.005 <= min(gaps) < 0.006
    assert 0.014 < max(gaps) <= 0.015
    assert sum(gaps) / len(gaps) == pytest.approx(0.01, rel=0.03)


def test_no_parts_no_steps() -> None:
    assert pace(0.5).gaps([]) == []


def test_only_a_plain_whole_answer_goes_out_in_one() -> None:
    one = [Step(0.0, b"body")]
    assert Plan(headers=[], steps=one).in_one
    assert not Plan(headers=[], steps=one, streams=True).in_one
    assert not Plan(headers=[], steps=one, closes=True).in_one
    assert not Plan(headers=[], steps=one * 2).in_one
    assert Plan(headers=[], steps=one * 2).size == 8
