"""Doing something in a transaction, when the database may undo it or be gone before it says what it did.

PostgreSQL ends a deadlock, and a conflict of serializable transactions, by undoing one of them: that is done again, a
few times. And where the connection is lost after COMMIT was sent, nobody knows whether it was carried out: to say it
again may be to write it twice, not to say it again may be to lose it. PostgreSQL is asked by the transaction's number;
where it cannot be, since it is gone or another has taken over, whoever called is told that it is uncertain.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from random import uniform
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from dragoman.errors import Uncertain

T = TypeVar("T")
# How often something is done again that was undone in favour of another.
AGAIN = 3
LONGEST_PAUSE_S = 0.02
# serialization_failure, deadlock_detected
UNDONE = frozenset({"40001", "40P01"})
# A server may take a while to see that its client is gone.
ASKED_FOR_S = 1.0
ASKED_EVERY_S = 0.02


def in_transaction(engine: Engine, work: Callable[[Connection], T], *, timeout_ms: int | None = None) -> T:
    """Do something, and commit it.

    :param work: may be called again, in another transaction.
    :param timeout_ms: PostgreSQL gives up a statement that takes longer.

    Raises:
        SQLAlchemyError: nothing is written.
        Uncertain: nobody knows.
    """
    for _ in range(AGAIN):
        try:
            return _once(engine, work, timeout_ms)
        except DBAPIError as error:
            if _state(error) not in UNDONE:
                raise
        time.sleep(uniform(0, LONGEST_PAUSE_S))  # noqa: S311 - jitter
    return _once(engine, work, timeout_ms)


def _once(engine: Engine, work: Callable[[Connection], T], timeout_ms: int | None) -> T:
    with engine.connect() as connection:
        number = _begin(connection, timeout_ms)
        found = work(connection)
        try:
            connection.commit()
        except SQLAlchemyError as error:
            was_committed = None if number is None else _was_committed(engine, number, error)
            if was_committed is None:
                raise Uncertain("the connection was lost while something was being committed") from error
            if not was_committed:
                raise
        return found


def _begin(connection: Connection, timeout_ms: int | None) -> int | None:
    """The transaction's number, where it has one."""
    if connection.dialect.name != "postgresql":
        return None
    limited = "" if timeout_ms is None else f"set_config('statement_timeout', '{int(timeout_ms)}', true), "
    return int(connection.exec_driver_sql(f"SELECT {limited}txid_current()").all()[0][-1])


def _was_committed(engine: Engine, number: int, error: SQLAlchemyError) -> bool | None:
    """What has become of a transaction; ``None``: that cannot be found out now."""
    if isinstance(error, DBAPIError) and _state(error) in UNDONE:
        return False
    until_s = time.monotonic() + ASKED_FOR_S
    status = "in progress"
    while status == "in progress" and time.monotonic() < until_s:
        try:
            with engine.connect() as connection:
                status = connection.exec_driver_sql("SELECT txid_status(%s)", (number,)).scalar_one()
        except SQLAlchemyError:
            return None
        if status == "in progress":
            time.sleep(ASKED_EVERY_S)
    return {"committed": True, "aborted": False}.get(status)


def _state(error: DBAPIError) -> str:
    """PostgreSQL's code of an error; empty: it has none."""
    return getattr(error.orig, "sqlstate", None) or ""
