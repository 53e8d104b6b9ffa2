"""Responses that clients asked to be stored: what came before each, and the answer as the client got it.

A response is known from memory as soon as it is put, and written by one thread of its own, so that a request never
waits for the database. What waits to be written is bounded; beyond that a response is not kept, and counted.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from dragoman.errors import StoreError
from dragoman.store.tables import responses

DAY_MS = 86_400_000
PURGE_EVERY_S = 3600.0
RECENT = 512
RECENT_BYTES = 32 * 1024 * 1024
MOST_WAITING = 1024
_log = logging.getLogger("dragoman.store")
_decode, _encode = msgspec.json.decode, msgspec.json.encode


class Kept(Struct, frozen=True):
    """One response."""

    id: str
    tenant: str
    created_at_ms: int
    input: bytes  # JSON list of items: all that came before the answer
    response: bytes  # JSON

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
        self.lost = 0
        self._engine = engine
        self._retention_ms = retention_days * DAY_MS
        self._wall_s = wall_s
        self._recent: OrderedDict[tuple[str, str], Kept] = OrderedDict()
        self._recent_bytes = 0
        self._waiting = 0
        self._purge_due_s = wall_s() + PURGE_EVERY_S
        self._thread = ThreadPoolExecutor(1, "responses")

    @property
    def keeps_any(self) -> bool:
        """Whether the configuration wants responses kept."""
        return self._retention_ms > 0

    def put(self, tenant: str, items: list[dict[str, Any]], response: dict[str, Any]) -> None:
        """Keep a response. Never blocks, never raises."""
        now_ms = int(self._wall_s() * 1000)
        kept = Kept(str(response.get("id", "")), tenant, now_ms, _encode(items), _encode(response))
        if not kept.id or len(kept.id) > 64 or not self.keeps_any:
            return
        self._remember(kept)
        if self._waiting >= MOST_WAITING:
            self.lost += 1
            return
        self._waiting += 1
        self._thread.submit(self._write, kept)

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
        return Kept(row["id"], row["tenant"], row["created_at_ms"], bytes(row["input"]), bytes(row["response"]))

    def delete(self, tenant: str, response_id: str) -> bool:
        """Forget a response. Says whether there was one.

        Raises:
            StoreError: the database cannot be written.
        """
        if self.find(tenant, response_id) is None:
            return False
        known = self._recent.pop((tenant, response_id), None)
        self._recent_bytes -= known.size if known is not None else 0
        self._thread.submit(self._forget, tenant, response_id).result()
        return True

    def close(self) -> None:
        """Write what waits."""
        self._thread.shutdown()

    def _remember(self, kept: Kept) -> None:
        self._recent[kept.tenant, kept.id] = kept
        self._recent_bytes += kept.size
        while len(self._recent) > 1 and (len(self._recent) > RECENT or self._recent_bytes > RECENT_BYTES):
            _, oldest = self._recent.popitem(last=False)
            self._recent_bytes -= oldest.size

    def _write(self, kept: Kept) -> None:
        self._waiting -= 1
        row = msgspec.structs.asdict(kept) | {"expires_at_ms": kept.created_at_ms + self._retention_ms}
        try:
            with self._engine.begin() as connection:
                connection.execute(delete(responses).where(responses.c.id == kept.id))
                connection.execute(insert(responses).values(row))
                if self._wall_s() > self._purge_due_s:
                    self._purge_due_s = self._wall_s() + PURGE_EVERY_S
                    connection.execute(delete(responses).where(responses.c.expires_at_ms < self._wall_s() * 1000))
        except SQLAlchemyError:
            self.lost += 1
            _log.warning("a response could not be stored; it is known until the server stops")

    def _forget(self, tenant: str, response_id: str) -> None:
        wanted = (responses.c.id == response_id) & (responses.c.tenant == tenant)
        try:
            with self._engine.begin() as connection:
                connection.execute(delete(responses).where(wanted))
        except SQLAlchemyError as error:
            raise StoreError("stored responses cannot be written") from error
