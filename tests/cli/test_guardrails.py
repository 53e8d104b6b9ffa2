from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from dragoman.cli import guardrails as command
from dragoman.guardrails import coverage
from dragoman.realtime import coverage as sessions


def test_the_table() -> None:
    told = CliRunner().invoke(command.guardrails, ["test"])
    assert told.exit_code == 0
    assert "stream: tool call" in told.output
    assert "model: spoken words, sign by sign" in told.output
    assert "sessions: session.update" in told.output
    assert "HOLE" not in told.output


def test_a_hole_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "coverage", lambda: {"x": {"request: user": "hole"}})
    told = CliRunner().invoke(command.guardrails, ["test"])
    assert told.exit_code == 1
    assert "HOLE" in told.output
    shown = CliRunner().invoke(command.guardrails, ["test", "--json"])
    assert json.loads(shown.output)["dialects"] == {"x": {"request: user": "hole"}}


def test_a_hole_in_a_session_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "coverage", lambda: {"x": {"model: text": "hole"}})
    told = CliRunner().invoke(command.guardrails, ["test"])
    assert told.exit_code == 1
    assert "HOLE" in told.output
