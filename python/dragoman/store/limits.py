"""Limits that are stored: set from the command line, in force within seconds; and what limits have counted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping

import msgspec
from msgspec import Struct
from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from dragoman.config.limiting import Limit, problems_of
from dragoman.errors import ConfigError, StoreError
from dragoman.store.generation import count_up
from dragoman.store.meta import read_meta
from dragoman.store.tables import ledger, limits

log = logging.getLogger("dragoman.store")

_GENERATION = "limits_generation"


class Figure(Struct, frozen=True, kw_only=True):
    """What a limit has counted for somebody, in one period."""

    name: str
    measure: str
    period: str
    who: str
    slot_ms: int
    ends_ms: int
    spent: int


def set_limit(engine: Engine, name: str, limit: Limit, *, now_ms: int) -> None:
    """Store a limit, in the place of any other of its name.

    Raises:
        ConfigError: it is none.
        StoreError: the database does not take it.
    """
    problems = problems_of(limit)
    if problems:
        raise ConfigError(problems)
    values = {"body": msgspec.json.encode(limit), "changed_at_ms": now_ms}
    try:
        with engine.begin() as connection:
            if not connection.execute(update(limits).where(limits.c.name == name).values(values)).rowcount:
                connection.execute(insert(limits).values(name=name, **values))
            count_up(connection, _GENERATION)
    except DBAPIError as error:
        raise StoreError(f"the limit cannot be stored: {error.orig}") from error


def remove_limit(engine: Engine, name: str) -> bool:
    """Remove a limit. False: there is none of that name."""
    try:
        with engine.begin() as connection:
            removed = connection.execute(delete(limits).where(limits.c.name == name)).rowcount
            if removed:
                count_up(connection, _GENERATION)
    except DBAPIError as error:
        raise StoreError(f"the limit cannot be removed: {error.orig}") from error
    return bool(removed)


def list_limits(engine: Engine) -> dict[str, Limit]:
    """Every stored limit, by name."""
    try:
        with engine.connect() as connection:
            rows = connection.execute(select(limits.c.name, limits.c.body).order_by(limits.c.name)).all()
    except SQLAlchemyError as error:
        raise StoreError(f"the limits cannot be read: {error}") from error
    return {name: msgspec.json.decode(bytes(body), type=Limit) for name, body in rows}


def list_figures(engine: Engine, now_ms: int) -> Iterator[Figure]:
    """What limits have counted that still counts, as far as it is written down: up to a second ago."""
    columns = [ledger.c[name] for name in Figure.__struct_fields__]
    query = select(*columns).where(ledger.c.ends_ms > now_ms).order_by(ledger.c.name, ledger.c.who, ledger.c.slot_ms)
    try:
        with engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
    except SQLAlchemyError as error:
        raise StoreError(f"the limits' figures cannot be read: {error}") from error
    return (Figure(**row) for row in rows)


class StoredLimits:
    """The limits as a server knows them: read again when they have changed."""

    def __init__(self, engine: Engine, changed: Callable[[Mapping[str, Limit]], None]) -> None:
        self._engine = engine
        self._changed = changed
        self._generation = ""
        self.refresh()

    def refresh(self) -> bool:
        """Read them again if they have changed. False: the database cannot be read, and what is known stays."""
        try:
            with self._engine.connect() as connection:
                generation = read_meta(connection, _GENERATION)
            if generation == self._generation:
                return True
            found = list_limits(self._engine)
        except (SQLAlchemyError, StoreError, msgspec.DecodeError) as error:
            log.error("stored limits cannot be read: %s", error)
            return False
        self._changed(found)
        self._generation = generation
        return True
