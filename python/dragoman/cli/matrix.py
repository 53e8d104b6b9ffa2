"""``dragoman matrix``."""

from __future__ import annotations

from collections.abc import Mapping

import click
import msgspec

from dragoman.cli.columns import align

MARKS = {"yes": "yes", "nearly": "~", "no": "-"}


@click.command(short_help="Say what of a request each dialect can carry.")
@click.option("--json", "as_json", is_flag=True, help="As JSON: features, dialects, and yes, nearly or no.")
@click.option("--markdown", is_flag=True, help="As a table in Markdown.")
def matrix(as_json: bool, markdown: bool) -> None:  # noqa: FBT001
    """Say what of a request each dialect can carry: yes, nearly (~), or not (-).

    What a client asks for reaches a provider where both their dialects have a word for it. The table is made by writing
    requests, as the gateway does; what one of yours would lose on its way says POST /v1/explain, and the header
    x-dragoman-lossy of its answer.

    \b
      dragoman matrix
      dragoman matrix --json
    """
    from dragoman.dialects.matrix import matrix as found_out

    found = found_out()
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
        return
    click.echo(in_markdown(found) if markdown else _in_columns(found))


def _header(found: Mapping[str, Mapping[str, str]]) -> list[str]:
    return ["", *next(iter(found.values()))]


def _rows(found: Mapping[str, Mapping[str, str]]) -> list[list[str]]:
    return [[feature, *(MARKS[told] for told in row.values())] for feature, row in found.items()]


def _in_columns(found: Mapping[str, Mapping[str, str]]) -> str:
    return align(_header(found), _rows(found))


def in_markdown(found: Mapping[str, Mapping[str, str]]) -> str:
    """The table for a document."""
    header = _header(found)
    lines = [header, ["---"] * len(header), *_rows(found)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
