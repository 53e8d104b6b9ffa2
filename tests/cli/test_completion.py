from __future__ import annotations

import pytest
from click.testing import CliRunner

from dragoman.cli import root


@pytest.mark.parametrize(
    ("shell", "sign"), [("bash", "complete -o"), ("zsh", "#compdef dragoman"), ("fish", "function")]
)
def test_each_shell_has_its_script(shell: str, sign: str) -> None:
    result = CliRunner().invoke(root, ["completion", shell])
    assert result.exit_code == 0
    assert sign in result.stdout
    assert "_DRAGOMAN_COMPLETE" in result.stdout


def test_another_shell_is_wrong_usage() -> None:
    assert CliRunner().invoke(root, ["completion", "csh"]).exit_code == 2
