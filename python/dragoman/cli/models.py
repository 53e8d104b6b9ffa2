"""``dragoman models``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import msgspec

from dragoman.cli.settings import config_faults, config_option
from dragoman.usage.listing import Listed, listing
from dragoman.usage.price import Prices


@click.command(short_help="List the models whose prices are known.")
@config_option
@click.option("--provider", help="Only this provider's.")
@click.option("--configured", is_flag=True, help="Only models of providers that are configured.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, one array.")
def models(config_path: Path | None, provider: str | None, configured: bool, as_json: bool) -> None:  # noqa: FBT001
    """List the models whose prices are known, and those that the configuration names.

    The name is what a client asks for once the provider is configured. Others can be asked for too; what they cost is
    then not known, unless the configuration says so.

    \b
      dragoman models --provider anthropic
      dragoman models --configured --json
    """
    from dragoman.settings import find_config, load_settings

    with config_faults():
        config = load_settings(find_config(config_path), os.environ)
    chosen = [
        one
        for one in listing(config, Prices())
        if (one.configured or not configured) and provider in (None, one.provider)
    ]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(chosen)).decode())
        return
    for line in table(chosen):
        click.echo(line)


def table(listed: Iterable[Listed]) -> Iterator[str]:
    """The list for people: aligned, a * beside what is configured."""
    chosen = list(listed)
    width = max((len(one.name) for one in chosen), default=5)
    yield f"  {'model':<{width}} {'context':>10} {'input':>10} {'cached':>10} {'output':>10}   $ a million tokens"
    for one in chosen:
        mark = "*" if one.configured else " "
        context = "" if one.context_window is None else f"{one.context_window:,}"
        costs = (one.input_usd_mtok, one.cached_input_usd_mtok, one.output_usd_mtok)
        money = " ".join(f"{'unpriced' if cost is None else f'{cost:,.4g}':>10}" for cost in costs)
        yield f"{mark} {one.name:<{width}} {context:>10} {money}"
    yield f"{len(chosen)} models" + (", * configured" if any(one.configured for one in chosen) else "")
