"""``dragoman models``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import msgspec

from dragoman.cli.settings import config_faults, config_option
from dragoman.config.schema import Config
from dragoman.providers.catalogue import rows
from dragoman.usage.price import Prices, Rates

NANO = 1_000_000_000


class Listed(msgspec.Struct, frozen=True):
    """One line: what a client names, and what a million tokens cost in US dollars (None: not known)."""

    name: str
    provider: str
    model: str
    configured: bool
    context_window: int | None = None
    input_usd_mtok: float | None = None
    output_usd_mtok: float | None = None
    cached_input_usd_mtok: float | None = None


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


def listing(config: Config, prices: Prices) -> Iterator[Listed]:
    """Every deployment, then every model of the price catalogue under each provider that serves it."""
    for name, deployment in config.deployments.items():
        provider = config.providers.get(deployment.provider)
        row = rows().get(provider.kind) if provider else None
        rates = prices.resolve(row.prices if row else "", deployment.model, deployment.price)
        yield _listed(name, deployment.provider, deployment.model, rates, configured=True)
    served = _served_by(config)
    for known in prices.models():
        for provider_name, is_configured in served.get(known.provider, ((known.provider, False),)):
            name = f"{provider_name}/{known.model}"
            one = _listed(name, provider_name, known.model, known.rates, configured=is_configured)
            yield msgspec.structs.replace(one, context_window=known.context_window)


def _served_by(config: Config) -> dict[str, list[tuple[str, bool]]]:
    """The providers by the id that their prices have; a kind that is not configured stands under its own name."""
    found: dict[str, list[tuple[str, bool]]] = {}
    for name, provider in config.providers.items():
        row = rows().get(provider.kind)
        if row is not None and row.prices:
            found.setdefault(row.prices, []).append((name, True))
    for row in rows().values():
        if row.prices and row.prices not in found:
            found[row.prices] = [(row.id, False)]
    return found


def _listed(name: str, provider: str, model: str, rates: Rates | None, *, configured: bool) -> Listed:
    if rates is None:
        return Listed(name, provider, model, configured)
    rate = rates.rate
    cached = rate.input if rate.cached_input is None else rate.cached_input
    return Listed(
        name,
        provider,
        model,
        configured,
        input_usd_mtok=rate.input / NANO,
        output_usd_mtok=rate.output / NANO,
        cached_input_usd_mtok=cached / NANO,
    )


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
