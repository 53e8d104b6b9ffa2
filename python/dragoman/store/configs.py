"""Sections of the configuration in the database: all versions are kept, the newest counts, any can be put back."""

from __future__ import annotations

import logging
from collections.abc import Callable

from msgspec import Struct
from sqlalchemy import Engine, func, insert, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from dragoman.errors import NameTaken, StoreError
from dragoman.store.tables import configs

log = logging.getLogger("dragoman.store")


class ConfigVersion(Struct, frozen=True, kw_only=True):
    """One version: YAML, and who stored it why."""

    version: int
    author: str
    note: str
    created_at_ms: int
    body: str


def add_config(engine: Engine, body: str, *, author: str, note: str, now_ms: int) -> ConfigVersion:
    """Store the next version. Empty, the file's sections count alone.

    Raises:
        NameTaken: another was stored at the same moment.
        StoreError: the database does not take it.
    """
    try:
        with engine.begin() as connection:
            last = connection.execute(select(func.max(configs.c.version))).scalar() or 0
            stored = ConfigVersion(version=last + 1, author=author, note=note, created_at_ms=now_ms, body=body)
            values = {name: getattr(stored, name) for name in stored.__struct_fields__} | {"body": body.encode()}
            connection.execute(insert(configs).values(values))
    except IntegrityError as error:
        raise NameTaken("another configuration was stored at the same moment; look at it, and try again") from error
    except SQLAlchemyError as error:
        raise StoreError(f"the configuration cannot be stored: {getattr(error, 'orig', None) or error}") from error
    return stored


def list_configs(engine: Engine, *, before: int | None = None, limit: int = 100) -> list[ConfigVersion]:
    """Versions, the newest first. Raises ``StoreError``."""
    query = select(configs).order_by(configs.c.version.desc()).limit(limit)
    if before is not None:
        query = query.where(configs.c.version < before)
    try:
        with engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
    except SQLAlchemyError as error:
        raise StoreError("stored configurations cannot be read") from error
    return [ConfigVersion(**dict(row) | {"body": bytes(row["body"]).decode()}) for row in rows]


def find_config_version(engine: Engine, version: int) -> ConfigVersion | None:
    """One version, or ``None``. Raises ``StoreError``."""
    found = list_configs(engine, before=version + 1, limit=1)
    return found[0] if found and found[0].version == version else None


class StoredConfig:
    """What a server goes by: read again when there is a newer version."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.version = 0
        self.text = ""
        self.changed: Callable[[], object] = lambda: None
        self.refresh()

    def refresh(self) -> bool:
        """Look for a newer version. False: the database cannot be read, and what is known stays."""
        try:
            with self._engine.connect() as connection:
                newest = connection.execute(select(func.max(configs.c.version))).scalar() or 0
            if newest == self.version:
                return True
            found = find_config_version(self._engine, newest)
        except (SQLAlchemyError, StoreError) as error:
            log.error("stored configurations cannot be read: %s", error)
            return False
        if found is not None:
            self.version, self.text = found.version, found.body
            self.changed()
        return True
