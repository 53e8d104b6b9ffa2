from __future__ import annotations

import getpass
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from dragoman.audit.search import Wanted, search
from dragoman.cli import acts


def kinds(data: Path) -> list[tuple[str, str]]:
    found = search(data / "audit", Wanted())
    return [(one.record.kind, one.record.actor) for one in found if not one.record.kind.startswith("audit.")]


def test_what_commands_change_is_on_record(run: Run, data: Path, tmp_path: Path) -> None:
    at = ("--data-dir", data)
    template = tmp_path / "t.yaml"
    template.write_text("messages: [{role: system, text: Hello.}]")
    for arguments in (
        ("keys", "create", "demo"),
        ("keys", "revoke", "demo"),
        ("limits", "set", "x", "--requests", "1"),
        ("limits", "remove", "x"),
        ("prompts", "add", "t", template),
        ("prompts", "remove", "t"),
    ):
        assert run(*arguments, *at).exit_code == 0, arguments
    expected = ("key.create", "key.revoke", "limit.set", "limit.remove", "prompt.add", "prompt.remove")
    assert kinds(data)[::-1] == [(kind, getpass.getuser()) for kind in expected]


def test_what_cannot_be_recorded_is_not_done(run: Run, data: Path) -> None:
    data.mkdir()
    (data / "audit").write_text("in the way")
    refused = run("keys", "create", "demo", "--data-dir", data)
    assert (refused.exit_code, "audit" in refused.output) == (1, True)
    (data / "audit").unlink()
    assert "no keys" in run("keys", "list", "--data-dir", data).output


def test_whoever_has_no_name_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("uid")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert acts.actor().startswith("uid ")
