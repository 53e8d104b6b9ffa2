from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from tests.cache.test_semantic import wait_until

from dragoman.cache import graphs
from dragoman.cache.graphs import Graph, Graphs
from dragoman.core import Embedder, SemanticIndex

pytest.importorskip("hnswlib", reason="hnswlib is not installed (it needs g++ and python3-dev)")

N, OTHER = b"n" * 32, b"o" * 32
WORDS = [f"{kind}{number}" for kind in ("lamp", "bulb", "desk", "chair", "wall") for number in "abcdefgh"]


def id_of(number: int) -> bytes:
    return number.to_bytes(32, "little")


def question(number: int) -> str:
    chance = Random(number)
    return f"How do I {chance.choice(WORDS)} the {chance.choice(WORDS)} of {chance.choice(WORDS)} x{number}?"


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> SemanticIndex:
    monkeypatch.setattr(graphs, "GRAPH_ROWS", 200)
    return SemanticIndex(Embedder.spelling(64), 1_000)


@pytest.fixture
def built(index: SemanticIndex) -> Iterator[Graphs]:
    """Of two hundred questions."""
    made = Graphs(index)
    fill(made, index, range(200))
    wait_until(lambda: made.has(N))
    yield made
    made.close()


def fill(made: Graphs, index: SemanticIndex, numbers: range) -> None:
    for number in numbers:
        assert index.add(N, id_of(number), question(number))
        made.added(N, id_of(number))


def found(made: Graphs, index: SemanticIndex, text: str) -> list[bytes]:
    near = made.near(N, Embedder.spelling(64).embed(text))
    assert near is not None
    return [one for one, *_ in index.find_among(near, N, text, 0.9)]


def test_a_graph_names_what_is_near() -> None:
    graph = Graph(2, 3)
    assert graph.add([b"a", b"b"], bytes([127, 0, 0, 127]))
    assert (graph.near([1.0, 0.1])[0], graph.near([0.1, 1.0])[0]) == (b"a", b"b")
    assert not graph.add([b"c", b"d"], bytes(4)), "no room"
    assert (len(graph), b"a" in graph, b"c" in graph) == (2, True, False)


def test_few_questions_get_none(index: SemanticIndex) -> None:
    made = Graphs(index)
    fill(made, index, range(199))
    assert made.near(N, [1.0] * 64) is None
    made.close()


def test_all_are_found_those_that_came_after_it_as_well(built: Graphs, index: SemanticIndex) -> None:
    fill(built, index, range(200, 400))  # whether they are in it by now or not
    missed = [number for number in range(400) if found(built, index, question(number)) != [id_of(number)]]
    assert missed == []
    assert built.near(OTHER, [1.0] * 64) is None


def test_what_was_forgotten_is_never_found(built: Graphs, index: SemanticIndex) -> None:
    chance = Random(1)
    gone: set[int] = set()
    for _ in range(400):
        number = chance.randrange(300)
        if number in gone or chance.random() < 0.7 or len(gone) > 90:
            assert index.add(N, id_of(number), question(number))
            built.added(N, id_of(number))
            gone.discard(number)
        else:
            index.remove(id_of(number))
            gone.add(number)
        asked = chance.randrange(300)
        there = index.vector(id_of(asked)) is not None
        assert (found(built, index, question(asked)) == [id_of(asked)]) == there


def test_those_written_over_make_room(built: Graphs, index: SemanticIndex) -> None:
    fill(built, index, range(200, 2_500))  # a thousand are kept
    assert len(index) == 1_000
    found_of = [found(built, index, question(number)) for number in (0, 1_400, 1_500, 2_499)]
    assert found_of == [[], [], [id_of(1_500)], [id_of(2_499)]]


def test_where_few_are_left_all_are_looked_at(built: Graphs, index: SemanticIndex) -> None:
    for number in range(101):
        index.remove(id_of(number))
    assert built.near(N, [1.0] * 64) is None
    assert not built.has(N)


def test_where_it_is_not_installed_all_are_looked_at(index: SemanticIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "find_spec", lambda name: None)
    made = Graphs(index)
    fill(made, index, range(300))
    assert made.near(N, [1.0] * 64) is None
    made.close()


def test_where_it_cannot_be_built_all_are_looked_at(
    index: SemanticIndex, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(graphs, "import_module", fails)
    made = Graphs(index)
    fill(made, index, range(200))
    wait_until(lambda: "no graph" in caplog.text)
    fill(made, index, range(200, 300))
    assert made.near(N, [1.0] * 64) is None
    made.close()
