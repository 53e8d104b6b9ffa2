from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core import TokenCounter
from dragoman.rehearsal.pieces import LONGEST, Pieces

COUNTER = TokenCounter("o200k_base")
PIECES = Pieces(COUNTER)
EVERYTHING = 1 << 20


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_pieces_add_up_to_the_text_and_to_its_count(text: str) -> None:
    split = PIECES.split(text, EVERYTHING)
    assert split.text == text
    assert split.tokens == COUNTER.count(text)
    assert split.whole


@pytest.mark.parametrize(
    "text",
    [
        "This is a rehearsal: no model was asked.",
        '{"city":"Istanbul","unit":"celsius"}',
        "The  spaces   and\n\nlines\t.",
        "don't HTMLParser 123456 naïve",
    ],
)
def test_ordinary_text_has_one_token_a_piece(text: str) -> None:
    split = Pieces(COUNTER).split(text, EVERYTHING)
    assert len(split.pieces) == split.tokens
    assert all(COUNTER.encode(piece) == [id] for piece, id in zip(split.pieces, COUNTER.encode(text), strict=True))


def test_characters_of_several_tokens_stay_whole() -> None:
    text = "tea 🫖 and 𒀀𒀁 dust"
    split = PIECES.split(text, EVERYTHING)
    assert split.text == text
    assert split.tokens == COUNTER.count(text)
    assert len(split.pieces) < split.tokens


@given(st.integers(0, 12))
def test_a_limit_is_kept_and_told(limit: int) -> None:
    text = "one two three four five six seven eight"
    split = PIECES.split(text, limit)
    assert split.tokens == min(limit, 8)
    assert text.startswith(split.text)
    assert split.whole == (limit >= 8)
    assert COUNTER.count(split.text) == split.tokens


def test_what_cannot_be_within_the_limit_is_not_even_read() -> None:
    split = PIECES.split("a " * 10_000_000, 3)
    assert (split.tokens, split.whole) == (3, False)


def test_tokens_that_never_stand_alone_lose_nothing() -> None:
    text = "a\n/b./\n//\n\n/c" * 20 + " " * (3 * LONGEST) + "end"
    split = PIECES.split(text, EVERYTHING)
    assert split.text == text
    assert split.tokens == COUNTER.count(text)
