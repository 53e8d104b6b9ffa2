"""Whether a log is as it was written, and complete: offline, from its files and the public key alone.

Beside what the chains show by themselves (``rust/core/src/audit``), what is said in them is held against what is there:
the chain that each names as the one before it, and who took out the records that are out.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from msgspec import DecodeError

from dragoman.audit.record import AuditRecord, read_record
from dragoman.core import AuditReport, audit_segments, audit_verify
from dragoman.errors import StoreError

STATEMENT = b'{"kind":"audit.'


class Fault(NamedTuple):
    """What is wrong, and where."""

    place: str
    what: str


class Checked(NamedTuple):
    """What a log comes to."""

    report: AuditReport
    faults: list[Fault]
    lost: int  # records that the gateway itself says it has lost


def check_log(directory: Path, public_key: bytes | None, copies: Path | None = None) -> Checked:
    """Verify a log.

    :param copies: heads that were written elsewhere.

    Raises:
        StoreError: it cannot be read.
    """
    try:
        report = audit_verify(directory, public_key, copies, STATEMENT)
        told = list(_statements(report))
        faults = [Fault(*fault) for fault in report.faults]
        faults += _missing_chains(directory, told)
    except OSError as error:
        raise StoreError(f"the audit log {directory} cannot be read: {error}") from error
    faults += _taken_out_by_nobody(report, told)
    lost = sum(int(record.detail.get("lost", 0)) for _, record in told if record.kind == "audit.gap")
    return Checked(report, faults, lost)


def _statements(report: AuditReport) -> Iterator[tuple[str, AuditRecord]]:
    for writer, line in report.statements:
        try:
            yield writer, read_record(line)
        except DecodeError:
            continue  # a fault of its own, which the chain shows


def _missing_chains(directory: Path, told: list[tuple[str, AuditRecord]]) -> Iterator[Fault]:
    for writer, record in told:
        before = record.detail.get("after", "")
        if record.kind != "audit.begin" or not before:
            continue
        if not (directory / before).is_dir():
            yield Fault(before, f"the chain is missing, which {writer} was begun after")
            continue
        heads = {sha256(head.encode()).hexdigest() for *_, head in audit_segments(directory, before) if head}
        if record.detail.get("head") and record.detail["head"] not in heads:
            yield Fault(before, f"the head is missing, which {writer} was begun after")


def _taken_out_by_nobody(report: AuditReport, told: list[tuple[str, AuditRecord]]) -> Iterator[Fault]:
    said: dict[str, list[tuple[int, int]]] = {}
    for _, record in told:
        if record.kind == "audit.taken_out":
            said.setdefault(record.detail.get("writer", ""), []).extend(map(tuple, record.detail.get("seqs", [])))
    for writer, seq in report.taken_out:
        if not any(first <= seq <= last for first, last in said.get(writer, ())):
            yield Fault(f"{writer}/{seq}", "the record was taken out, and nothing says by whom")
