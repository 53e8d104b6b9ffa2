"""What the commands share: the option that names the configuration, and how they end when it cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from dragoman.errors import ConfigError

EX_CONFIG = 78

config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    envvar="DRAGOMAN_CONFIG",
    metavar="FILE",
    help="The configuration, YAML or TOML. Default: $DRAGOMAN_CONFIG, else ./dragoman.yaml if there is one, else the "
    "providers whose keys are in the environment, else the rehearsal provider.",
)
"""``--config``, alike on every command."""


@contextmanager
def config_faults() -> Iterator[None]:
    """End the command with every fault listed and status 78 when the configuration cannot be used."""
    try:
        yield
    except ConfigError as fault:
        click.echo("the configuration cannot be used:", err=True)
        for problem in fault.problems:
            click.echo(f"  {problem}", err=True)
        raise click.exceptions.Exit(EX_CONFIG) from None
