"""``dragoman init``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Write a commented configuration file.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
def init(file: Path | None) -> None:
    """Write a commented configuration to FILE, or to the terminal.

    Every field is there with its default and its meaning, commented out, so the file changes nothing until you do. A
    file that exists is never overwritten.

    \b
      dragoman init dragoman.yaml
      dragoman check dragoman.yaml
    """
    from dragoman.config.document import example_yaml

    if file is None:
        click.echo(example_yaml(), nl=False)
        return
    try:
        with file.open("x", encoding="utf-8") as target:
            target.write(example_yaml())
    except FileExistsError:
        raise click.ClickException(f"{file} exists; it is left as it is") from None
    except OSError as fault:
        raise click.ClickException(f"{file} cannot be written: {fault.strerror}") from None
    click.echo(f"wrote {file}; next: dragoman check {file}")
