"""What only PostgreSQL understands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError


def copy_rows(connection: Connection, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
    """Write rows by ``COPY ... FROM STDIN``, within the transaction.

    Raises:
        DBAPIError: what it is of any other statement.
    """
    driver, cursor = connection.dialect.loaded_dbapi, connection.connection.cursor()
    try:
        with cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except driver.Error as error:
        told: Any = DBAPIError.instance(statement, None, error, driver.Error, dialect=connection.dialect)
        if connection.dialect.is_disconnect(error, connection.connection, None):
            connection.invalidate(error)
        raise told from error
    finally:
        cursor.close()
