"""``dragoman db``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dragoman.cli.database import Place, place_options, settings_of, visit
from dragoman.cli.settings import config_faults
from dragoman.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy import Engine


@click.group(no_args_is_help=True, short_help="Migrate, copy and back up the database.")
def db() -> None:
    """Migrate, copy and back up the database.

    \b
      dragoman db migrate --check
      dragoman db backup /backups/dragoman.db
      dragoman db copy sqlite:////var/lib/dragoman/dragoman.db postgresql+psycopg://dragoman@db/dragoman
    """


@db.command()
@click.option("--check", is_flag=True, help="Change nothing; status 1 where there is something to migrate.")
@place_options
def migrate(config_path: Path | None, data_dir: str | None, store_url: str | None, *, check: bool) -> None:
    """Bring the database to this version's revision. A server does so itself when it starts.

    Revisions only add, so that servers of the version before go on beside it while they are replaced one by one.
    """
    from dragoman.store.tables import REVISION
    from dragoman.store.transfer import revision_of

    place = Place(config_path, data_dir, store_url)
    if not check:
        with visit(place) as visited:
            click.echo(f"the database is at revision {revision_of(visited.store.engine)}")
        return
    with config_faults():
        try:
            found = _revision(place)
        except StoreError as error:
            raise click.ClickException(str(error)) from error
    if found == REVISION:
        click.echo(f"the database is at revision {found}, as this version wants it")
        return
    click.echo(f"the database is {f'at revision {found}' if found else 'empty'}; this version wants {REVISION}")
    raise click.exceptions.Exit(1)


def _revision(place: Place) -> str | None:
    from dragoman.store.engine import engine_of
    from dragoman.store.transfer import revision_of

    engine = engine_of(settings_of(place), os.environ)
    if engine is None:
        return None
    try:
        return revision_of(engine)
    finally:
        engine.dispose()


@db.command()
@click.argument("file", type=click.Path(path_type=Path))
@place_options
def backup(file: Path, config_path: Path | None, data_dir: str | None, store_url: str | None) -> None:
    """Write a copy of the SQLite database to FILE, as it is at one moment, beside a running server.

    The keys that seal kept content (subjects.db), and the pepper, are not in it: keep those apart, so that what was
    erased stays erased in a backup.
    """
    from dragoman.store.transfer import back_up

    with visit(Place(config_path, data_dir, store_url)) as visited:
        back_up(visited.store.engine, file.absolute())
    click.echo(f"{file} is written")


@db.command(name="copy")
@click.argument("source")
@click.argument("target")
def copy_(source: str, target: str) -> None:
    """Copy the database at the URL SOURCE into the empty one at TARGET, such as SQLite's into PostgreSQL.

    Stop the server first. What lies beside the database (the pepper, the audit log, the subjects' keys) is in the data
    directory: keep that, and change store.url.
    """
    from dragoman.store.transfer import copy_database

    engines: list[Engine] = []
    try:
        engines = [_whole_engine(source, is_source=True), _whole_engine(target, is_source=False)]
        copied = copy_database(engines[0], engines[1], _tell)
    except StoreError as error:
        raise click.ClickException(str(error)) from error
    finally:
        for engine in engines:
            engine.dispose()
    for name, rows in copied.items():
        if rows:
            click.echo(f"{name:16} {rows:>12,}")
    click.echo(f"{sum(copied.values()):,} rows are copied")


def _whole_engine(url: str, *, is_source: bool) -> Engine:
    from dragoman.config.schema import Store as Settings
    from dragoman.store.engine import engine_of

    engine = engine_of(Settings(url=url), os.environ, make=not is_source)
    if engine is None:
        raise StoreError(f"there is no database at {url}")
    return engine


def _tell(table: str, rows: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{table}: {rows:,} rows", nl=False, err=True)
