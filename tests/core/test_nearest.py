from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core import Embedder, SemanticIndex, VectorIndex

N, M = b"n" * 32, b"m" * 32


def id_of(number: int) -> bytes:
    return number.to_bytes(32, "little")


def test_the_nearest_are_found_nearest_first() -> None:
    chance = random.Random(1)
    index = VectorIndex(32)
    rows = {id_of(at): [chance.gauss(0, 1) for _ in range(32)] for at in range(500)}
    for id_, row in rows.items():
        assert index.add(N, id_, row) is None
    query = [chance.gauss(0, 1) for _ in range(32)]

    def cosine(row: list[float]) -> float:
        dot = sum(a * b for a, b in zip(row, query, strict=True))
        return float(dot / (sum(a * a for a in row) * sum(b * b for b in query)) ** 0.5)

    right = sorted(rows, key=lambda id_: -cosine(rows[id_]))[:10]
    found = index.search(N, query, most=10, least_cosine=-1)
    assert {id_ for id_, _ in found[:8]} <= set(right)
    assert all(abs(near - cosine(rows[id_])) < 0.02 for id_, near in found)
    assert [near for _, near in found] == sorted((near for _, near in found), reverse=True)
    assert index.search(M, query) == []
    assert index.search(N, query, least_cosine=0.99) == []


def test_a_row_that_is_removed_is_never_found_again() -> None:
    chance = random.Random(2)
    index = VectorIndex(8)
    alive: dict[bytes, list[float]] = {}
    for turn in range(2_000):
        if alive and chance.random() < 0.4:
            gone = chance.choice(list(alive))
            del alive[gone]
            assert index.remove(gone) and not index.remove(gone)
        else:
            row = [chance.gauss(0, 1) for _ in range(8)]
            alive[id_of(turn)] = row
            index.add(N, id_of(turn), row)
        assert len(index) == len(alive)
        if alive:
            wanted = chance.choice(list(alive))
            found = [id_ for id_, _ in index.search(N, alive[wanted], most=len(alive), least_cosine=-1)]
            assert set(found) == set(alive)
            assert index.search(N, alive[wanted])[0][1] > 0.98


def test_the_oldest_are_written_over() -> None:
    index = VectorIndex(2, most_rows=3)
    gone = [index.add(N, id_of(at), [1.0, float(at)]) for at in range(8)]
    assert gone == [None, None, None, *map(id_of, range(5))]
    assert len(index) == 3
    assert {id_ for id_, _ in index.search(N, [1.0, 6.0], least_cosine=-1)} == {id_of(at) for at in (5, 6, 7)}
    assert index.add(M, id_of(9), [1.0, 0.0]) is None, "another namespace has its own"


def test_an_id_is_in_one_place() -> None:
    index = VectorIndex(2)
    index.add(N, id_of(1), [1.0, 0.0])
    index.add(M, id_of(1), [0.0, 1.0])
    assert (len(index), index.search(N, [1.0, 0.0]), len(index.search(M, [0.0, 1.0]))) == (1, [], 1)


@pytest.mark.parametrize("vector", [[], [1.0], [0.0, 0.0], [float("nan"), 1.0], [float("inf"), 1.0], [1e-45, 0.0]])
def test_what_is_no_vector(vector: list[float]) -> None:
    index = VectorIndex(2)
    with pytest.raises(ValueError, match="2 numbers"):
        index.add(N, id_of(1), vector)
    assert index.search(N, vector) == []


def test_keys_have_32_bytes() -> None:
    index, questions = VectorIndex(2), SemanticIndex(Embedder.spelling())
    for call in (
        lambda: index.add(b"", id_of(1), [1.0, 0.0]),
        lambda: index.remove(b"x"),
        lambda: index.search(b"", [1.0, 0.0]),
        lambda: questions.add(N, b"", "text"),
        lambda: questions.find(b"", "text", 0.5),
        lambda: questions.remove(b""),
    ):
        with pytest.raises(ValueError, match="32 bytes"):
            call()


def test_vectors_that_are_given_may_have_a_length_a_namespace() -> None:
    questions = SemanticIndex(Embedder.spelling(), 10, 0)
    other = b"o" * 32
    assert questions.add(N, id_of(1), "What is a lamp?", [3.0, 4.0])
    assert questions.add(other, id_of(2), "What is a lamp?", [1.0, 0.0, 0.0])
    assert not questions.add(N, id_of(3), "What is a lamp?", [1.0, 0.0, 0.0]), "another length"
    assert questions.find(N, "What is a lamp?", 0.9, [1.0, 0.0, 0.0]) == []
    assert [found[0] for found in questions.find(N, "What is a lamp?", 0.9, [3.0, 4.0])] == [id_of(1)]
    assert questions.vector(id_of(1)) == bytes([76, 102])
    assert questions.vector(id_of(3)) is None
    assert (questions.text(id_of(1)), questions.text(id_of(3))) == ("What is a lamp?", None)
    assert (questions.count(N), questions.count(b"x" * 32)) == (1, 0)
    assert questions.vectors(N) == ([id_of(1)], bytes([76, 102]))


def test_what_another_index_has_found_is_judged_where_it_is_there() -> None:
    questions = SemanticIndex(Embedder.spelling())
    questions.add(N, id_of(1), "What is a lamp?")
    questions.add(b"o" * 32, id_of(2), "What is a lamp?")
    named = [id_of(1), id_of(1), id_of(2), id_of(3)]
    assert [one for one, *_ in questions.find_among(named, N, "What's a lamp?", 0.9)] == [id_of(1)]
    questions.remove(id_of(1))
    assert questions.find_among(named, N, "What's a lamp?", 0.9) == []


SAME = [
    ("What's the capital of France?", "what is the capital of france"),
    ("How do I change a bulb?", "How can I change the bulbs?"),
    ("Hello! Please, what is a lamp?", "What is a lamp?"),
    ("Who is she?", "who's she?"),
]
DIFFERENT = [
    ("How do I boil 2 eggs?", "How do I boil 3 eggs?", "numbers"),
    ("Can I eat this?", "Can I not eat this?", "negation"),
    ("Can I eat this?", "Can't I eat this?", "negation"),
    ("Why does it rain?", "How does it rain?", "question"),
    ("How long is it?", "How old is it?", "question"),
    ("What is the weather in Rome?", "What is the weather in Oslo?", "names"),
    ("How do I find a job in USA?", "How do I find an IT job in USA?", "names"),
    ("How do I buy shares?", "How do I sell shares?", "opposites"),
    ("How do I turn it up?", "How do I turn it down?", "opposites"),
    ("Why do dogs chase cats?", "Why do cats chase dogs?", "order"),
    ("How do I cook rice?", "How do I cook pasta?", "words"),
    ("Can I go?", "Should I go?", "wording"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_in_other_words(one: str, other: str) -> None:
    index = SemanticIndex(Embedder.spelling())
    assert index.judge(one, other)[0] >= 0.88
    assert index.judge(other, one) == index.judge(one, other)


@pytest.mark.parametrize(("one", "other", "reason"), DIFFERENT)
def test_what_is_not_the_same_and_why(one: str, other: str, reason: str) -> None:
    index = SemanticIndex(Embedder.spelling())
    score, why = index.judge(one, other)
    assert (score < 0.88, why) == (True, reason)


@given(st.text(max_size=200), st.text(max_size=200))
def test_judging_is_fair_and_never_fails(one: str, other: str) -> None:
    index = SemanticIndex(Embedder.spelling())
    score, _ = index.judge(one, other)
    assert 0 <= score <= 1
    assert index.judge(other, one)[0] == pytest.approx(score, abs=1e-5)
    assert index.judge(one, one)[0] == pytest.approx(1)


def test_questions_are_found_and_forgotten() -> None:
    index = SemanticIndex(Embedder.spelling(), most_rows=2)
    assert index.add(N, id_of(1), "What is a lamp?")
    assert index.add(N, id_of(2), "What is a tree?")
    ((id_, score, cosine),) = index.find(N, "what is a lamp", 0.9)
    assert (id_, score, cosine > 0.98) == (id_of(1), 1.0, True)
    assert index.add(N, id_of(3), "What is a road?")
    assert index.find(N, "what is a lamp", 0.9) == [], "the oldest had to go"
    assert {id_ for _, id_, _ in index.rows()} == {id_of(2), id_of(3)}
    assert (index.remove(id_of(2)), index.remove(id_of(2)), len(index)) == (True, False, 1)
    assert index.add(N, id_of(4), " ?! ") is False


def test_vectors_may_come_from_elsewhere() -> None:
    index = SemanticIndex(Embedder.spelling(), dimensions=3)
    assert index.add(N, id_of(1), "What is a lamp?", [1.0, 0.0, 0.0])
    assert index.add(N, id_of(2), "What is a lamp?", [1.0]) is False
    assert index.find(N, "What is a lamp?", 0.9, [0.0, 1.0, 0.0]) == []
    assert len(index.find(N, "What is a lamp?", 0.9, [1.0, 0.1, 0.0])) == 1


@pytest.mark.parametrize(
    ("weights", "dimensions", "tokenizer"),
    [(b"", 2, b"{}"), (b"\0" * 6, 2, b"{}"), (b"\0" * 8, 0, b"{}"), (b"\0" * 8, 2, b"no json")],
)
def test_what_is_no_table_of_tokens(weights: bytes, dimensions: int, tokenizer: bytes) -> None:
    with pytest.raises(ValueError, match=r"tokenizer|half-precision"):
        Embedder.tokens(weights, dimensions, tokenizer)


@pytest.mark.parametrize("dimensions", [0, 7, 4097])
def test_dimensions_have_their_range(dimensions: int) -> None:
    with pytest.raises(ValueError, match="from 8 to 4096"):
        Embedder.spelling(dimensions)
