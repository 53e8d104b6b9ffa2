"""A number that counts up with every change of a table, so that servers know when to read it again."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, select

from dragoman.store.meta import read_meta, write_meta
from dragoman.store.tables import meta

_SUFFIX = "_generation"


def count_up(connection: Connection, name: str) -> None:
    """There has been a change; in the connection's transaction."""
    write_meta(connection, name, str(int(read_meta(connection, name) or 0) + 1))


def generations(engine: Engine) -> dict[str, str]:
    """All of these numbers, by their names."""
    query = select(meta.c.name, meta.c.value).where(meta.c.name.endswith(_SUFFIX, autoescape=True))
    with engine.connect() as connection:
        return {row.name: row.value for row in connection.execute(query)}
