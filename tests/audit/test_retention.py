from __future__ import annotations

from pathlib import Path

import pytest
from tests.audit.conftest import SEED, Begin

from dragoman.audit.check import check_log
from dragoman.audit.record import AuditRecord
from dragoman.audit.retention import DAY_MS, is_over, ranges, retain
from dragoman.audit.search import Wanted, search
from dragoman.config.auditing import Audit
from dragoman.core import audit_public_key
from dragoman.errors import StoreError

SETTINGS = Audit(request_days=10, act_days=20)
NOW_MS = 100 * DAY_MS


def test_each_class_has_its_time() -> None:
    old = {"at_ms": NOW_MS - 10 * DAY_MS - 1}
    assert is_over(AuditRecord(kind="request", **old), SETTINGS, NOW_MS)
    assert is_over(AuditRecord(kind="request.begin", **old), SETTINGS, NOW_MS)
    assert not is_over(AuditRecord(kind="key.create", **old), SETTINGS, NOW_MS)
    assert not is_over(AuditRecord(kind="request", at_ms=NOW_MS - 10 * DAY_MS), SETTINGS, NOW_MS)
    assert is_over(AuditRecord(kind="key.create", at_ms=NOW_MS - 20 * DAY_MS - 1), SETTINGS, NOW_MS)
    assert not is_over(AuditRecord(kind="audit.taken_out", at_ms=0), SETTINGS, NOW_MS)


def test_what_is_over_is_taken_out_on_record_unless_it_is_held(begin: Begin, tmp_path: Path) -> None:
    old = begin()
    for number in range(6):
        at_ms = NOW_MS - (15 if number < 4 else 1) * DAY_MS
        old.put(AuditRecord(kind="request", at_ms=at_ms, id=f"req_{number}", team="held" if number == 1 else ""))
    old.put(AuditRecord(kind="key.create", at_ms=NOW_MS - 15 * DAY_MS))
    old.close()
    trail = begin()
    trail.put(AuditRecord(kind="request", at_ms=NOW_MS - 15 * DAY_MS, id="open"))
    assert retain(trail, SETTINGS, NOW_MS, lambda record: record.team == "held") == 3
    assert retain(trail, SETTINGS, NOW_MS, lambda record: record.team == "held") == 0
    trail.close()
    left = {one.record.id for one in search(tmp_path / "audit", Wanted(fields={"kind": "request"}))}
    assert left == {"req_1", "req_4", "req_5", "open"}
    checked = check_log(tmp_path / "audit", audit_public_key(SEED))
    assert (checked.faults, len(checked.report.taken_out)) == ([], 3)


def test_a_log_that_cannot_be_changed(begin: Begin, tmp_path: Path) -> None:
    trail = begin()
    trail.close()
    trail.directory = tmp_path / "nowhere"
    with pytest.raises(StoreError, match="cannot be taken out"):
        retain(trail, SETTINGS, NOW_MS, lambda record: False)


def test_stretches() -> None:
    assert ranges([5, 1, 2, 3, 9]) == [(1, 3), (5, 5), (9, 9)]
    assert ranges([]) == []
