"""``dragoman usage``: what was used and what it cost, and whether the provider says the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
import msgspec

from dragoman.cli.columns import align
from dragoman.cli.database import Place, place_options, visit

if TYPE_CHECKING:
    from dragoman.usage.question import Question
    from dragoman.usage.reconcile import Drift
    from dragoman.usage.sums import Report, Sums

_NANO = 1_000_000_000
_SMALLEST_SHOWN = Decimal("0.000001")
# As ``question.FILTERS``, which costs the database's import to read; a test compares them.
FILTERS = (
    *("organisation", "team", "user", "app", "key", "key_id", "alias", "provider", "model", "tag", "end_user", "run"),
    *("deployment", "credential", "endpoint", "status", "error", "finish_reason"),
)
_Command = TypeVar("_Command", bound=Callable[..., object])


def _filters(command: _Command) -> _Command:
    for name in reversed(FILTERS):
        words = "Of this alone; may be given several times, as all the next." if name == FILTERS[0] else None
        flag = f"--{name.replace('_', '-')}"
        command = click.option(flag, name, multiple=True, metavar="NAME", help=words)(command)
    return command


@click.group(invoke_without_command=True, short_help="Say what was used and what it cost.")
@click.option("--by", default="", metavar="NAMES", help="What to group by, comma-separated; see above.")
@click.option("--since", default="7d", show_default=True, metavar="WHEN", help="A period (24h), a date or a time.")
@click.option("--until", default="", metavar="WHEN", help="Likewise; that moment is not included. Default: now.")
@_filters
@click.option("--json", "form", flag_value="json", help="As JSON: the groups and the whole.")
@click.option("--csv", "form", flag_value="csv", help="As CSV: the groups.")
@click.option("--focus", "form", flag_value="focus", help="As CSV in FOCUS's columns: costs by day, key and model.")
@place_options
@click.pass_context
def usage(context: click.Context, /, form: str | None, **options: object) -> None:
    """Say what was used and what it cost.

    Groups: organisation, team, user, app, key, key_id, tag, end_user, run, alias, provider, model, deployment,
    credential, endpoint, status, error, finish_reason, day, hour, minute. A request with several tags counts for each
    of them.

    \b
      dragoman usage --by team,model --since 30d
      dragoman usage --by day --team search --since 2026-11-01 --until 2026-12-01 --csv
      dragoman usage --focus --since 2026-11-01 --until 2026-12-01 > costs.csv
      dragoman usage reconcile openai-costs.csv --provider openai

    Costs are sums of the requests whose price is known; those that used tokens at no known price are counted as
    unpriced. Percentiles are right to within 5 %. Days and hours are UTC. Groups by deployment and the five after it,
    or by two of tag, end_user and run, read every row of the period; the others read sums that are kept.
    """
    if context.invoked_subcommand is not None:
        return
    place = Place(*(options.pop(name) for name in Place.__struct_fields__))  # type: ignore[arg-type]
    question = _question(options)
    with visit(place) as (store, _):
        if form is None:
            from dragoman.usage.report import report_usage

            text = _table(question.by, report_usage(store.engine, question))
        else:
            from dragoman.usage.forms import Form, tell_usage

            told = tell_usage(store.engine, question, msgspec.convert(form, Form)).text
            text = msgspec.json.format(told) if form == "json" else told
    click.echo(text.rstrip("\n"))


@usage.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--provider", required=True, metavar="NAME", help="Whose costs they are, as in the configuration.")
@click.option("--map", "mapped", multiple=True, metavar="FIELD=COLUMN", help="Which column holds date, model, amount.")
@click.option("--tolerance", type=click.FloatRange(0), default=1.0, show_default=True, help="Percent; see above.")
@click.option("--json", "form", flag_value="json", help="As JSON.")
@place_options
def reconcile(
    file: Path, provider: str, mapped: tuple[str, ...], tolerance: float, form: str | None, **place: object
) -> None:
    """Compare with FILE, a provider's costs as CSV, by day and model. Ends with 1 when they drift apart.

    The exports of OpenAI and Anthropic are known by their columns; any other file needs a date, a model and an amount
    in dollars, under these names or those that --map says. Names of models are compared without their dates. They drift
    apart when all differences, up or down, come to more than --tolerance of what is billed.

    \b
      dragoman usage reconcile costs.csv --provider openai
      dragoman usage reconcile bill.csv --provider groq --map date=Day --map amount="Cost (USD)" --tolerance 0.5
    """
    from dragoman.usage.bill import BadBill, read_bill
    from dragoman.usage.reconcile import compare

    try:
        bill = read_bill(file, _mapping(mapped))
    except BadBill as error:
        raise click.ClickException(f"{file}: {error}") from error
    with visit(msgspec.convert(place, Place)) as (store, _):
        drift = compare(store.engine, bill, provider)
    click.echo(msgspec.json.format(msgspec.json.encode(drift.told())).decode() if form else _drift_table(drift))
    if drift.is_above(tolerance):
        raise click.exceptions.Exit(1)


def _mapping(pairs: tuple[str, ...]) -> dict[str, str]:
    from dragoman.usage.bill import FIELDS

    found = {}
    for pair in pairs:
        name, equals, column = pair.partition("=")
        if name not in FIELDS or not equals or not column:
            raise click.BadParameter(f"{pair!r} is not FIELD=COLUMN of {', '.join(FIELDS)}", param_hint="--map")
        found[name] = column
    return found


def _question(options: dict[str, object]) -> Question:
    from dragoman.usage.question import EVERYBODY, BadQuestion, read_question

    asked = {name: (value,) if isinstance(value, str) else value for name, value in options.items()}
    try:
        return read_question(asked, EVERYBODY, time.time_ns() // 1_000_000)  # type: ignore[arg-type]
    except BadQuestion as error:
        raise click.BadParameter(str(error), param_hint=f"--{error.name.replace('_', '-')}") from error


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
        "unknown" if sums.unpriced and not sums.cost_nanousd else _money(sums.cost_nanousd),
        f"{sums.unpriced:,}",
        f"{sums.mean_ms:,.0f} ms",
        f"{sums.percentile_ms(0.95):,.0f} ms",
    )


def _drift_table(drift: Drift) -> str:
    header = ("day", "model", "billed", "recorded", "drift", "percent", "unpriced")
    rows = [
        (line.day, line.model or "-", _money(line.billed_nanousd), _money(line.recorded_nanousd),
         _money(line.drift_nanousd), line.percent_told, f"{line.unpriced:,}")
        for line in (*drift.lines, drift.whole)
    ]  # fmt: skip
    return align(header, rows, right=frozenset(range(2, len(header))))


def _money(cost_nanousd: int) -> str:
    cost = Decimal(cost_nanousd) / _NANO
    if 0 < cost < _SMALLEST_SHOWN:
        return f"<${_SMALLEST_SHOWN}"
    shown = f"${abs(cost).quantize(_SMALLEST_SHOWN, ROUND_HALF_UP):,}"
    return f"-{shown}" if cost < 0 else shown
