from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

from dragoman.cli import root
from dragoman.config.check import check_exposure
from dragoman.config.load import Overrides
from dragoman.config.schema import Config
from dragoman.errors import StoreError


class Server:
    """Stands in for the server: records what it was started with."""

    def __init__(self, outcome: int | Exception) -> None:
        self.outcome = outcome
        self.started: list[tuple[Config, Path | None, Overrides]] = []

    def run(self, config: Config, path: Path | None, overrides: Overrides) -> int:
        check_exposure(config)
        self.started.append((config, path, overrides))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Server:
    server = Server(0)
    module: Any = ModuleType("dragoman.server.run")
    module.run = server.run
    monkeypatch.setitem(sys.modules, "dragoman.server.run", module)
    monkeypatch.chdir(tmp_path)
    return server


def test_the_file_and_the_options(server: Server) -> None:
    Path("mine.yaml").write_text("server: {port: 1, host: '::1'}\n")
    arguments = ["serve", "--config", "mine.yaml", "--port", "2", "--data-dir", "d", "--log-level", "debug"]
    result = CliRunner().invoke(root, arguments)
    assert result.exit_code == 0
    ((config, path, overrides),) = server.started
    assert (config.server.port, config.server.host, config.server.log_level) == (2, "::1", "debug")
    assert config.store.data_dir == "d"
    assert path == Path("mine.yaml")
    assert overrides == Overrides(port=2, data_dir="d", log_level="debug")


def test_a_bad_configuration_starts_nothing(server: Server) -> None:
    Path("dragoman.yaml").write_text("server: {prot: 1}\nsevrer: {}\n")
    result = CliRunner().invoke(root, ["serve"])
    assert result.exit_code == 78
    assert result.stderr.count("did you mean") == 2
    assert server.started == []


def test_listening_for_others_without_a_key_is_refused(server: Server) -> None:
    result = CliRunner().invoke(root, ["serve", "--host", "0.0.0.0"])
    assert result.exit_code == 78
    assert "dragoman keys create" in result.stderr
    assert server.started == []


def test_the_server_s_end_is_the_command_s(server: Server) -> None:
    server.outcome = 3
    assert CliRunner().invoke(root, ["serve"]).exit_code == 3
    server.outcome = StoreError("the database is locked by another server")
    result = CliRunner().invoke(root, ["serve"])
    assert result.exit_code == 1
    assert "locked by another server" in result.stderr
