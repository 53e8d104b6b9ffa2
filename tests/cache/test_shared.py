from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.core.awaited import answered
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream, answer, expect
from tests.served import Served
from tests.store.valkey import Valkey, new_prefix, say

from dragoman.cache.shared import FIRST, Answer, SharedAnswers
from dragoman.core import Redis
from dragoman.driver import Driver

PEPPER = b"p" * 32
KEY = bytes(range(32))


class Waited:
    """Runs what a driver runs, to its end."""

    def __init__(self, coroutine: Any) -> None:
        self.value: Any = None
        self.is_done = False
        Driver(self._run(coroutine), None, None).start()  # type: ignore[arg-type]
        until(lambda: self.is_done)

    async def _run(self, coroutine: Any) -> None:
        self.value = await coroutine
        self.is_done = True


def until(true: Callable[[], bool]) -> None:
    until_s = time.monotonic() + 10
    while not true() and time.monotonic() < until_s:
        time.sleep(0.005)
    assert true()


def find(answers: SharedAnswers) -> Answer | None:
    found: Answer | None = Waited(answers.find(KEY)).value
    return found


def test_what_one_process_keeps_another_finds(redis: Redis) -> None:
    one, other = SharedAnswers(redis, PEPPER), SharedAnswers(redis, PEPPER)
    assert find(one) is None
    one.keep(KEY, b"body", b"note", ("model:m",), 60)
    found = find(other)
    assert found is not None
    assert (found.body, found.note, found.labels, found.generation) == (b"body", b"note", ("model:m",), FIRST)
    assert 59_000 < found.expires_ms - found.stored_ms <= 60_000
    stored = answered(redis.get(b"answer:" + KEY.hex().encode()))
    assert stored is not None
    assert b"body" not in stored


def test_what_is_over_is_none(redis: Redis) -> None:
    one = SharedAnswers(redis, PEPPER)
    one.keep(KEY, b"body", b"note", (), 0.001)
    time.sleep(0.02)
    assert find(one) is None


def test_purged_by_one_it_is_gone_for_all(redis: Redis) -> None:
    one, other = SharedAnswers(redis, PEPPER), SharedAnswers(redis, PEPPER)
    one.keep(KEY, b"old", b"", (), 60)
    assert find(other) is not None
    one.purge()
    assert find(other) is None
    other.keep(KEY, b"new", b"", (), 60)
    found = find(one)
    assert found is not None
    assert found.body == b"new"


@pytest.mark.parametrize("value", [b"", b"rubbish", b"\0" * 200])
def test_whatever_else_lies_there_is_a_miss(redis: Redis, value: bytes) -> None:
    redis.put(b"answer:" + KEY.hex().encode(), value, 60)
    assert find(SharedAnswers(redis, PEPPER)) is None


def test_of_another_pepper_or_for_another_key_it_is_a_miss(redis: Redis) -> None:
    SharedAnswers(redis, b"q" * 32).keep(KEY, b"body", b"note", (), 60)
    assert find(SharedAnswers(redis, PEPPER)) is None
    other = bytes(32)
    SharedAnswers(redis, PEPPER).keep(other, b"body", b"note", (), 60)
    moved = answered(redis.get(b"answer:" + other.hex().encode()))
    assert moved is not None
    redis.put(b"answer:" + KEY.hex().encode(), moved, 60)
    assert find(SharedAnswers(redis, PEPPER)) is None


def test_a_purge_that_redis_did_not_take_is_told_again(tmp_path: Path) -> None:
    with Valkey(tmp_path) as server:
        redis = Redis(server.url, timeout_s=0.05)
        assert redis.ready(10)
        one, other = SharedAnswers(redis, PEPPER), SharedAnswers(redis, PEPPER)
        one.keep(KEY, b"body", b"note", (), 60)
        assert find(one) is not None
        server.halt()
        one.purge()
        assert find(other) is None  # passed by
        server.go_on()
        assert redis.ready(10)
        say(server.url, "DEL", "{dragoman}:1:answers")  # as if the purge had never come
        assert find(one) is None
        until(lambda: find(other) is None)


Node = Callable[..., Served]


@pytest.fixture
def node(tmp_path: Path, valkey: str, upstream: Upstream) -> Iterator[Node]:
    """Starts gateways with one pepper and one Redis."""
    prefix = new_prefix()
    upstream.reply(expect, answer())
    with contextlib.ExitStack() as stack:

        def start(**cache: Any) -> Served:
            directory = tmp_path / f"node-{len(list(tmp_path.iterdir()))}"
            (directory / "data").mkdir(parents=True, mode=0o700)
            (directory / "data" / "pepper").write_bytes(PEPPER)
            (directory / "data" / "pepper").chmod(0o600)
            redis = {"url": valkey, "prefix": prefix, "timeout_s": 1}
            config = config_for(upstream.base_url, cache={"mode": "on", "shared": True} | cache, redis=redis)
            return stack.enter_context(Served(config, directory))

        yield start


def caches(served: Served, **headers: str) -> str:
    return served.chat(headers).headers["x-dragoman-cache"]


def test_two_gateways_share_answers(node: Node, upstream: Upstream) -> None:
    one, other = node(), node()
    first = one.chat()
    second = other.chat()
    assert (second.headers["x-dragoman-cache"], second.body) == ("hit", first.body)
    assert len(upstream.requests) == 1
    assert caches(other, cache_control="only-if-cached") == "hit"
    third = node()
    assert caches(third, cache_control="only-if-cached") == "hit"


def test_purged_at_one_it_is_asked_anew_at_both(node: Node, upstream: Upstream) -> None:
    one, other = node(), node()
    assert [caches(one), caches(other)] == ["miss", "hit"]
    one.gateway.answers.purge(["model:chat"])
    until(lambda: len(other.gateway.answers) == 0)
    assert [caches(other), caches(one)] == ["miss", "hit"]


def test_where_it_is_not_wanted_nothing_is_shared(node: Node) -> None:
    one, other = node(), node(shared=False)
    assert [caches(one), caches(other)] == ["miss", "miss"]
