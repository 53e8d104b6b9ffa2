from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from dragoman import __version__
from dragoman.cli import ALIASES, COMMANDS, root


def test_help_lists_every_command() -> None:
    result = CliRunner().invoke(root, ["--help"])
    assert result.exit_code == 0
    for name, text in COMMANDS.items():
        assert f"  {name} " in result.output
        assert text in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_what_the_table_says(name: str) -> None:
    command = root.get_command(click.Context(root), name)
    assert command is not None
    assert command.name == name
    assert (command.short_help or command.get_short_help_str(200)) == COMMANDS[name]
    result = CliRunner().invoke(root, [name, "--help"])
    assert result.exit_code == 0
    assert "dragoman " + name in result.output


def test_a_wrong_name_is_wrong_usage() -> None:
    result = CliRunner().invoke(root, ["serv"])
    assert result.exit_code == 2
    assert 'no command serv; did you mean "serve"?' in result.output
    assert CliRunner().invoke(root, ["serve", "--port", "99999"]).exit_code == 2


def test_other_names_of_commands() -> None:
    for alias, name in ALIASES.items():
        assert "dragoman " in CliRunner().invoke(root, [alias, "--help"]).output
        assert name in COMMANDS
        assert alias not in COMMANDS


def test_the_version() -> None:
    assert CliRunner().invoke(root, ["--version"]).output.strip() == f"dragoman, version {__version__}"


def test_names_are_completed_without_importing_them() -> None:
    complete = ShellComplete(root, {}, "dragoman", "_DRAGOMAN_COMPLETE")
    assert [item.value for item in complete.get_completions([], "se")] == ["serve"]
    assert [item.value for item in complete.get_completions([], "")] == list(COMMANDS)
    assert "--version" in [item.value for item in complete.get_completions([], "--")]
    assert "--config" in [item.value for item in complete.get_completions(["serve"], "--co")]


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from dragoman.cli import root\n"
        "root(['--help'], standalone_mode=False)\n"
        "heavy = {'granian', 'sqlalchemy', 'genai_prices', 'yaml', 'msgspec', 'dragoman._core', 'alembic'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "heavy: []"


def test_the_module_is_the_command() -> None:
    result = subprocess.run([sys.executable, "-m", "dragoman", "--version"], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("dragoman, version")
