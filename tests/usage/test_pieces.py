from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from dragoman.usage.pieces import Piece, Step, cut

DAY, HOUR, MINUTE = 86_400, 3600, 60
STEPS = [Step(DAY), Step(HOUR), Step(MINUTE)]


def at(day: int, hour: int, minute: int = 0, second: int = 0) -> int:
    return int(datetime(2026, 11, day, hour, minute, second, tzinfo=UTC).timestamp() * 1000)


def test_the_example_of_the_docstring() -> None:
    assert list(cut(at(1, 10, 58, 30), at(3, 12, 0, 10), STEPS)) == [
        Piece(None, at(1, 10, 58, 30), at(1, 10, 59)),
        Piece(MINUTE, at(1, 10, 59), at(1, 11)),
        Piece(HOUR, at(1, 11), at(2, 0)),
        Piece(DAY, at(2, 0), at(3, 0)),
        Piece(HOUR, at(3, 0), at(3, 12)),
        Piece(None, at(3, 12), at(3, 12, 0, 10)),
    ]


def test_whole_days_are_one_piece_and_so_is_all_time() -> None:
    assert list(cut(at(1, 0), at(9, 0), STEPS)) == [Piece(DAY, at(1, 0), at(9, 0))]
    assert list(cut(None, None, STEPS)) == [Piece(DAY, None, None)]


def test_without_steps_there_are_rows_alone() -> None:
    assert list(cut(5, 7, [])) == [Piece(None, 5, 7)]
    assert list(cut(None, None, [])) == [Piece(None, None, None)]


@pytest.mark.parametrize("period", [(7, 7), (9, 7)])
def test_an_empty_period_has_no_pieces(period: tuple[int, int]) -> None:
    assert list(cut(*period, STEPS)) == []


def test_before_a_step_begins_rows_are_read() -> None:
    steps = [Step(HOUR), Step(MINUTE, at(2, 9, 30))]
    assert list(cut(at(2, 9, 10), at(2, 9, 40), steps)) == [
        Piece(None, at(2, 9, 10), at(2, 9, 30)),
        Piece(MINUTE, at(2, 9, 30), at(2, 9, 40)),
    ]
    assert list(cut(at(2, 9, 10), at(2, 9, 20), steps)) == [Piece(None, at(2, 9, 10), at(2, 9, 20))]
    only_minutes = [Step(MINUTE, at(2, 9, 30))]
    assert list(cut(None, None, only_minutes)) == [
        Piece(None, None, at(2, 9, 30)),
        Piece(MINUTE, at(2, 9, 30), None),
    ]


@pytest.mark.parametrize("seed", range(200))
def test_pieces_cover_the_period_once(seed: int) -> None:
    chance = random.Random(seed)
    since, until = sorted(chance.randrange(at(1, 0), at(5, 0)) for _ in range(2))
    steps = [Step(DAY), Step(HOUR), Step(MINUTE, chance.choice([None, 0, at(3, 1, 7)]))][chance.randrange(3) :]
    if chance.random() < 0.5:
        since -= since % 60_000
    pieces = list(cut(since, until, steps))
    edge: int | None = since
    for piece in pieces:
        assert piece.since_ms == edge
        assert piece.since_ms is not None and piece.until_ms is not None
        if piece.step_s is not None:
            assert piece.since_ms % (piece.step_s * 1000) == piece.until_ms % (piece.step_s * 1000) == 0
        assert piece.since_ms < piece.until_ms
        edge = piece.until_ms
    assert edge == until
