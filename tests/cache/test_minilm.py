from __future__ import annotations

import threading
from importlib.util import find_spec
from typing import Any

import pytest
from tests.cache.test_semantic import LAMP, OTHER, SAME, ask, config, told
from tests.gateway.upstream import Upstream
from tests.served import Serve

from dragoman.cache import minilm
from dragoman.cache.minilm import MiniLM
from dragoman.errors import ConfigError

pytestmark = pytest.mark.skipif(
    find_spec(minilm.WEIGHTS) is None, reason=f"MiniLM's weights are missing: {minilm.INSTALL}"
)


@pytest.fixture(scope="module")
def network() -> Any:
    made = MiniLM()
    yield made
    made.close()


# An export of the same weights to 8 bits, by others, has them within 0.001.
COSINES = [
    (LAMP, SAME, 0.9595),
    ("What is the capital of France?", "How do I cook pasta?", 0.1005),
    ("What is the capital of France?", "What is the capital of France?", 1.0),
]


@pytest.mark.parametrize(("one", "other", "cosine"), COSINES)
def test_it_is_the_network_that_it_should_be(network: MiniLM, one: str, other: str, cosine: float) -> None:
    assert network.cosine(one, other) == pytest.approx(cosine, abs=2e-4)
    assert network.cosine(other, one) == pytest.approx(cosine, abs=2e-4)


def test_texts_of_any_length(network: MiniLM) -> None:
    assert network.cosine("", "word " * 5_000) < 0.9


def test_whoever_asks_is_told(network: MiniLM) -> None:
    said: list[bool] = []
    ready = threading.Semaphore(0)

    def tell(answer: bool) -> None:
        said.append(answer)
        ready.release()

    for one, other in ((LAMP, LAMP), (LAMP, OTHER), (LAMP, "\ud800")):
        network.ask(one, other, tell)
        assert ready.acquire(timeout=30)
    assert said == [True, False, False], "a text that it cannot read is none that it agrees to"


def test_who_would_wait_behind_many_is_told_no(network: MiniLM, monkeypatch: pytest.MonkeyPatch) -> None:
    held, ready, said = threading.Event(), threading.Semaphore(0), []
    monkeypatch.setattr(network, "cosine", lambda one, other: held.wait(30) and 1.0)
    for _ in range(minilm.MOST_WAITING):
        network.ask(LAMP, SAME, lambda answer: ready.release())
    network.ask(LAMP, SAME, said.append)
    assert said == [False]
    held.set()
    assert all(ready.acquire(timeout=30) for _ in range(minilm.MOST_WAITING))


def test_one_that_is_closed_says_no() -> None:
    made, said = MiniLM(), []
    made.close()
    made.ask(LAMP, LAMP, said.append)
    assert said == [False]


def test_where_it_is_not_installed_it_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"cache\.verifier: .*dragoman\[minilm\].*--no-deps"):
        MiniLM()


@pytest.mark.parametrize(("verifier", "expected"), [("none", "semantic"), ("minilm", "miss")])
def test_a_hit_that_it_does_not_agree_to_is_none(
    serve: Serve, upstream: Upstream, verifier: str, expected: str
) -> None:
    made = config(upstream, least_score=0.5)
    made["cache"]["verifier"] = verifier
    served = serve(made)
    quickly, quick = "How can I learn to write code quickly?", "How can I learn to write code quick?"
    assert told(ask(served, quickly), ask(served, quick)) == ["miss", "semantic"]
    parrot, typed = "How do I train a parrot?", "How do I train a parot?"
    assert told(ask(served, parrot), ask(served, typed)) == ["miss", expected]


def test_what_is_asked_in_the_same_words_needs_no_opinion(serve: Serve, upstream: Upstream) -> None:
    made = config(upstream)
    made["cache"]["verifier"] = "minilm"
    served = serve(made)
    served.gateway.answers.semantics.verifier.close()
    messages = [{"content": LAMP, "role": "user"}]  # the exact cache takes it for another request
    assert told(ask(served, LAMP), ask(served, LAMP, messages=messages), ask(served, SAME)) == [
        *("miss", "semantic", "miss"),
    ]
