from __future__ import annotations

import time

import pytest

from dragoman.cache import embedders
from dragoman.cache.answers import JITTER, AnswerCache
from dragoman.cache.kept import Kept
from dragoman.config.caching import Cache
from dragoman.core import ExactCache
from dragoman.errors import ConfigError
from dragoman.usage.row import Tokens

KEY = ExactCache.key([b"a"])
KEPT = Kept(
    provider="p",
    model="m",
    name="d",
    known_as="d",
    content_type="text/plain",
    finish_reason="stop",
    tokens=Tokens(input=1, output=2),
    cost_nanousd=5,
    request_id="req_1",
)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_000.0]
    monkeypatch.setattr("dragoman.cache.answers.time_ns", lambda: int(now[0] * 1e9))
    return now


def test_what_is_kept_is_found_with_its_age(clock: list[float]) -> None:
    cache = AnswerCache(Cache(max_bytes=10_000))
    cache.keep(KEY, b"body", KEPT, ["model:m"], 100)
    assert cache.find(KEY) == (b"body", KEPT)
    clock[0] += 61.5
    found = cache.find(KEY)
    assert found is not None
    assert found[1].age_s == 61
    assert cache.find(KEY, 61.5) is None
    assert cache.find(KEY, 62) is not None


def test_nothing_is_kept_longer_than_it_may(clock: list[float]) -> None:
    cache = AnswerCache(Cache(max_bytes=10_000))
    cache.keep(KEY, b"body", KEPT, [], 100)
    clock[0] += 100 * (1 - JITTER) - 0.1
    assert cache.find(KEY) is not None
    clock[0] += 100 * JITTER + 0.1
    assert cache.find(KEY) is None


def test_what_is_kept_together_is_not_over_together(clock: list[float]) -> None:
    """N13."""
    cache = AnswerCache(Cache(max_bytes=1_000_000))
    keys = [ExactCache.key([bytes([place])]) for place in range(100)]
    for key in keys:
        cache.keep(key, b"body", KEPT, [], 1_000)
    clock[0] += 1_000 * (1 - JITTER / 2)
    left = sum(cache.find(key) is not None for key in keys)
    assert 20 < left < 80


def test_what_is_restored_is_all_that_was_kept() -> None:
    cache, again = AnswerCache(Cache()), AnswerCache(Cache())
    cache.keep(KEY, b"body", KEPT, ["model:m"], 100)
    again.restore(cache.entries())
    assert (again.find(KEY), again.bytes) == (cache.find(KEY), cache.bytes)


def test_another_size_forgets_and_the_same_does_not() -> None:
    cache = AnswerCache(Cache(max_bytes=10_000))
    cache.keep(KEY, b"body", KEPT, ["model:m"], 100)
    cache.replace(Cache(max_bytes=10_000, ttl_s=5))
    assert (len(cache), cache.bytes > 0) == (1, True)
    assert cache.purge(["model:n"]) == 0
    cache.replace(Cache(max_bytes=20_000))
    assert (len(cache), cache.bytes) == (0, 0)


def test_it_stays_within_its_bytes() -> None:
    cache = AnswerCache(Cache(max_bytes=50_000))
    for place in range(500):
        cache.keep(ExactCache.key([str(place).encode()]), b"x" * 1_000, KEPT, [], time.time())
        assert cache.bytes <= 50_000
    assert len(cache) > 20


def test_an_embedding_that_cannot_be_had_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = AnswerCache(Cache())
    before = cache.semantics
    with monkeypatch.context() as patched:
        patched.setattr(embedders, "find_spec", lambda name: None)
        with pytest.raises(ConfigError):
            cache.replace(Cache(embedding="wordllama"))
    assert cache.semantics is before
    cache.replace(Cache(embedding="wordllama"))
    assert cache.semantics is not before, "it is tried again"
