"""Statements straight to the driver, for what is done again and again within transactions.

SQLAlchemy takes 20 us for a statement in its driver's own words, and 50 for one that is read: as long as the statement
itself. What goes wrong is told as it would tell it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError


def execute(connection: Connection, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """Carry out a statement in the transaction, which begins where there is none; the rows that it gives.

    Raises:
        DBAPIError: the database refuses it.
    """
    cursor = _cursor(connection)
    try:
        cursor.execute(statement, parameters)
        return [] if cursor.description is None else list(cursor.fetchall())
    except connection.dialect.loaded_dbapi.Error as error:
        raise _told(connection, statement, error) from error
    finally:
        cursor.close()


def copy(connection: Connection, statement: str, rows: Iterable[Sequence[object]]) -> None:
    """Give PostgreSQL the rows of a ``COPY ... FROM STDIN``, in the same way.

    Raises:
        DBAPIError: the database refuses it.
    """
    cursor = _cursor(connection)
    try:
        with cursor.copy(statement) as copying:
            for row in rows:
                copying.write_row(row)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _told(connection, statement, error) from error
    finally:
        cursor.close()


def _cursor(connection: Connection) -> Any:
    if not connection.in_transaction():
        connection.begin()
    return connection.connection.cursor()


def _told(connection: Connection, statement: str, error: Exception) -> BaseException:
    """An error as SQLAlchemy has it. A connection that is lost is not used again."""
    dialect = connection.dialect
    is_lost = dialect.is_disconnect(error, connection.connection, None)  # type: ignore[arg-type]
    if is_lost:
        connection.invalidate(error)
    base, is_hidden = dialect.loaded_dbapi.Error, connection.engine.hide_parameters
    return DBAPIError.instance(
        statement, None, error, base, hide_parameters=is_hidden, connection_invalidated=is_lost, dialect=dialect
    )
