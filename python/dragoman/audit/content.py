"""What is kept of prompts and answers: compressed, and sealed under the key of the person that they are of."""

from __future__ import annotations

import logging
import zlib
from typing import TYPE_CHECKING, Literal

from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from dragoman.errors import StoreError
from dragoman.store.behind import WriteBehind
from dragoman.store.tables import audit_content as table

if TYPE_CHECKING:
    from dragoman.audit.subjects import Subject

log = logging.getLogger("dragoman.audit")

Part = Literal["prompt", "answer"]
DAY_MS = 86_400_000
# The quickest: what is said compresses well enough.
LEVEL = 1
# Of content that is larger when it is unpacked nothing is given.
MOST_UNPACKED = 64 * 1024 * 1024


class Contents:
    """All that is kept."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._behind = WriteBehind("kept content")

    @property
    def lost(self) -> int:
        """How much could not be written."""
        return self._behind.lost

    def keep(self, subject: Subject, request_id: str, part: Part, content: bytes, *, at_ms: int, days: int) -> None:
        """Keep a prompt or an answer. Never waits, never raises."""
        self._behind.submit(lambda: self._write(subject, request_id, part, content, at_ms, days))

    def _write(self, subject: Subject, request_id: str, part: Part, content: bytes, at_ms: int, days: int) -> None:
        sealed = subject.sealer.seal(zlib.compress(content, LEVEL), _about(request_id, part))
        row = {"request_id": request_id, "part": part, "tenant": subject.tenant, "subject": subject.pseudonym}
        with self._engine.begin() as connection:
            connection.execute(
                insert(table).values(at_ms=at_ms, expires_at_ms=at_ms + days * DAY_MS, body=sealed, **row)
            )

    def find(self, subject: Subject, request_id: str, part: Part) -> bytes | None:
        """What was kept; ``None``: nothing, or it is not this person's.

        Raises:
            StoreError: it cannot be read.
        """
        query = select(table.c.body).where(table.c.request_id == request_id, table.c.part == part)
        try:
            with self._engine.connect() as connection:
                sealed = connection.execute(query).scalar_one_or_none()
        except SQLAlchemyError as error:
            raise StoreError("kept content cannot be read") from error
        packed = None if sealed is None else subject.sealer.open(bytes(sealed), _about(request_id, part))
        return None if packed is None else zlib.decompressobj().decompress(packed, MOST_UNPACKED)

    def erase(self, tenant: str, pseudonym: str) -> int:
        """Delete what is kept of a person; how much that was.

        Raises:
            StoreError: it cannot be deleted.
        """
        return self._delete(delete(table).where(table.c.tenant == tenant, table.c.subject == pseudonym))

    def expire(self, now_ms: int, held: set[tuple[str, str]]) -> int:
        """Delete what is over; how much that was.

        :param held: tenants and pseudonyms that a legal hold is on; an empty pseudonym: the whole tenant.
        """
        over = delete(table).where(table.c.expires_at_ms < now_ms)
        for tenant, pseudonym in held:
            of = table.c.tenant == tenant
            over = over.where(~(of & (table.c.subject == pseudonym)) if pseudonym else ~of)
        return self._delete(over)

    def _delete(self, statement: object) -> int:
        try:
            with self._engine.begin() as connection:
                if connection.dialect.name == "sqlite":
                    connection.exec_driver_sql("PRAGMA secure_delete = ON")
                return connection.execute(statement).rowcount  # type: ignore[call-overload,no-any-return]
        except SQLAlchemyError as error:
            raise StoreError("kept content cannot be deleted") from error

    def flush(self) -> None:
        """Wait until all that was to be kept is."""
        self._behind.wait_for(lambda: None)

    def close(self) -> None:
        """Write what waits."""
        self._behind.close()


def _about(request_id: str, part: str) -> bytes:
    return f"{request_id}\0{part}".encode()
