"""What the commands share that read or write the database beside a running server: where it is, and opening it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import click
from msgspec import Struct

from dragoman.cli.settings import config_faults, config_option
from dragoman.config.schema import Config
from dragoman.config.schema import Store as Settings
from dragoman.config.sharing import Redis
from dragoman.errors import StoreError

if TYPE_CHECKING:
    from dragoman.store.engine import Store

TELL_WITHIN_S = 1.0
_Command = TypeVar("_Command", bound=Callable[..., object])


class Place(Struct, frozen=True):
    """What the command line says of the database's place."""

    config_path: Path | None
    data_dir: str | None
    store_url: str | None


def place_options(command: _Command) -> _Command:
    """``--config``, ``--data-dir`` and ``--store-url``."""
    command = click.option(
        "--store-url",
        metavar="URL",
        help="The database, such as sqlite:////var/lib/dragoman.db. The configuration is then not read.",
    )(command)
    command = click.option(
        "--data-dir",
        metavar="DIR",
        help="The directory of the database and the pepper. The configuration is then not read.",
    )(command)
    return config_option(command)


class Visit(NamedTuple):
    """The open database, and the configuration that names it (the defaults when none was read)."""

    store: Store
    config: Config


@contextmanager
def visit(place: Place) -> Iterator[Visit]:
    """Open the database for a while. What is wrong with it, or with the configuration, ends the command."""
    from dragoman.store.engine import open_store
    from dragoman.store.generation import generations

    with config_faults():
        try:
            config = config_of(place)
            store = open_store(config.store, os.environ, role="visitor")
            try:
                before = generations(store.engine) if config.redis is not None else {}
                yield Visit(store, config)
                if config.redis is not None and generations(store.engine) != before:
                    _tell(config.redis)
            finally:
                store.close()
        except StoreError as error:
            raise click.ClickException(str(error)) from error


def _tell(settings: Redis) -> None:
    """Have servers look at once; where Redis does not answer they find it by themselves, within seconds."""
    from dragoman import core
    from dragoman.server.news import tell_of_change

    redis = core.Redis(settings.url, prefix=settings.prefix, timeout_s=settings.timeout_s)
    if redis.ready(TELL_WITHIN_S):
        tell_of_change(redis)


def settings_of(place: Place) -> Settings:
    """Where the database is. Raises ``ConfigError``."""
    return config_of(place).store


def config_of(place: Place) -> Config:
    """The configuration that names the database. Raises ``ConfigError``."""
    if place.data_dir or place.store_url:
        return Config(store=Settings(data_dir=place.data_dir or "", url=place.store_url or ""))
    from dragoman.config.load import load_config
    from dragoman.settings import find_config

    return load_config(find_config(place.config_path), os.environ)
