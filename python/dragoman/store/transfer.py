"""A whole database into another: row by row, in one transaction, counted at the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, Engine, Table, func, insert, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from dragoman.errors import StoreError
from dragoman.store.migrate import ensure_current, is_current
from dragoman.store.tables import metadata

ROWS_A_BATCH = 1000


def copy_database(source: Engine, target: Engine, told: Callable[[str, int], None]) -> dict[str, int]:
    """Copy every table into an empty database; how many rows each had.

    :param told: is called as rows are copied: the table, and how many of it.

    Raises:
        StoreError: the source is of another revision, the target is not empty, or a row is refused; nothing is copied.
    """
    if not is_current(source):
        raise StoreError("the source is not of this version's revision: run `dragoman db migrate` on it first")
    ensure_current(target)
    copied: dict[str, int] = {}
    try:
        with source.connect() as reading, target.begin() as writing:
            full = [table.name for table in metadata.sorted_tables if _count(writing, table)]
            if full:
                raise StoreError(f"the target is not empty: it has rows in {', '.join(full)}")
            for table in metadata.sorted_tables:
                copied[table.name] = _copy_table(reading, writing, table, told)
                _go_on_numbering(writing, table)
            for table in metadata.sorted_tables:
                found = _count(writing, table)
                if found != copied[table.name]:
                    raise StoreError(f"{table.name}: {copied[table.name]} rows were copied and {found} are there")
    except SQLAlchemyError as error:
        raise StoreError(f"the database cannot be copied: {getattr(error, 'orig', None) or error}") from error
    return copied


def _copy_table(reading: Connection, writing: Connection, table: Table, told: Callable[[str, int], None]) -> int:
    rows = reading.execution_options(yield_per=ROWS_A_BATCH).execute(select(table).order_by(*table.primary_key))
    done = 0
    for batch in rows.mappings().partitions():
        writing.execute(insert(table), [dict(row) for row in batch])
        done += len(batch)
        told(table.name, done)
    return done


def _go_on_numbering(writing: Connection, table: Table) -> None:
    """New rows are numbered after those that came with their numbers."""
    column = table.autoincrement_column
    if column is None or writing.dialect.name != "postgresql":
        return
    last = writing.execute(select(func.max(column))).scalar()
    sequence = func.pg_get_serial_sequence(f'"{table.name}"', column.name)
    if last is not None:
        writing.execute(select(func.setval(sequence, last)))


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def back_up(engine: Engine, file: Path) -> None:
    """A copy of a SQLite database as it is at one moment, while a server uses it.

    Raises:
        StoreError: the file is there already or cannot be written, or the database is another than SQLite.
    """
    if engine.dialect.name != "sqlite":
        raise StoreError("PostgreSQL is backed up by its own tools: pg_dump, or a base backup")
    if file.exists():
        raise StoreError(f"{file} is there already")
    try:
        with engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(
                text("VACUUM INTO :file"), {"file": str(file)}
            )
    except SQLAlchemyError as error:
        raise StoreError(f"{file} cannot be written: {getattr(error, 'orig', None) or error}") from error
    file.chmod(0o600)


def revision_of(engine: Engine) -> str | None:
    """The revision of a database; ``None``: it has none, as it is empty or not Dragoman's. Raises ``StoreError``."""
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
            return None if found is None else str(found)
    except SQLAlchemyError as error:
        raise StoreError(f"the database cannot be read: {getattr(error, 'orig', None) or error}") from error
