"""``dragoman guardrails``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from dragoman.cli.columns import align

if TYPE_CHECKING:
    from dragoman.guardrails.coverage import Covered

MARKS = {"covered": "yes", "hole": "HOLE", "none": "-", "refused": "refused"}


@click.group(short_help="Find out what guardrails see.")
def guardrails() -> None:
    """Find out what guardrails see.

    \b
      dragoman guardrails test
    """


@guardrails.command(short_help="Put poison into every place of every dialect, and say where it is seen.")
@click.option("--json", "as_json", is_flag=True, help="As JSON: covered, hole, none or refused.")
def test(as_json: bool) -> None:  # noqa: FBT001
    """Put poison into every place of every dialect, in requests, answers and streams, and say where it is seen.

    "yes": a word that is refused was refused there, and a value that is hidden neither left nor was lost on its way
    back. "-": the dialect has no such place. "refused": nothing passes there unseen, unless on_error: open. Below, the
    same of sessions over WebSockets, and whether prompt controls hold on every surface. The exit code is 1 where there
    is a hole.

    \b
      dragoman guardrails test
    """
    from dragoman.guardrails.coverage import OTHERS, coverage
    from dragoman.guardrails.prompts.coverage import CONTROLS, controls
    from dragoman.realtime import coverage as sessions

    found, talked, held = coverage(), sessions.coverage(), controls()
    if as_json:
        told = {"dialects": found, "others": OTHERS, "sessions": talked, "controls": held}
        click.echo(msgspec.json.format(msgspec.json.encode(told)).decode())
    else:
        click.echo(_table("", found))
        click.echo()
        click.echo(_table("sessions", talked))
        click.echo()
        click.echo(align(["beside the dialects", ""], [[name, MARKS[told]] for name, told in OTHERS.items()]))
        click.echo()
        lines = [[name, *(MARKS[told] for told in row.values())] for name, row in held.items()]
        click.echo(align(["prompt controls", *CONTROLS], lines))
    rows = [*map(dict.values, found.values()), *map(dict.values, talked.values()), *map(dict.values, held.values())]
    if any("hole" in row for row in rows):
        raise click.exceptions.Exit(1)


def _table(name: str, found: dict[str, dict[str, Covered]]) -> str:
    """Each place a line, each dialect or protocol a column."""
    places = list(next(iter(found.values())))
    return align([name, *found], [[place, *(MARKS[row[place]] for row in found.values())] for place in places])
