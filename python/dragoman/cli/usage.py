"""``dragoman usage``: what was used and what it cost."""

from __future__ import annotations

import csv
import io
import time
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

import click
import msgspec

from dragoman.cli.columns import align
from dragoman.cli.database import Place, place_options, visit

if TYPE_CHECKING:
    from dragoman.usage.report import Report, Sums

_NANO = 1_000_000_000
_SMALLEST_SHOWN = Decimal("0.000001")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@click.command(short_help="Say what was used and what it cost.")
@click.option("--by", default="", metavar="NAMES", help="What to group by, comma-separated; see below.")
@click.option("--since", default="7d", show_default=True, metavar="WHEN", help="A period (24h), a date or a time.")
@click.option("--until", default="", metavar="WHEN", help="Likewise; that moment is not included. Default: now.")
@click.option("--json", "form", flag_value="json", help="As JSON: the groups and the whole.")
@click.option("--csv", "form", flag_value="csv", help="As CSV: the groups.")
@place_options
def usage(by: str, since: str, until: str, form: str | None, **place: object) -> None:
    """Say what was used and what it cost.

    Groups: organisation, team, user, app, key, key_id, tag, end_user, alias, provider, model, deployment, credential,
    endpoint, status, error, finish_reason, day, hour. A request with several tags counts for each of them.

    \b
      dragoman usage --by team,model --since 30d
      dragoman usage --by day --since 2026-11-01 --until 2026-12-01 --csv

    Costs are sums of the requests whose price is known; those that used tokens at no known price are counted as
    unpriced. Percentiles are right to within 12 %. Days and hours are UTC.
    """
    from dragoman.usage.report import Question, report_usage

    question = Question(
        by=_dimensions(by), since_ms=_moment_ms(since, "--since"), until_ms=_moment_ms(until, "--until")
    )
    with visit(msgspec.convert(place, Place)) as (store, _):
        report = report_usage(store.engine, question)
    write = {"json": _json, "csv": _csv}.get(form or "", _table)
    click.echo(write(question.by, report).rstrip("\n"))


def csv_cell(text: str) -> str:
    """The text, with an apostrophe before what a spreadsheet would take for a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _dimensions(text: str) -> tuple[str, ...]:
    from dragoman.usage.report import DIMENSIONS

    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in DIMENSIONS:
            raise click.BadParameter(f"{name!r} is none of {', '.join(DIMENSIONS)}", param_hint="--by")
    return names


def _moment_ms(text: str, option: str) -> int | None:
    from dragoman.usage.report import parse_moment_ms

    try:
        return parse_moment_ms(text, time.time_ns() // 1_000_000) if text else None
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from error


def _json(by: tuple[str, ...], report: Report) -> str:
    groups = [{**dict(zip(by, group.values, strict=True)), **group.sums.told()} for group in report.groups]
    document = {"by": by, "groups": groups, "whole": report.whole.told()}
    return msgspec.json.format(msgspec.json.encode(document)).decode()


def _csv(by: tuple[str, ...], report: Report) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*by, *report.whole.told()))
    for group in report.groups:
        writer.writerow((*map(csv_cell, group.values), *group.sums.told().values()))
    return text.getvalue()


def _table(by: tuple[str, ...], report: Report) -> str:
    header = (*by, "requests", "errors", "input", "cached", "output", "cost", "unpriced", "mean", "p95")
    rows = [(*(value or "-" for value in group.values), *_cells(group.sums)) for group in report.groups if by]
    whole = (*("whole" if number == 0 else "" for number in range(len(by))), *_cells(report.whole))
    return align(header, [*rows, whole], right=frozenset(range(len(by), len(header))))


def _cells(sums: Sums) -> tuple[str, ...]:
    return (
        f"{sums.requests:,}",
        f"{sums.errors:,}",
        f"{sums.input_tokens:,}",
        f"{sums.cached_input_tokens:,}",
        f"{sums.output_tokens:,}",
        _money(sums),
        f"{sums.unpriced:,}",
        f"{sums.mean_ms:,.0f} ms",
        f"{sums.percentile_ms(0.95):,.0f} ms",
    )


def _money(sums: Sums) -> str:
    if sums.unpriced and not sums.cost_nanousd:
        return "unknown"
    cost = Decimal(sums.cost_nanousd) / _NANO
    if 0 < cost < _SMALLEST_SHOWN:
        return f"<${_SMALLEST_SHOWN}"
    return f"${cost.quantize(_SMALLEST_SHOWN, ROUND_HALF_UP):,}"
