from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from dragoman.config.load import Overrides
from dragoman.errors import ConfigError
from dragoman.server.spec import WorkerSpec


def spec(path: Path | None, **overrides: object) -> WorkerSpec:
    made = WorkerSpec(
        config_path=str(path) if path else None,
        overrides=msgspec.convert(overrides, Overrides),
        address="127.0.0.1",
        port=9000,
        log_level="info",
    )
    return msgspec.json.decode(msgspec.json.encode(made), type=WorkerSpec)  # as the environment carries it


def test_the_worker_reads_what_the_supervisor_read(tmp_path: Path) -> None:
    path = tmp_path / "dragoman.yaml"
    path.write_text(json.dumps({"server": {"port": 1, "host": "::1"}, "defaults": {"retries": 5}}))
    config = spec(path, port=2, data_dir="d").load({})
    assert (config.server.port, config.server.host, config.store.data_dir) == (2, "::1", "d")
    assert config.defaults.retries == 5


def test_it_reads_it_anew_each_time(tmp_path: Path) -> None:
    path = tmp_path / "dragoman.yaml"
    path.write_text("defaults: {retries: 1}")
    one = spec(path)
    assert one.load({}).defaults.retries == 1
    path.write_text("defaults: {retries: 2}")
    assert one.load({}).defaults.retries == 2
    path.write_text("defaults: {retires: 2}")
    with pytest.raises(ConfigError):
        one.load({})


def test_without_a_file_the_environment_decides() -> None:
    assert spec(None).path is None
    config = spec(None, port=3).load({"OPENAI_API_KEY": "sk-x"})
    assert config.server.port == 3
    assert list(config.providers) == ["openai"]
