"""What a server does about the log beside writing it: lets go of people that were erased, and of what is over."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from dragoman.audit.erase import GENERATION, Eraser
from dragoman.audit.retention import retain
from dragoman.audit.trail import now_ms
from dragoman.errors import StoreError
from dragoman.store.meta import read_meta

if TYPE_CHECKING:
    from dragoman.audit.record import AuditRecord
    from dragoman.audit.trail import Trail
    from dragoman.config.auditing import Audit

log = logging.getLogger("dragoman.audit")

EVERY_S = 3600.0


class Housekeeping:
    """Done every other second, in a thread."""

    def __init__(self, trail: Trail, eraser: Eraser, settings: Callable[[], Audit]) -> None:
        self._trail = trail
        self._eraser = eraser
        self._engine = eraser.engine
        self._subjects = eraser.subjects
        self._contents = eraser.contents
        self._settings = settings
        self._is_first = True
        self._generation = self._read_generation()
        self._due_s = time.monotonic()  # at once for people; for what is over not before the clock has settled
        self.retains = True  # of a server's processes one does
        self.on_erased: Callable[[], object] = lambda: None

    def look(self) -> None:
        """Do what there is to do. Never raises."""
        try:
            generation = self._read_generation()
            is_new = generation != self._generation
            is_due = time.monotonic() >= self._due_s
            if is_new or is_due:
                self._subjects.forget_erased()
                if self._follow() or is_new:
                    self.on_erased()
                self._generation = generation
            if is_due:
                self._due_s = time.monotonic() + EVERY_S
                if self.retains and not self._is_first:
                    self.retain(now_ms())
                self._is_first = False
        except (SQLAlchemyError, StoreError) as error:
            log.error("the audit log is not looked after: %s", error)

    def _follow(self) -> bool:
        """Erase here whom other servers have erased. False: there was nobody."""
        people = self._eraser.follow()
        for tenant, pseudonym in people:
            self._trail.act("subject.erase", actor="another server", tenant=tenant, subject=pseudonym)
        return bool(people)

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
