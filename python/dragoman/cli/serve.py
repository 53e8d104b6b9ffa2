"""``dragoman serve``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from dragoman.cli.settings import config_faults, config_option
from dragoman.config.load import Overrides
from dragoman.errors import StoreError


@click.command(short_help="Start the gateway.")
@config_option
@click.option("--host", help="The address to listen on, instead of the file's.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port to listen on, instead of the file's; 0: any.")
@click.option("--data-dir", metavar="DIR", help="Where keys and usage are kept, instead of the file's.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="What is logged.")
def serve(
    config_path: Path | None, host: str | None, port: int | None, data_dir: str | None, log_level: str | None
) -> None:
    """Start the gateway.

    With no configuration it serves the providers whose keys are in the environment (OPENAI_API_KEY, ANTHROPIC_API_KEY,
    ...), and with none of those the rehearsal provider, which needs no network.

    \b
      dragoman serve
      dragoman serve --config dragoman.yaml --port 9000
      OPENAI_API_KEY=sk-... dragoman serve

    The file is read again when it changes and on SIGHUP. SIGTERM lets running requests end. Exits with 78, listing
    every fault, when the configuration cannot be used.
    """
    from dragoman.settings import find_config, load_settings

    path = find_config(config_path)
    overrides = Overrides(host=host, port=port, data_dir=data_dir, log_level=log_level)
    with config_faults():
        config = load_settings(path, os.environ, overrides)
        from dragoman.server.run import run  # only now: it brings granian

        try:
            status = run(config, path, overrides)
        except StoreError as fault:
            raise click.ClickException(str(fault)) from None
    raise click.exceptions.Exit(status)
