"""What a server does about the log beside writing it: lets go of people that were erased, and of what is over."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from dragoman.audit.erase import GENERATION
from dragoman.audit.retention import retain
from dragoman.audit.trail import now_ms
from dragoman.errors import StoreError
from dragoman.store.meta import read_meta

if TYPE_CHECKING:
    from dragoman.audit.content import Contents
    from dragoman.audit.record import AuditRecord
    from dragoman.audit.subjects import Subjects
    from dragoman.audit.trail import Trail
    from dragoman.config.auditing import Audit

log = logging.getLogger("dragoman.audit")

RETAIN_EVERY_S = 3600.0


class Housekeeping:
    """Done every other second, in a thread."""

    def __init__(
        self, engine: Engine, trail: Trail, subjects: Subjects, contents: Contents, settings: Callable[[], Audit]
    ) -> None:
        self._engine = engine
        self._trail = trail
        self._subjects = subjects
        self._contents = contents
        self._settings = settings
        self._generation = self._read_generation()
        self._retain_due_s = time.monotonic() + RETAIN_EVERY_S
        self.retains = True  # of a server's processes one does
        self.on_erased: Callable[[], object] = lambda: None

    def look(self) -> None:
        """Do what there is to do. Never raises."""
        try:
            generation = self._read_generation()
            if generation != self._generation:
                self._subjects.forget_erased()
                self.on_erased()
                self._generation = generation
            if self.retains and time.monotonic() >= self._retain_due_s:
                self._retain_due_s = time.monotonic() + RETAIN_EVERY_S
                self.retain(now_ms())
        except (SQLAlchemyError, StoreError) as error:
            log.error("the audit log is not looked after: %s", error)

    def retain(self, at_ms: int) -> tuple[int, int]:
        """Let go of what is over: how many records, and how much content.

        Raises:
            StoreError: something cannot be deleted.
        """
        held = self._held()

        def is_held(record: AuditRecord) -> bool:
            tenant = record.organisation or record.team or record.key_id
            return (tenant, "") in held or (tenant, record.subject) in held

        records = retain(self._trail, self._settings(), at_ms, is_held) if self._trail.is_on else 0
        return records, self._contents.expire(at_ms, held)

    def _held(self) -> set[tuple[str, str]]:
        """Tenants and pseudonyms that a legal hold is on."""
        found = set()
        for hold in self._subjects.holds():
            subject = self._subjects.find(hold.tenant, hold.subject) if hold.subject else None
            found.add((hold.tenant, subject.pseudonym if subject is not None else ""))
        return found

    def _read_generation(self) -> str:
        with self._engine.connect() as connection:
            return read_meta(connection, GENERATION)
