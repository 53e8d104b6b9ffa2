"""What models proved of their turns, kept sealed: nobody but the gateway and the tenant's own requests reads it.

A turn is known from memory as soon as it is put, and written behind. It is sealed with a key made of the pepper, which
is not in the database, for its tenant and its call, so that a row serves nobody in another's place.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from collections.abc import Callable

import msgspec
from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from dragoman.core import Sealer
from dragoman.dialects.recall import Turn
from dragoman.store.behind import Recent, WriteBehind
from dragoman.store.tables import continuity

HOUR_MS = 3_600_000
PURGE_EVERY_S = 3600.0
RECENT = 4096
RECENT_BYTES = 32 * 1024 * 1024
LARGEST = 1024 * 1024
# What a turn costs to remember that is not there: most have nothing proved.
ABSENT_BYTES = 256
_log = logging.getLogger("dragoman.store")


class Vault:
    """All that are kept."""

    def __init__(self, engine: Engine, pepper: bytes, hours: float, *, wall_s: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._sealer = Sealer(hmac.digest(pepper, b"continuity", "sha256"))
        self._kept_ms = int(hours * HOUR_MS)
        self._wall_s = wall_s
        self._recent: Recent[Turn | None] = Recent(RECENT, RECENT_BYTES)
        self._behind = WriteBehind("turns")
        self._purge_due_s = wall_s() + PURGE_EVERY_S

    @property
    def keeps_any(self) -> bool:
        """Whether the configuration wants turns kept."""
        return self._kept_ms > 0

    def put(self, tenant: str, turn: Turn) -> None:
        """Keep a turn. Never blocks, never raises."""
        plain = msgspec.msgpack.encode(turn)
        if len(plain) > LARGEST or not self.keeps_any:
            return
        digest = _digest(turn.first_call)
        self._recent.put((tenant, digest), turn, len(plain))
        self._behind.submit(lambda: self._write(tenant, digest, plain))

    def find(self, tenant: str, first_call: str) -> Turn | None:
        """A turn of that tenant's; ``None`` where there is none, or the database cannot be read."""
        digest = _digest(first_call)
        key = tenant, digest
        if key in self._recent:
            return self._recent.get(key)
        wanted = (continuity.c.tenant == tenant) & (continuity.c.turn == digest)
        query = select(continuity.c.blocks).where(wanted & (continuity.c.expires_at_ms > self._wall_s() * 1000))
        try:
            with self._engine.connect() as connection:
                sealed = connection.execute(query).scalar_one_or_none()
        except SQLAlchemyError:
            _log.warning("kept turns cannot be read")
            return None
        turn = None if sealed is None else self._opened(key, bytes(sealed))
        self._recent.put(key, turn, ABSENT_BYTES if sealed is None else len(sealed))
        return turn

    def close(self) -> None:
        """Write what waits."""
        self._behind.close()

    def _opened(self, key: tuple[str, str], sealed: bytes) -> Turn | None:
        plain = self._sealer.open(sealed, _about(key))
        try:
            return None if plain is None else msgspec.msgpack.decode(plain, type=Turn)
        except msgspec.DecodeError:
            return None  # of a version that kept something else

    def _write(self, tenant: str, digest: str, plain: bytes) -> None:
        now_ms = int(self._wall_s() * 1000)
        sealed = self._sealer.seal(plain, _about((tenant, digest)))
        row = {"tenant": tenant, "turn": digest, "expires_at_ms": now_ms + self._kept_ms, "blocks": sealed}
        with self._engine.begin() as connection:
            same = (continuity.c.tenant == tenant) & (continuity.c.turn == digest)
            connection.execute(delete(continuity).where(same))
            connection.execute(insert(continuity).values(row))
            if self._wall_s() > self._purge_due_s:
                self._purge_due_s = self._wall_s() + PURGE_EVERY_S
                connection.execute(delete(continuity).where(continuity.c.expires_at_ms < now_ms))


def _digest(first_call: str) -> str:
    return hashlib.sha256(first_call.encode("utf-8", "surrogatepass")).hexdigest()


def _about(key: tuple[str, str]) -> bytes:
    return "\0".join(key).encode("utf-8", "surrogatepass")
