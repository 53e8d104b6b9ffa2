"""Answers what is asked of usage: from rollups as far as they tell it, from the rows as far as they do not.

The answer is the same either way, but for the time it takes; a test holds that for random rows and questions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from dragoman.errors import StoreError
from dragoman.usage.pieces import cut
from dragoman.usage.question import TIME_STEPS_S, Question, Scope, parse_moment_ms
from dragoman.usage.raw import add_rows
from dragoman.usage.rolled import add_rollups, steps_for
from dragoman.usage.sums import Group, Groups, Report, Sums

__all__ = ["Question", "Report", "Scope", "Sums", "parse_moment_ms", "report_usage"]


def report_usage(engine: Engine, question: Question) -> Report:
    """Add up. Groups by time come in its order, others the dearest first. Raises ``StoreError``."""
    groups, whole = Groups(), Sums()
    try:
        with _moment(engine) as connection:
            steps = steps_for(connection, question)
            for piece in cut(question.since_ms, question.until_ms, steps):
                add = add_rows if piece.step_s is None else add_rollups
                add(connection, question, piece, groups, whole)
    except SQLAlchemyError as error:
        raise StoreError(f"usage cannot be read: {error.orig if isinstance(error, DBAPIError) else error}") from error
    except ValueError as error:
        raise StoreError(f"usage cannot be read: a rollup is damaged: {error}") from error
    return Report(_ordered(groups.found, question.by), whole)


@contextmanager
def _moment(engine: Engine) -> Iterator[Connection]:
    """A connection to which the database stands still: rows and rollups are read in several queries."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")
        else:
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        yield connection
        connection.rollback()


def _ordered(groups: dict[tuple[str, ...], Sums], by: tuple[str, ...]) -> list[Group]:
    if by and by[0] in TIME_STEPS_S:
        order = sorted(groups)
    else:
        order = sorted(groups, key=lambda values: (-groups[values].cost_nanousd, -groups[values].requests, values))
    return [Group(values, groups[values]) for values in order]
