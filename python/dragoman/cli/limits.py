"""``dragoman limits``."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click
import msgspec

from dragoman.cli.acts import on_record
from dragoman.cli.columns import align
from dragoman.cli.database import Place, place_options, visit
from dragoman.config.guards import AppliesTo
from dragoman.config.limiting import Dimension, Limit, Per
from dragoman.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dragoman.store.limits import Figure

_NANO = 1_000_000_000


@click.group(no_args_is_help=True, short_help="Limit what may be used and spent.")
def limits() -> None:
    """Limit what may be used and spent. A running server knows it within 5 seconds.

    \b
      dragoman limits set research-budget --of team --team research --cost 100 --per month --alert-at 0.8
      dragoman limits set each-key --of key --requests 60 --tokens 100000 --per minute
      dragoman limits list
      dragoman limits remove each-key
    """


@limits.command(name="set")
@click.argument("name")
@click.option("--of", multiple=True, type=click.Choice(get_args(Dimension)), help="Each of them has as much.")
@click.option("--team", "teams", multiple=True, help="Whose use counts; may be given several times, as all such.")
@click.option("--organisation", "organisations", multiple=True)
@click.option("--key", "keys", multiple=True, help="By id or name.")
@click.option("--route", "routes", multiple=True, help="The alias that clients name.")
@click.option("--cost", "cost_usd", type=click.FloatRange(0, min_open=True), metavar="DOLLARS", help="A budget.")
@click.option("--requests", type=click.IntRange(1))
@click.option("--tokens", type=click.IntRange(1), help="Of prompts and answers.")
@click.option("--concurrent", type=click.IntRange(1), help="Requests at the same time.")
@click.option("--per", type=click.Choice(get_args(Per)), default="month", show_default=True)
@click.option("--sliding", is_flag=True, help="The last so many days, in place of the calendar's.")
@click.option("--shadow", is_flag=True, help="Tell what it would refuse, and refuse nobody.")
@click.option("--alert-at", type=click.FloatRange(0, 1, min_open=True), multiple=True, help="A share, such as 0.8.")
@place_options
def set_(name: str, config_path: Path | None, data_dir: str | None, store_url: str | None, **fields: object) -> None:
    """Set the limit NAME, in the place of any other of that name. With no --of, all share it."""
    from dragoman.config.check import is_name
    from dragoman.store.limits import set_limit

    if not is_name(name):
        raise click.UsageError("a name is 1 to 128 letters, digits and . _ : / @ + -, the first a letter or digit")
    to = msgspec.convert({field: fields.pop(field) for field in AppliesTo.__struct_fields__}, AppliesTo)
    mode = "shadow" if fields.pop("shadow") else "enforce"
    limit = msgspec.convert(fields | {"applies_to": to, "mode": mode}, Limit)
    with visit(Place(config_path, data_dir, store_url)) as visited:
        store, config = visited
        if name in config.limits:
            raise click.ClickException(f"the configuration has a limit {name!r}, which counts in its place")
        on_record(visited, "limit.set", name=name, limit=msgspec.to_builtins(limit))
        try:
            set_limit(store.engine, name, limit, now_ms=_now_ms())
        except ConfigError as error:
            raise click.UsageError("; ".join(error.problems)) from error
    click.echo(f"{name} is set: {described(limit)}")


@limits.command()
@click.argument("name")
@place_options
def remove(name: str, config_path: Path | None, data_dir: str | None, store_url: str | None) -> None:
    """Remove the stored limit NAME."""
    from dragoman.store.limits import remove_limit

    with visit(Place(config_path, data_dir, store_url)) as visited:
        on_record(visited, "limit.remove", name=name)
        if not remove_limit(visited.store.engine, name):
            raise click.ClickException(f"no limit {name!r} is stored; see: dragoman limits list")
    click.echo(f"{name} is removed")


@limits.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="As JSON, whole.")
@place_options
def list_(config_path: Path | None, data_dir: str | None, store_url: str | None, *, as_json: bool) -> None:
    """List the limits, and what those of a day and more stand at.

    What a minute or an hour has counted only the server knows: it says so in its answers' headers.
    """
    from dragoman.store.limits import list_figures, list_limits

    with visit(Place(config_path, data_dir, store_url)) as (store, config):
        found = list_limits(store.engine) | dict(config.limits)
        figures = list(list_figures(store.engine, _now_ms()))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode({"limits": found, "figures": figures})))
        return
    if not found and not figures:
        click.echo("no limits; set one with: dragoman limits set NAME")
        return
    click.echo(align(("limit", "allows"), [(name, described(limit)) for name, limit in found.items()]))
    if figures:
        header = ("limit", "of", "period", "used", "counts until")
        click.echo("\n" + align(header, list(_rows(figures)), right=frozenset({3})))


def described(limit: Limit) -> str:
    """A limit in words."""
    amounts = [
        "" if limit.cost_usd is None else f"${limit.cost_usd:g}",
        "" if limit.requests is None else f"{limit.requests} requests",
        "" if limit.tokens is None else f"{limit.tokens} tokens",
    ]
    given = ", ".join(amount for amount in amounts if amount)
    span = f" {'for good' if limit.per == 'ever' else f'a {limit.per}'}" if given else ""
    at_once = "" if limit.concurrent is None else f"{limit.concurrent} at the same time"
    told = "; ".join(part for part in (given + span, at_once) if part)
    of = f" for each {' and '.join(limit.of)}" if limit.of else " for all together"
    names = [f"{field} {', '.join(getattr(limit.applies_to, field))}" for field in AppliesTo.__struct_fields__]
    among = [name for name in names if not name.endswith(" ")]
    return told + of + (f", of {'; '.join(among)}" if among else "") + (" (shadow)" if limit.mode == "shadow" else "")


def _rows(figures: list[Figure]) -> Iterator[tuple[str, ...]]:
    from dragoman.ledger.book import shown
    from dragoman.ledger.figures import NEVER_MS

    for figure in figures:
        used = f"${figure.spent / _NANO:.6f}" if figure.measure == "cost" else f"{figure.spent} {figure.measure}"
        name = "its own" if figure.name.startswith("key:") else figure.name
        yield name, shown(figure.who) or "all", figure.period, used, _moment(figure.ends_ms, NEVER_MS)


def _moment(unix_ms: int, never_ms: int) -> str:
    if unix_ms >= never_ms:
        return "for good"
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%d %H:%MZ")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
