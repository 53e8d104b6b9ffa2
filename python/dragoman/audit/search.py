"""Finding records: the newest first, segment by segment, so that a search ends early that has found enough."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from msgspec import DecodeError, Struct

from dragoman.audit.record import AuditRecord, read_record
from dragoman.core import audit_scan, audit_segments
from dragoman.errors import StoreError

# Fields that a search may ask for, each a text that stands in a record's line.
FIELDS = ("id", "kind", "key_id", "actor", "organisation", "team", "user", "app", "subject", "alias", "model", "code")


class Found(NamedTuple):
    """A record, and where it is."""

    writer: str
    seq: int
    line: bytes
    record: AuditRecord


class Wanted(Struct, frozen=True, kw_only=True):
    """What is looked for: all of it has to be so."""

    fields: dict[str, str] = {}
    since_ms: int | None = None
    until_ms: int | None = None
    decision: str = ""

    def holds(self, record: AuditRecord) -> bool:
        """Whether a record is looked for."""
        return (
            (self.since_ms is None or record.at_ms >= self.since_ms)
            and (self.until_ms is None or record.at_ms < self.until_ms)
            and (not self.decision or record.decision == self.decision)
            and all(_is(record, name, value) for name, value in self.fields.items())
        )


def _is(record: AuditRecord, name: str, value: str) -> bool:
    found = str(getattr(record, name))
    return found == value or (name == "kind" and found.startswith(f"{value}."))


def search(directory: Path, wanted: Wanted) -> Iterator[Found]:
    """The records that are looked for, newest first as far as chains do not overlap.

    Raises:
        StoreError: the log cannot be read.
    """
    needles = [value.encode() for value in wanted.fields.values() if value.isascii() and value.isprintable()]
    needles = [needle for needle in needles if b'"' not in needle and b"\\" not in needle]
    try:
        for writer in sorted((path.name for path in directory.iterdir() if path.is_dir()), reverse=True):
            for _, path, head in reversed(audit_segments(directory, writer)):
                if head is not None and wanted.since_ms is not None and _closed_ms(head) < wanted.since_ms:
                    break
                for seq, line in reversed(audit_scan(path, needles)):
                    try:
                        record = read_record(line)
                    except DecodeError:
                        continue
                    if wanted.holds(record):
                        yield Found(writer, seq, line, record)
    except OSError as error:
        raise StoreError(f"the audit log {directory} cannot be read: {error}") from error


def _closed_ms(head: str) -> int:
    """When a segment was closed; a head that is none closes nothing."""
    fields = head.split(" ")
    return int(fields[7]) if len(fields) > 7 and fields[7].isdigit() else 2**63
