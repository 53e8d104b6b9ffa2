from __future__ import annotations

import click
import pytest

from dragoman.cli.settings import EX_CONFIG, config_faults
from dragoman.errors import ConfigError


def test_faults_end_the_command_with_78(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(click.exceptions.Exit) as caught, config_faults():
        raise ConfigError(["one", "two"])
    assert caught.value.exit_code == EX_CONFIG == 78
    assert capsys.readouterr().err == "the configuration cannot be used:\n  one\n  two\n"
