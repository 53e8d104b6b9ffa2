from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from dragoman.cli import root
from dragoman.config.document import example_yaml


def test_to_the_terminal() -> None:
    assert CliRunner().invoke(root, ["init"]).stdout == example_yaml()


def test_to_a_file_never_over_one(tmp_path: Path) -> None:
    path = tmp_path / "dragoman.yaml"
    result = CliRunner().invoke(root, ["init", str(path)])
    assert result.exit_code == 0
    assert f"dragoman check {path}" in result.stdout
    assert path.read_text() == example_yaml()
    path.write_text("mine")
    result = CliRunner().invoke(root, ["init", str(path)])
    assert result.exit_code == 1
    assert "is left as it is" in result.stderr
    assert path.read_text() == "mine"
    result = CliRunner().invoke(root, ["init", str(tmp_path / "no" / "file")])
    assert result.exit_code == 1
    assert "No such file" in result.stderr
