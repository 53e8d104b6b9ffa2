"""A number that counts up with every change of a table, so that servers know when to read it again."""

from __future__ import annotations

from sqlalchemy import Connection

from dragoman.store.meta import read_meta, write_meta


def count_up(connection: Connection, name: str) -> None:
    """There has been a change; in the connection's transaction."""
    write_meta(connection, name, str(int(read_meta(connection, name) or 0) + 1))
