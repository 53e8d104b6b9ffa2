from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

from dragoman.cli import root
from dragoman.config.schema import Rehearsal


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, int, Rehearsal]]:
    calls: list[tuple[str, int, Rehearsal]] = []

    def run(host: str, port: int, settings: Rehearsal) -> int:
        calls.append((host, port, settings))
        return 0

    module: Any = ModuleType("dragoman.rehearsal.server")
    module.run = run
    monkeypatch.setitem(sys.modules, "dragoman.rehearsal.server", module)
    monkeypatch.chdir(tmp_path)
    return calls


def test_options_go_before_the_file(started: list[tuple[str, int, Rehearsal]]) -> None:
    Path("dragoman.yaml").write_text("rehearsal: {seed: 1, tokens_per_s: 5}\n")
    result = CliRunner().invoke(root, ["rehearse", "--port", "9", "--seed", "2", "--first-token", "0"])
    assert result.exit_code == 0
    ((host, port, settings),) = started
    assert (host, port) == ("127.0.0.1", 9)
    assert (settings.seed, settings.tokens_per_s, settings.time_to_first_token_s) == (2, 5.0, 0.0)
    assert "http://127.0.0.1:9/v1" in result.stdout


def test_a_bad_file_starts_nothing(started: list[tuple[str, int, Rehearsal]]) -> None:
    Path("dragoman.yaml").write_text("rehearsal: {sead: 1}\n")
    assert CliRunner().invoke(root, ["rehearse"]).exit_code == 78
    assert CliRunner().invoke(root, ["rehearse", "--tokens-per-second", "0"]).exit_code == 2
    assert started == []
