"""``dragoman rehearse``."""

from __future__ import annotations

import os
from pathlib import Path

import click
import msgspec

from dragoman.cli.settings import config_faults, config_option


@click.command(short_help="Start the rehearsal provider alone, as a staging upstream.")
@config_option
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8090, show_default=True, help="The port to listen on.")
@click.option("--seed", type=int, help="Another seed, other answers.")
@click.option("--first-token", type=click.FloatRange(0), metavar="SECONDS", help="How soon it begins to answer.")
@click.option("--tokens-per-second", type=click.FloatRange(0, min_open=True), help="How fast it streams.")
def rehearse(
    config_path: Path | None,
    host: str,
    port: int,
    seed: int | None,
    first_token: float | None,
    tokens_per_second: float | None,
) -> None:
    """Start the rehearsal provider alone: it answers as OpenAI does, without a network, and fails on request.

    \b
      dragoman rehearse --port 8090
      curl http://127.0.0.1:8090/v1/chat/completions -d '{"model": "rehearsal",
        "messages": [{"role": "user", "content": "Hello"}], "rehearsal": {"refuse": 503}}'

    Its pace and what else it does come from the configuration's section "rehearsal"; an option here goes first.
    """
    from dragoman.rehearsal.server import run
    from dragoman.settings import find_config, load_settings

    with config_faults():
        settings = load_settings(find_config(config_path), os.environ).rehearsal
        said = {"seed": seed, "time_to_first_token_s": first_token, "tokens_per_s": tokens_per_second}
        settings = msgspec.structs.replace(
            settings, **{name: value for name, value in said.items() if value is not None}
        )
        click.echo(f"The rehearsal listens at http://{host}:{port}/v1 (models: rehearsal, rehearsal-embedding).")
        status = run(host, port, settings)
    raise click.exceptions.Exit(status)
