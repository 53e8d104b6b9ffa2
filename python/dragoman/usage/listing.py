"""Every model that is known, with what it costs, how much it reads and what it can do."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from dragoman.config.schema import Config
from dragoman.providers.abilities import abilities_of
from dragoman.providers.catalogue import Row, rows
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
    max_output: int | None = None
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    tools: bool | None = None  # None, as in the next: not known
    reasoning: bool | None = None

    def named(self, name: str) -> Listed:
        """The same under another name."""
        return msgspec.structs.replace(self, name=name)


def listing(config: Config, prices: Prices) -> Iterator[Listed]:
    """Every deployment, then every model of the price catalogue under each provider that serves it."""
    for name, deployment in config.deployments.items():
        provider = config.providers.get(deployment.provider)
        row = rows().get(provider.kind) if provider else None
        rates = prices.resolve(row.prices if row else "", deployment.model, deployment.price)
        one = _listed(name, deployment.provider, deployment.model, rates, configured=True)
        yield one if row is None else _able(one, row)
    served = _served_by(config)
    for known in prices.models():
        for provider_name, is_configured in served.get(known.provider, ((known.provider, False),)):
            name = f"{provider_name}/{known.model}"
            one = _listed(name, provider_name, known.model, known.rates, configured=is_configured)
            one = msgspec.structs.replace(one, context_window=known.context_window)
            row = rows().get(config.providers[provider_name].kind if is_configured else provider_name)
            yield one if row is None else _able(one, row)


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


def _able(one: Listed, row: Row) -> Listed:
    """The line, with what the model can do."""
    able = abilities_of(row, one.model)
    if able is None:
        return one
    return msgspec.structs.replace(
        one,
        context_window=one.context_window or able.context,
        max_output=able.max_output,
        reads=able.reads,
        writes=able.writes,
        tools=able.tools,
        reasoning=able.reasoning,
    )


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
