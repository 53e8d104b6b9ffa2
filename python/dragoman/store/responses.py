"""Responses that clients asked to be stored: what came before each, and the answer as the client got it.

A response is known from memory as soon as it is put, and written behind.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from dragoman.errors import StoreError
from dragoman.store.behind import Recent, WriteBehind
from dragoman.store.tables import responses

DAY_MS = 86_400_000
PURGE_EVERY_S = 3600.0
RECENT = 512
RECENT_BYTES = 32 * 1024 * 1024
_decode, _encode = msgspec.json.decode, msgspec.json.encode


class Kept(Struct, frozen=True):
    """One response."""

    id: str
    tenant: str
    created_at_ms: int
    input: bytes  # JSON list of items: all that came before the answer
    response: bytes  # JSON
    end_user: str = ""

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return len(self.input) + len(self.response)

    def items(self) -> list[dict[str, Any]]:
        """Everything that the next request goes on from: what came before, and what was answered."""
        answered: dict[str, Any] = _decode(self.response)
        return [*_decode(self.input), *answered.get("output", [])]


class Responses:
    """All that are kept."""

    def __init__(self, engine: Engine, retention_days: int, *, wall_s: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._retention_ms = retention_days * DAY_MS
        self._wall_s = wall_s
        self._recent: Recent[Kept] = Recent(RECENT, RECENT_BYTES)
        self._behind = WriteBehind("responses")
        self._purge_due_s = wall_s() + PURGE_EVERY_S

    @property
    def keeps_any(self) -> bool:
        """Whether the configuration wants responses kept."""
        return self._retention_ms > 0

    def put(self, tenant: str, items: list[dict[str, Any]], response: dict[str, Any], end_user: str = "") -> None:
        """Keep a response. Never blocks, never raises."""
        now_ms = int(self._wall_s() * 1000)
        kept = Kept(str(response.get("id", "")), tenant, now_ms, _encode(items), _encode(response), end_user)
        if not kept.id or len(kept.id) > 64 or not self.keeps_any:
            return
        self._recent.put((tenant, kept.id), kept, kept.size)
        self._behind.submit(lambda: self._write(kept))

    def find(self, tenant: str, response_id: str) -> Kept | None:
        """A response of that tenant's.

        Raises:
            StoreError: the database cannot be read.
        """
        kept = self._recent.get((tenant, response_id))
        if kept is not None:
            return kept
        wanted = (responses.c.id == response_id) & (responses.c.tenant == tenant)
        query = select(responses).where(wanted & (responses.c.expires_at_ms > self._wall_s() * 1000))
        try:
            with self._engine.connect() as connection:
                row = connection.execute(query).mappings().one_or_none()
        except SQLAlchemyError as error:
            raise StoreError("stored responses cannot be read") from error
        if row is None:
            return None
        content = bytes(row["input"]), bytes(row["response"])
        return Kept(row["id"], row["tenant"], row["created_at_ms"], *content, row["end_user"])

    def delete(self, tenant: str, response_id: str) -> bool:
        """Forget a response. Says whether there was one.

        Raises:
            StoreError: the database cannot be written.
        """
        if self.find(tenant, response_id) is None:
            return False
        self._recent.pop((tenant, response_id))
        self._behind.wait_for(lambda: self._forget(tenant, response_id))
        return True

    def forget_recent(self) -> None:
        """Know nothing but what is in the database: somebody was erased there."""
        self._behind.wait_for(lambda: None)
        self._recent.clear()

    def close(self) -> None:
        """Write what waits."""
        self._behind.close()

    def _write(self, kept: Kept) -> None:
        row = msgspec.structs.asdict(kept) | {"expires_at_ms": kept.created_at_ms + self._retention_ms}
        with self._engine.begin() as connection:
            connection.execute(delete(responses).where(responses.c.id == kept.id))
            connection.execute(insert(responses).values(row))
            if self._wall_s() > self._purge_due_s:
                self._purge_due_s = self._wall_s() + PURGE_EVERY_S
                connection.execute(delete(responses).where(responses.c.expires_at_ms < self._wall_s() * 1000))

    def _forget(self, tenant: str, response_id: str) -> None:
        wanted = (responses.c.id == response_id) & (responses.c.tenant == tenant)
        try:
            with self._engine.begin() as connection:
                connection.execute(delete(responses).where(wanted))
        except SQLAlchemyError as error:
            raise StoreError("stored responses cannot be written") from error
