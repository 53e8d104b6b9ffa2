from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from tests.core.awaited import answered
from tests.store.valkey import Valkey, new_prefix, say

from dragoman.core import Redis


def test_values_are_kept_for_a_while(redis: Redis) -> None:
    assert answered(redis.get(b"x")) is None
    redis.put(b"x", b"\0value", 60)
    assert answered(redis.get(b"x")) == b"\0value"
    redis.put(b"x", b"brief", 0.001)
    time.sleep(0.05)
    assert answered(redis.get(b"x")) is None
    assert (redis.is_up, redis.reason, redis.failures) == (True, "", 0)


def test_a_value_of_another_type_is_none(valkey: str) -> None:
    prefix = new_prefix()
    redis = Redis(valkey, prefix=prefix, timeout_s=1)
    assert redis.ready(10)
    say(valkey, "LPUSH", f"{{{prefix}}}:1:x", "1")
    assert answered(redis.get(b"x")) is None
    assert (redis.is_up, redis.failures) == (True, 1)


def test_all_that_listen_are_told(redis: Redis) -> None:
    heard: list[str] = []
    ready, told = threading.Event(), threading.Event()

    def hear(word: str) -> None:
        heard.append(word)
        (told if word else ready).set()

    redis.listen("news", hear)
    assert ready.wait(10)
    assert redis.publish("other", "nothing")
    assert redis.publish("news", "keys")
    assert told.wait(10)
    assert heard == ["", "keys"]


def test_a_server_that_is_gone_and_comes_back(tmp_path: Path) -> None:
    with Valkey(tmp_path) as server:
        redis = Redis(server.url, prefix="x", timeout_s=0.05)
        assert redis.ready(10)
        server.halt()
        assert answered(redis.get(b"x")) is None
        assert (redis.is_up, redis.failures) == (False, 1)
        assert redis.reason
        assert answered(redis.get(b"x")) is None  # at once
        assert redis.publish("news", "x") is False
        server.go_on()
        assert redis.ready(10)
        server.kill()
        assert answered(redis.get(b"x")) is None
        assert not redis.is_up
        server.start()
        assert redis.ready(10)
        redis.put(b"x", b"1", 9)
        assert answered(redis.get(b"x")) == b"1"


def test_a_server_that_takes_no_writes_is_none(tmp_path: Path) -> None:
    with Valkey(tmp_path) as server:
        server.say("REPLICAOF", "127.0.0.1", "1")
        redis = Redis(server.url, timeout_s=1)
        assert not redis.ready(0.2)
        assert redis.reason == "READONLY"
        server.say("REPLICAOF", "NO", "ONE")
        assert redis.ready(10)


def test_one_that_evicts_says_so(tmp_path: Path) -> None:
    with Valkey(tmp_path) as server:
        kept = Redis(server.url)
        assert kept.ready(10)
        assert not kept.evicts
        server.say("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        server.say("CONFIG", "SET", "maxmemory", "100mb")
        redis = Redis(server.url)
        assert redis.ready(10)
        assert redis.evicts


def test_an_address_is_never_told() -> None:
    with pytest.raises(ValueError, match=r"^[^@]*$"):
        Redis("http://user:secret@host")
    redis = Redis("redis://user:secret@127.0.0.1:1")
    assert not redis.ready(0.1)
    assert "secret" not in redis.reason


def test_what_only_one_may_have(redis: Redis) -> None:
    assert answered(redis.claim(b"right", b"one", 60)) == (b"one", pytest.approx(60, abs=5))
    found = answered(redis.claim(b"right", b"other", 5))
    assert found is not None
    assert found[0] == b"one"
    assert found[1] > 5
    redis.put(b"right", b"", 0.001)
    time.sleep(0.05)
    assert answered(redis.claim(b"right", b"other", 60)) == (b"other", pytest.approx(60, abs=5))
