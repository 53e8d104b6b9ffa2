"""Taking out records whose time is over. Their hashes stay, so the chain holds; a record says what was taken out."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from dragoman.audit.check import STATEMENT
from dragoman.audit.record import AuditRecord, read_record
from dragoman.core import audit_scan, audit_segments, audit_take_out
from dragoman.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman.audit.trail import Trail
    from dragoman.config.auditing import Audit

DAY_MS = 86_400_000
REQUESTS = frozenset({"request", "request.begin"})


def is_over(record: AuditRecord, settings: Audit, now_ms: int) -> bool:
    """Whether a record's time is over. What the log says of itself stays."""
    if record.kind.startswith("audit."):
        return False
    days = settings.request_days if record.kind in REQUESTS else settings.act_days
    return record.at_ms < now_ms - days * DAY_MS


def retain(trail: Trail, settings: Audit, now_ms: int, is_held: Callable[[AuditRecord], bool]) -> int:
    """Take out what is over, of segments that are closed; says how many records.

    It is said in the log before it is done: what is said and not done is still there.

    :param is_held: whether a record is under a legal hold, which is stronger.

    Raises:
        StoreError: the log cannot be read or written.
    """
    total = 0
    oldest_ms = now_ms - min(settings.request_days, settings.act_days) * DAY_MS
    try:
        for writer in sorted(path.name for path in trail.directory.iterdir() if path.is_dir()):
            for _, path, head in audit_segments(trail.directory, writer):
                if head is not None and _may_hold_old(path, oldest_ms):
                    total += _take_out(
                        trail, writer, path, lambda one: is_over(one, settings, now_ms) and not is_held(one)
                    )
    except OSError as error:
        raise StoreError(f"records cannot be taken out of the audit log: {error}") from error
    return total


def _may_hold_old(path: Path, oldest_ms: int) -> bool:
    """Whether the segment's first record of something else than the log is old enough to look further."""
    with open(path, "rb") as file:
        for line in file:
            record = line.rstrip(b"\n").split(b" ", 2)[-1]
            if record != b"-" and not record.startswith(STATEMENT):
                return read_record(record).at_ms < oldest_ms
    return False


def _take_out(trail: Trail, writer: str, path: Path, is_out: Callable[[AuditRecord], bool]) -> int:
    out = {seq for seq, line in audit_scan(path, []) if is_out(read_record(line))}
    if out:
        trail.act("audit.taken_out", actor="retention", writer=writer, seqs=ranges(out))
        audit_take_out(path, out)
    return len(out)


def ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Numbers as stretches, first and last."""
    found = []
    for _, stretch in groupby(enumerate(sorted(numbers)), lambda pair: pair[1] - pair[0]):
        several = [number for _, number in stretch]
        found.append((several[0], several[-1]))
    return found
