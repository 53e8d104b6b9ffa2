"""The log of one process: records go in here.

A process begins a chain of its own, whose first record names the chain before it and that one's last head: so a chain
that is taken away whole shows by the next. What a process left unsigned that was killed is signed by the next to begin.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dragoman import __version__
from dragoman.audit.record import AuditRecord
from dragoman.audit.syslog import Syslog
from dragoman.core import AuditLog, audit_recover, audit_segments
from dragoman.errors import StoreError
from dragoman.store.location import create_folder

if TYPE_CHECKING:
    from dragoman.config.auditing import Audit

log = logging.getLogger("dragoman.audit")


class Trail:
    """The log.

    Raises:
        StoreError: it cannot be written.
    """

    def __init__(self, settings: Audit, data_dir: Path, seed: bytes) -> None:
        self.is_on = settings.mode != "off"
        self.directory = log_directory(settings, data_dir)
        self._lost = 0
        self._log: AuditLog | None = None
        self._syslog = Syslog(settings.syslog) if settings.syslog else None
        if not self.is_on:
            return
        try:
            self.directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            create_folder(self.directory)
            self._recover(seed)
            after = _latest(self.directory)
            self._log = AuditLog(
                self.directory,
                new_writer(),
                seed,
                segment_records=settings.segment_records,
                segment_s=settings.segment_s,
                queue_bytes=settings.queue_bytes,
                copy_to=settings.copy_heads_to or None,
            )
        except OSError as error:
            raise StoreError(f"the audit log {self.directory} cannot be written: {error}") from error
        self.put(AuditRecord(kind="audit.begin", at_ms=now_ms(), detail={"version": __version__} | after))

    def _recover(self, seed: bytes) -> None:
        for writer, torn in audit_recover(self.directory, seed, now_ms()):
            cut = f", a line of {torn} bytes cut off" if torn else ""
            log.warning(
                "the audit log of %s was left open by a process that was killed: it is signed now%s", writer, cut
            )

    @property
    def failure(self) -> str | None:
        """Why nothing can be written now."""
        return None if self._log is None else self._log.failure

    @property
    def figures(self) -> dict[str, int]:
        """For metrics: records written, waiting and lost."""
        if self._log is None:
            return {"written": 0, "queued": 0, "lost": 0}
        return {"written": self._log.written, "queued": self._log.queued, "lost": self._log.dropped}

    def put(self, *records: AuditRecord) -> None:
        """Hand records over. Never waits, never raises; what is lost is counted, and said in the log later."""
        if self._log is None:
            return
        lines = [record.encoded() for record in records]
        if self._lost and self._log.append(self._gap()):
            self._lost = 0
        self._lost += self._log.extend(lines)
        if self._syslog is not None:
            for record, line in zip(records, lines, strict=True):
                self._syslog.send(line, record.at_ms)

    def _gap(self) -> bytes:
        return AuditRecord(kind="audit.gap", at_ms=now_ms(), detail={"lost": self._lost}).encoded()

    def put_durably(self, record: AuditRecord, wake: Callable[[bool], object]) -> None:
        """Hand a record over, and be told when it is durable, or that it will not be; from another thread."""
        if self._log is None:
            wake(True)  # noqa: FBT003 - as it is called
            return
        line = record.encoded()
        self._log.append(line, wake)
        if self._syslog is not None:
            self._syslog.send(line, record.at_ms)

    def act(self, kind: str, *, actor: str = "", key_id: str = "", address: str = "", **detail: Any) -> None:
        """Note an operator's act."""
        told = AuditRecord(kind=kind, at_ms=now_ms(), actor=actor, key_id=key_id, address=address, detail=detail)
        self.put(told)

    def close(self) -> None:
        """Write what waits, and sign."""
        if self._log is not None:
            self._log.close()
        if self._syslog is not None:
            self._syslog.close()


def log_directory(settings: Audit, data_dir: Path) -> Path:
    """Where the log is."""
    return Path(settings.directory).expanduser() if settings.directory else data_dir / "audit"


def new_writer() -> str:
    """A name for a chain: later ones sort later."""
    return f"w{time.time_ns() // 1_000_000:012x}{secrets.token_hex(4)}"


def now_ms() -> int:
    """Unix time."""
    return time.time_ns() // 1_000_000


def _latest(directory: Path) -> dict[str, str]:
    """The chain that was begun last, and the digest of its last head."""
    writers = sorted(path.name for path in directory.iterdir() if path.is_dir())
    if not writers:
        return {}
    heads = [head for *_, head in audit_segments(directory, writers[-1]) if head is not None]
    return {"after": writers[-1], "head": sha256(heads[-1].encode()).hexdigest() if heads else ""}
