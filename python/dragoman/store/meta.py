"""Named values beside the tables: where something stands, which generation it is of."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from dragoman.store.tables import meta


def read_meta(connection: Connection, name: str) -> str:
    """The value; empty when there is none."""
    value = connection.execute(select(meta.c.value).where(meta.c.name == name)).scalar_one_or_none()
    return value or ""


def write_meta(connection: Connection, name: str, value: str) -> None:
    """Set the value, in the connection's transaction."""
    if not connection.execute(update(meta).where(meta.c.name == name).values(value=value)).rowcount:
        connection.execute(insert(meta).values(name=name, value=value))
