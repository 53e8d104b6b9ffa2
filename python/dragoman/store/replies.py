"""Answers that are kept for whoever asks the same again with the same ``Idempotency-Key``.

They are sealed: the answer to the making of a key holds its secret, and others what somebody asked a model.
"""

from __future__ import annotations

from hashlib import sha256

from msgspec import Struct
from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from dragoman.core import Sealer
from dragoman.errors import StoreError
from dragoman.store.tables import replies

KEPT_MS = 86_400_000
# An answer that has not come by then will not: whoever was to give it has died.
UNDERWAY_MS = 60_000
UNDERWAY = 0
# How the ids of answers begin that a model gave.
GENERATED = "once:"


class Reply(Struct, frozen=True):
    """What was answered, and to what."""

    request: str
    status: int  # UNDERWAY: nothing was yet
    body: bytes


class Replies:
    """Answers by who asked, and the key that they chose."""

    def __init__(self, engine: Engine, pepper: bytes) -> None:
        self._engine = engine
        self._sealer = Sealer(sha256(b"dragoman replies\0" + pepper).digest())

    def begin(self, reply_id: str, request: str, *, now_ms: int, underway_ms: int = UNDERWAY_MS) -> Reply | None:
        """Take a key for a request; what it was taken for before, if it was.

        :param underway_ms: how long it may take; then the key is free again.

        Raises:
            StoreError: the database does not take it.
        """
        row = {"id": reply_id, "request": request, "status": UNDERWAY, "body": b""}
        try:
            with self._engine.begin() as connection:
                connection.execute(delete(replies).where(replies.c.expires_at_ms <= now_ms))
            with self._engine.begin() as connection:
                connection.execute(insert(replies).values(row | {"expires_at_ms": now_ms + underway_ms}))
        except IntegrityError:
            return self._find(reply_id)
        except DBAPIError as error:
            raise StoreError(f"the idempotency key cannot be stored: {error.orig}") from error
        return None

    def _find(self, reply_id: str) -> Reply | None:
        query = select(replies.c.request, replies.c.status, replies.c.body).where(replies.c.id == reply_id)
        try:
            with self._engine.connect() as connection:
                row = connection.execute(query).one_or_none()
        except SQLAlchemyError as error:
            raise StoreError("the idempotency key cannot be read") from error
        if row is None:
            return Reply("", UNDERWAY, b"")
        body = self._sealer.open(bytes(row.body), reply_id.encode()) if row.status != UNDERWAY else b""
        return Reply(row.request, row.status, body or b"")

    def end(self, reply_id: str, status: int, body: bytes, *, now_ms: int, kept_ms: int = KEPT_MS) -> None:
        """Keep an answer. Raises ``StoreError``."""
        sealed = self._sealer.seal(body, reply_id.encode())
        change = {"status": status, "body": sealed, "expires_at_ms": now_ms + kept_ms}
        self._execute(update(replies).where(replies.c.id == reply_id).values(change))

    def forget(self, reply_id: str) -> None:
        """Nothing was done: the key is free again. Raises ``StoreError``."""
        self._execute(delete(replies).where(replies.c.id == reply_id))

    def _execute(self, statement: object) -> None:
        try:
            with self._engine.begin() as connection:
                connection.execute(statement)  # type: ignore[call-overload]
        except SQLAlchemyError as error:
            raise StoreError("the idempotency key cannot be written") from error


def forget_generated(connection: Connection) -> None:
    """Keep no more of the answers that a model gave than that there was one."""
    generated = replies.c.id.startswith(GENERATED, autoescape=True)
    connection.execute(update(replies).where(generated).values(body=b""))
