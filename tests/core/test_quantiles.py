from __future__ import annotations

import math
import random

import pytest

from dragoman.core import Quantiles


def of(values: list[float]) -> Quantiles:
    found = Quantiles()
    found.extend(values)
    return found


@pytest.mark.parametrize("share", [0.01, 0.5, 0.95, 0.99, 1.0])
def test_a_quantile_is_right_to_within_what_is_stated(share: float) -> None:
    chance = random.Random(5)
    values = sorted(chance.lognormvariate(5, 2) + 0.11 for _ in range(3000))
    exact = values[math.ceil(share * len(values)) - 1]
    assert of(values).quantile(share) == pytest.approx(exact, rel=1 / 21 + 1e-9)


def test_sums_are_the_same_in_any_order() -> None:
    chance = random.Random(6)
    values = [chance.expovariate(0.01) for _ in range(500)]
    parts = [values[at : at + 7] for at in range(0, 500, 7)]
    chance.shuffle(parts)
    found = Quantiles()
    for part in parts:
        found.merge(of(part).encoded())
    assert found.encoded() == of(values).encoded()
    assert found.count == 500
    assert Quantiles(found.encoded()).encoded() == found.encoded()


def test_a_class_is_what_the_stub_says() -> None:
    for value in (0.2, 1.0, 37.5, 60_000.0):
        by_class = Quantiles()
        by_class.add_class(math.ceil(math.log(value * 10) / math.log(1.1)), 1)
        assert by_class.encoded() == of([value]).encoded()


def test_nothing_has_no_quantile() -> None:
    assert (Quantiles().quantile(0.5), Quantiles().encoded(), Quantiles().count) == (None, b"", 0)


@pytest.mark.parametrize("encoded", [b"\x01", b"\x01\x80", b"\x01" + b"\xff" * 12])
def test_other_bytes_are_refused_whole(encoded: bytes) -> None:
    with pytest.raises(ValueError, match="no counts"):
        Quantiles(encoded)
    found = of([5.0])
    with pytest.raises(ValueError, match="no counts"):
        found.merge(of([1.0]).encoded() + encoded)
    assert found.encoded() == of([5.0]).encoded()


def test_a_number_is_a_byte() -> None:
    with pytest.raises(OverflowError):
        Quantiles().add_class(256, 1)
