"""``dragoman config``."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from dragoman.cli.acts import actor, on_record
from dragoman.cli.columns import align
from dragoman.cli.database import Place, place_options, visit
from dragoman.cli.settings import config_faults

if TYPE_CHECKING:
    from dragoman.cli.database import Visit


@click.group(no_args_is_help=True, short_help="Store sections of the configuration, and go back to earlier ones.")
def config() -> None:
    """Store sections of the configuration in the database, in the place of the file's, and go back to earlier ones.

    Every version is kept. Running servers put the newest in force within 5 seconds, or say at /readyz why they cannot.

    \b
      dragoman config push routes.yaml --note "a second provider"
      dragoman config history
      dragoman config rollback 3
      dragoman config rollback 0        # the file's sections alone
    """


@config.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--note", default="", help="Why.")
@place_options
def push(file: Path, note: str, config_path: Path | None, data_dir: str | None, store_url: str | None) -> None:
    """Store the sections in FILE (YAML) as the next version. What cannot be used is refused."""
    try:
        body = file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{file}: is not UTF-8 text") from error
    with visit(Place(config_path, data_dir, store_url)) as visited:
        _store(visited, config_path, body, note)


@config.command()
@click.argument("version", type=click.IntRange(0))
@click.option("--note", default="", help="Why.")
@place_options
def rollback(version: int, note: str, config_path: Path | None, data_dir: str | None, store_url: str | None) -> None:
    """Store VERSION again, as the next one; 0: nothing, so that the file's sections count alone."""
    from dragoman.store.configs import find_config_version

    with visit(Place(config_path, data_dir, store_url)) as visited:
        found = find_config_version(visited.store.engine, version) if version else None
        if version and found is None:
            raise click.ClickException(f"there is no version {version}; see: dragoman config history")
        _store(visited, config_path, "" if found is None else found.body, note or f"back to version {version}")


def _store(visited: Visit, config_path: Path | None, body: str, note: str) -> None:
    from dragoman.settings import find_config, load_settings
    from dragoman.store.configs import add_config

    with config_faults():
        load_settings(find_config(config_path), os.environ, stored=body)
    on_record(visited, "config.store", note=note)
    stored = add_config(visited.store.engine, body, author=actor(), note=note, now_ms=time.time_ns() // 1_000_000)
    click.echo(f"version {stored.version} is stored")


@config.command()
@click.option("--version", type=click.IntRange(1), help="Another than the newest.")
@place_options
def show(version: int | None, config_path: Path | None, data_dir: str | None, store_url: str | None) -> None:
    """Print the sections that are stored."""
    from dragoman.store.configs import list_configs

    with visit(Place(config_path, data_dir, store_url)) as visited:
        found = list_configs(visited.store.engine, before=None if version is None else version + 1, limit=1)
    if not found or (version is not None and found[0].version != version):
        raise click.ClickException("there is no such version; see: dragoman config history")
    click.echo(found[0].body, nl=not found[0].body.endswith("\n"))


@config.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, with what each says.")
@place_options
def history(config_path: Path | None, data_dir: str | None, store_url: str | None, *, as_json: bool) -> None:
    """List the versions, the newest first."""
    from dragoman.store.configs import list_configs

    with visit(Place(config_path, data_dir, store_url)) as visited:
        found = list_configs(visited.store.engine)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
        return
    rows = [(str(one.version), _moment(one.created_at_ms), one.author, f"{len(one.body)}", one.note) for one in found]
    header = ("version", "stored", "by", "characters", "note")
    click.echo(align(header, rows, right=frozenset({0, 3})) if rows else "nothing is stored; the file counts alone")


def _moment(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%d %H:%MZ")
