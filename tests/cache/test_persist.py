from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.cache.test_answers import KEPT, KEY
from tests.cache.test_semantic import LAMP, SAME, ask, config, told
from tests.gateway.upstream import Upstream
from tests.served import Served

from dragoman.cache.answers import AnswerCache
from dragoman.cache.persist import CacheFile
from dragoman.config.caching import Cache

PEPPER = b"p" * 32
NAMESPACE = b"n" * 32


def filled() -> AnswerCache:
    cache = AnswerCache(Cache())
    cache.keep(KEY, b"a secret answer", KEPT, ["model:m"], 100)
    cache.semantics.index.add(NAMESPACE, KEY, LAMP)
    return cache


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    CacheFile(tmp_path, PEPPER).save(filled())
    cache = AnswerCache(Cache())
    CacheFile(tmp_path, PEPPER).load(cache)
    assert cache.find(KEY) == (b"a secret answer", KEPT)
    assert [key for key, *_ in cache.semantics.index.find(NAMESPACE, SAME, 0.5)] == [KEY]
    assert cache.purge(["model:m"]) == 1


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    file = CacheFile(tmp_path, PEPPER)
    file.save(filled())
    data = file.path.read_bytes()
    assert b"secret" not in data and b"lamp" not in data
    assert file.path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("how", ["changed", "cut", "another pepper", "empty", "absent"])
def test_what_is_not_ours_is_not_used(tmp_path: Path, how: str) -> None:
    """X32."""
    file = CacheFile(tmp_path, PEPPER)
    file.save(filled())
    data = file.path.read_bytes()
    changed = {"changed": data[:50] + bytes([data[50] ^ 1]) + data[51:], "cut": data[:-1], "empty": b""}
    if how == "absent":
        file.remove()
    else:
        file.path.write_bytes(changed.get(how, data))
    cache = AnswerCache(Cache())
    CacheFile(tmp_path, b"q" * 32 if how == "another pepper" else PEPPER).load(cache)
    assert len(cache) == 0


def test_what_is_over_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    CacheFile(tmp_path, PEPPER).save(filled())
    later = time.time_ns() + 200 * 10**9
    monkeypatch.setattr("dragoman.cache.answers.time_ns", lambda: later)
    cache = AnswerCache(Cache())
    CacheFile(tmp_path, PEPPER).load(cache)
    assert len(cache) == 0


def test_a_folder_that_cannot_be_written_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = CacheFile(tmp_path / "none", PEPPER)
    file.save(filled())
    assert "cannot be saved" in caplog.text


def test_over_a_restart(tmp_path: Path, upstream: Upstream) -> None:
    made = config(upstream)
    made["cache"]["persist"] = True
    with Served(made, tmp_path) as served:
        assert told(ask(served, LAMP)) == ["miss"]
    with Served(made, tmp_path) as served:
        assert told(ask(served, LAMP), ask(served, SAME)) == ["hit", "semantic"]
    made["cache"]["persist"] = False
    with Served(made, tmp_path) as served:
        assert told(ask(served, LAMP)) == ["miss"]
    assert not list((tmp_path / "data").glob("cache*"))
