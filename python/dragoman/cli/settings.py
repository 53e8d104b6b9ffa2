"""How a command finds its configuration, and how it ends when there is something wrong with it.

The only place that joins the three: the file, the catalogue of providers, and the check of a virtual key's secret.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from dragoman.config.load import Overrides, load_config
from dragoman.config.schema import Config
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


def find_config(given: Path | None) -> Path | None:
    """The file to read: the one given, else ``./dragoman.yaml`` if there is one."""
    usual = Path("dragoman.yaml")
    return given or (usual if usual.exists() else None)


def load(path: Path | None, overrides: Overrides | None = None) -> Config:
    """The whole configuration as the server sees it."""
    from dragoman.access.secret import check_secret
    from dragoman.providers.catalogue import rows

    return load_config(path, os.environ, overrides=overrides, kinds=rows(), check_secret=check_secret)


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
