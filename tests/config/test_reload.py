from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from dragoman.config import reload
from dragoman.config.load import load_config
from dragoman.config.reload import ConfigWatcher
from dragoman.config.schema import Config
from dragoman.errors import StoreError

GOOD = "server: {port: 1}\n"


class Seen:
    """A watcher of a file, and what it called back with."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.configs: list[Config] = []
        self.problems: list[list[str]] = []
        path.write_text(GOOD)
        load = partial(load_config, path, {})
        self.watcher = ConfigWatcher(path, load, self.on_config, self.problems.append, load())

    def on_config(self, config: Config) -> None:
        self.configs.append(config)

    def settle(self) -> None:
        for _ in range(3):
            self.watcher.look()

    @property
    def ports(self) -> list[int]:
        return [config.server.port for config in self.configs]


@pytest.fixture
def seen(tmp_path: Path) -> Seen:
    return Seen(tmp_path / "dragoman.yaml")


def rewrite(path: Path, text: str) -> None:
    """Write, with a stat that differs for certain."""
    before = path.stat().st_mtime_ns
    path.write_text(text)
    os.utime(path, ns=(before + 1, before + 1))


def test_nothing_happens_while_nothing_changes(seen: Seen) -> None:
    seen.settle()
    os.utime(seen.path)
    seen.settle()
    assert (seen.configs, seen.problems) == ([], [])


def test_a_change_counts_once_it_rests(seen: Seen) -> None:
    rewrite(seen.path, "server: {port: 2}\n")
    assert seen.watcher.look() is True
    rewrite(seen.path, "server: {port: 23}\n")
    assert seen.watcher.look() is True
    assert seen.configs == []
    assert seen.watcher.look() is False
    assert seen.ports == [23]


def test_a_file_moved_over_it(seen: Seen) -> None:
    new = seen.path.with_name("new")
    new.write_text("server: {port: 3}\n")
    new.replace(seen.path)
    seen.settle()
    assert seen.ports == [3]


def test_a_symlink_turned_elsewhere(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "dragoman.yaml").write_text(GOOD)
    (tmp_path / "data").symlink_to("one")
    seen = Seen(tmp_path / "data" / "dragoman.yaml")
    (tmp_path / "two" / "dragoman.yaml").write_text("server: {port: 4}\n")
    (tmp_path / "data.new").symlink_to("two")
    (tmp_path / "data.new").replace(tmp_path / "data")
    seen.settle()
    assert seen.ports == [4]


BAD: dict[str, Callable[[Path], object]] = {
    "syntax error": lambda path: rewrite(path, "server: {\n"),
    "unknown key": lambda path: rewrite(path, "sever: {}\n"),
    "dangling reference": lambda path: rewrite(path, "routes: {r: {tiers: [[gone]]}}\n"),
    "duplicate name": lambda path: rewrite(path, "routes: {}\nroutes: {}\n"),
    "a million routes": lambda path: rewrite(path, "routes:\n" + "  r: x\n" * 1_000_000),
    "deleted": lambda path: path.unlink(),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "half written": lambda path: rewrite(path, "server: {port: 2}\nroutes:\n  r: {tie"),
    "cycle": lambda path: rewrite(path, "routes: {a: {tiers: [[b]]}, b: {tiers: [[a]]}}\n"),
    "missing secret": lambda path: rewrite(path, "providers: {p: {base_url: 'http://x', api_key: '${NONE}'}}\n"),
    "not text": lambda path: path.write_bytes(b"\xff\xfe\x00\x00"),
    "deep": lambda path: rewrite(path, "a: " + "[" * 100_000),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_changes_nothing_and_a_good_one_mends_it(seen: Seen, name: str) -> None:
    BAD[name](seen.path)
    seen.settle()
    assert seen.configs == []
    assert len(seen.problems) == 1
    assert all(str(seen.path) in problem for problem in seen.problems[0])
    seen.settle()
    assert len(seen.problems) == 1
    if seen.path.is_dir():
        seen.path.rmdir()
    seen.path.write_text(GOOD)
    seen.settle()
    assert seen.ports == [1]  # the same as before the fault, but the fault is over


@pytest.mark.parametrize("text", ["", " \n\n"])
def test_an_empty_file_is_one_that_is_still_to_be_written(seen: Seen, text: str) -> None:
    rewrite(seen.path, text)
    seen.settle()
    assert seen.configs == []
    assert seen.problems == [[f"{seen.path}: the file is empty"]]
    rewrite(seen.path, "server: {port: 4}\n")
    seen.settle()
    assert seen.ports == [4]


@pytest.mark.parametrize("fault", [StoreError("no"), ValueError("no"), OSError("no"), RecursionError(), MemoryError()])
def test_what_cannot_be_built_is_a_problem_too(seen: Seen, fault: Exception) -> None:
    def refuse(config: Config) -> None:
        raise fault

    path = seen.path
    watcher = ConfigWatcher(path, partial(load_config, path, {}), refuse, seen.problems.append, Config())
    watcher.load_now()
    (problems,) = seen.problems
    assert problems[0].startswith(f"{path}: {type(fault).__name__}")


def test_an_explicit_reload_reads_secrets_again(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a")
    path = tmp_path / "dragoman.yaml"
    path.write_text("providers: {p: {base_url: 'http://x', api_key: '${file:secret}'}}\n")
    load = partial(load_config, path, {})
    configs: list[Config] = []
    watcher = ConfigWatcher(path, load, configs.append, lambda problems: None, load())
    watcher.load_now()
    assert configs == []
    secret.write_text("b")
    watcher.look()
    assert configs == []
    watcher.load_now()
    assert [config.providers["p"].api_key for config in configs] == ["b"]


def test_run_looks_by_itself_and_on_trigger(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    async def change_and_wait() -> None:
        task = asyncio.create_task(seen.watcher.run())
        rewrite(seen.path, "server: {port: 5}\n")
        while not seen.configs:
            await asyncio.sleep(0.001)
        monkeypatch.setattr(reload, "POLL_S", 3600.0)
        monkeypatch.setattr(reload, "SETTLE_S", 3600.0)
        rewrite(seen.path, "server: {port: 6}\n")
        seen.watcher.trigger()
        while len(seen.configs) < 2:
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()

    monkeypatch.setattr(reload, "POLL_S", 0.002)
    monkeypatch.setattr(reload, "SETTLE_S", 0.001)
    asyncio.run(asyncio.wait_for(change_and_wait(), 30))
    assert seen.ports == [5, 6]


def test_without_a_file_only_a_trigger_loads() -> None:
    configs: list[Config] = []
    watcher = ConfigWatcher(None, Config, configs.append, lambda problems: None)
    watcher.look()
    assert configs == []
    watcher.load_now()
    assert configs == [Config()]
