from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Run

from dragoman.audit.search import Wanted, search


def done(run: Run, data: Path, command: str) -> str:
    result = run(*command.split(), "--data-dir", data)
    assert result.exit_code == 0, result.output
    return result.output


def shown(run: Run, data: Path, command: str) -> Any:
    return json.loads(done(run, data, command))


def test_everyone_is_made_shown_changed_listed_and_removed(run: Run, data: Path) -> None:
    done(run, data, "org create acme --title Acme --allow gpt-* --max-request 0.5")
    done(run, data, "team create shop --organisation acme --provider openai --provider groq")
    done(run, data, "user create eve --organisation acme --email eve@acme.example --role viewer --team shop=admin")
    done(run, data, "app create till --organisation acme --team shop")
    done(run, data, "role create smith --organisation acme --permission keys.read --permission keys.write")
    assert shown(run, data, "org show acme")["grants"] == {"allow": ["gpt-*"], "max_request_usd": 0.5}
    assert shown(run, data, "user show eve --organisation acme")["teams"] == {"shop": "admin"}
    done(run, data, "team set shop --organisation acme --model openai/gpt-* --disabled")
    team = shown(run, data, "team show shop --organisation acme")
    assert team["grants"] == {"models": ["openai/gpt-*"], "providers": ["openai", "groq"]}
    assert team["disabled"] is True
    assert "till" in done(run, data, "app list")
    assert json.loads(done(run, data, "role list --json"))[0]["permissions"] == ["keys.read", "keys.write"]
    for command in ("app remove till", "user remove eve", "team remove shop", "role remove smith"):
        done(run, data, f"{command} --organisation acme")
    done(run, data, "org remove acme")
    assert "no organisations" in done(run, data, "org list")


def test_each_act_is_on_record(run: Run, data: Path) -> None:
    for command in ("org create acme", "org set acme --title A", "org remove acme"):
        done(run, data, command)
    found = [one.record.kind for one in search(data / "audit", Wanted(fields={"kind": "organisation"}))]
    assert found[::-1] == ["organisation.create", "organisation.change", "organisation.delete"]


@pytest.mark.parametrize(
    ("command", "status", "words"),
    [
        ("org create a/b", 2, "name"),
        ("team create t --organisation nowhere", 1, "there is no organisation 'nowhere'"),
        ("app create a --team nowhere", 1, "there is no team 'nowhere'"),
        ("team show nobody", 1, "see: dragoman team list"),
        ("org remove nobody", 1, "see: dragoman org list"),
        ("role create admin", 2, "built in"),
        ("role create r --permission keys.steal", 2, "dragoman role permissions"),
        ("user create u --email nobody", 2, "email"),
        ("org set nobody --title x", 1, "no organisation 'nobody'"),
    ],
)
def test_what_cannot_be_is_said(run: Run, data: Path, command: str, status: int, words: str) -> None:
    result = run(*command.split(), "--data-dir", data)
    assert (result.exit_code, words in result.output) == (status, True), result.output


def test_permissions_are_listed(run: Run) -> None:
    assert "keys.write" in run("role", "permissions").output
