from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner
from tests.cli.conftest import Run

from dragoman.cli import root

FILE = """
organisations: [{name: acme, grants: {allow: ["gpt-*"]}}]
teams: [{name: shop, organisation: acme}]
users: [{name: eve, organisation: acme, teams: {shop: admin}}]
limits: {shop: {of: [team], cost_usd: 20}}
"""


def test_what_would_change_is_shown_and_then_made(run: Run, data: Path, tmp_path: Path) -> None:
    file = tmp_path / "who.yaml"
    file.write_text(FILE)
    at = ("-f", file, "--data-dir", data)
    first = run("apply", *at, "--dry-run")
    assert first.exit_code == 0, first.output
    assert '+ organisation acme\n    grants.allow: ["gpt-*"]\n' in first.output
    assert "+ team shop in acme\n" in first.output
    assert "no organisations" in run("org", "list", "--data-dir", data).output
    made = run("apply", *at, "--yes")
    assert "4 changes are made" in made.output, made.output
    assert run("apply", *at, "--yes").output == "nothing to change\n"
    file.write_text(FILE.replace("gpt-*", "claude*").replace("users:", "#users:"))
    changed = run("apply", *at, "--yes")
    assert '~ organisation acme\n    grants.allow: ["gpt-*"] -> ["claude*"]\n' in changed.output
    assert "eve" not in changed.output
    assert "- user eve in acme" in run("apply", *at, "--prune", "--yes").output
    assert "no users" in run("user", "list", "--data-dir", data).output


def test_it_asks_first(run: Run, data: Path, tmp_path: Path) -> None:
    file = tmp_path / "who.yaml"
    file.write_text(FILE)
    result = CliRunner().invoke(root, ["apply", "-f", str(file), "--data-dir", str(data)], input="n\n")
    assert result.exit_code == 1
    assert "4 changes: make them?" in result.output
    assert "no organisations" in run("org", "list", "--data-dir", data).output


def test_what_is_wrong_is_named_with_its_line(run: Run, data: Path, tmp_path: Path) -> None:
    file = tmp_path / "who.yaml"
    file.write_text("teams:\n  - {name: shop, tilte: x}\nlimits: {x: {}}\n")
    result = run("apply", "-f", file, "--data-dir", data)
    assert result.exit_code == 78
    assert "who.yaml:2: teams[0].tilte: unknown field" in result.output
    assert "limits nothing" in result.output
