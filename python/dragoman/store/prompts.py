"""Templates that are stored: added from the command line, in force within seconds, and never changed once they are."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import msgspec
from msgspec import Struct
from sqlalchemy import Engine, delete, func, insert, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from dragoman.config.prompting import Prompt, Version, problems_of
from dragoman.errors import ConfigError, StoreError
from dragoman.store.generation import count_up
from dragoman.store.meta import read_meta
from dragoman.store.tables import prompts

log = logging.getLogger("dragoman.store")

_GENERATION = "prompts_generation"


class StoredPrompt(Struct, frozen=True, kw_only=True):
    """One version of one template."""

    id: str
    version: int
    body: Version
    created_at_ms: int


def add_prompt(engine: Engine, name: str, body: Version, *, now_ms: int) -> StoredPrompt:
    """Store a template's next version.

    Raises:
        ConfigError: it is none.
        StoreError: the database does not take it.
    """
    problems = problems_of(body)
    if problems:
        raise ConfigError(problems)
    try:
        with engine.begin() as connection:
            last = connection.execute(select(func.max(prompts.c.version)).where(prompts.c.id == name)).scalar()
            stored = StoredPrompt(id=name, version=(last or 0) + 1, body=body, created_at_ms=now_ms)
            values = {"id": name, "version": stored.version, "body": msgspec.json.encode(body), "created_at_ms": now_ms}
            connection.execute(insert(prompts).values(values))
            count_up(connection, _GENERATION)
    except DBAPIError as error:
        raise StoreError(f"the prompt cannot be stored: {error.orig}") from error
    return stored


def remove_prompt(engine: Engine, name: str, version: int | None = None) -> int:
    """Remove one version of a template, or all; how many these were."""
    named = (prompts.c.id == name) if version is None else (prompts.c.id == name) & (prompts.c.version == version)
    try:
        with engine.begin() as connection:
            removed = connection.execute(delete(prompts).where(named)).rowcount
            if removed:
                count_up(connection, _GENERATION)
    except DBAPIError as error:
        raise StoreError(f"the prompt cannot be removed: {error.orig}") from error
    return removed


def list_prompts(engine: Engine) -> list[StoredPrompt]:
    """Every version of every template, by name."""
    try:
        with engine.connect() as connection:
            return list(_stored(connection.execute(select(prompts).order_by(prompts.c.id, prompts.c.version))))
    except SQLAlchemyError as error:
        raise StoreError(f"the prompts cannot be read: {error}") from error


def _stored(rows: object) -> Iterator[StoredPrompt]:
    for name, version, body, created_at_ms in rows:  # type: ignore[attr-defined]
        read = msgspec.json.decode(bytes(body), type=Version)
        yield StoredPrompt(id=name, version=version, body=read, created_at_ms=created_at_ms)


class StoredPrompts:
    """The templates as a server knows them: read again when they have changed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._generation = ""
        self._known: dict[str, Prompt] = {}
        self.refresh()

    def find(self, name: str) -> Prompt | None:
        """A template, with all its versions."""
        return self._known.get(name)

    def refresh(self) -> bool:
        """Read them again if they have changed. False: the database cannot be read, and what is known stays."""
        try:
            with self._engine.connect() as connection:
                generation = read_meta(connection, _GENERATION)
            if generation == self._generation:
                return True
            found: dict[str, dict[str, Version]] = {}
            for one in list_prompts(self._engine):
                found.setdefault(one.id, {})[str(one.version)] = one.body
        except (SQLAlchemyError, StoreError, msgspec.DecodeError) as error:
            log.error("stored prompts cannot be read: %s", error)
            return False
        self._known = {name: Prompt(versions=versions) for name, versions in found.items()}
        self._generation = generation
        return True
