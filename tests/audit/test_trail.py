from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.audit.conftest import SEED, Begin

from dragoman.audit.check import check_log
from dragoman.audit.record import AuditRecord, read_record
from dragoman.audit.trail import Trail, log_directory, new_writer
from dragoman.config.auditing import Audit
from dragoman.core import audit_public_key, audit_scan, audit_segments
from dragoman.errors import StoreError

PUBLIC = audit_public_key(SEED)


def records(directory: Path) -> list[AuditRecord]:
    writers = sorted(path.name for path in directory.iterdir())
    paths = [path for writer in writers for _, path, _ in audit_segments(directory, writer)]
    return [read_record(line) for path in paths for _, line in audit_scan(path, [])]


def test_each_process_begins_a_chain_that_names_the_one_before(begin: Begin, tmp_path: Path) -> None:
    for _ in range(3):
        trail = begin()
        trail.act("key.create", actor="ann", name="demo")
        trail.close()
    found = records(tmp_path / "audit")
    assert [one.kind for one in found] == ["audit.begin", "key.create"] * 3
    assert (found[1].actor, found[1].detail) == ("ann", {"name": "demo"})
    chains = sorted(path.name for path in (tmp_path / "audit").iterdir())
    assert [found[index].detail.get("after", "") for index in (0, 2, 4)] == ["", *chains[:2]]
    checked = check_log(tmp_path / "audit", PUBLIC)
    assert (checked.faults, checked.report.records, checked.lost) == ([], 6, 0)
    assert trail.figures == {"written": 2, "queued": 0, "lost": 0}
    assert (tmp_path / "audit").stat().st_mode & 0o777 == 0o700


def test_a_chain_that_is_taken_away_shows_by_the_next(begin: Begin, tmp_path: Path) -> None:
    for _ in range(3):
        begin().close()
    first, second, _ = sorted(path.name for path in (tmp_path / "audit").iterdir())
    shutil.rmtree(tmp_path / "audit" / second)
    ((place, what),) = check_log(tmp_path / "audit", PUBLIC).faults
    assert (place, what.startswith("the chain is missing")) == (second, True)
    (tmp_path / "audit" / first / "heads").unlink()
    assert any("head is missing" in what for _, what in check_log(tmp_path / "audit", PUBLIC).faults) is False
    assert len(check_log(tmp_path / "audit", PUBLIC).faults) == 1


def test_whoever_waits_is_told(begin: Begin) -> None:
    trail = begin()
    told: list[bool] = []
    durable = threading.Event()

    def wake(well: bool) -> None:
        told.append(well)
        durable.set()

    trail.put_durably(AuditRecord(kind="request.begin", at_ms=1), wake)
    assert durable.wait(20)
    trail.close()
    trail.put_durably(AuditRecord(kind="request.begin", at_ms=1), wake)
    assert told == [True, False]


def test_what_is_lost_is_said_later(begin: Begin, tmp_path: Path) -> None:
    trail = begin(queue_bytes=200)
    for _ in range(3):
        trail.put(AuditRecord(kind="request", at_ms=1, alias="x" * 300))
        while trail.figures["queued"]:
            pass
    trail.put(AuditRecord(kind="request", at_ms=1))
    trail.close()
    kinds = [one.kind for one in records(tmp_path / "audit")]
    assert (kinds[0], set(kinds[1:-1]), kinds[-1]) == ("audit.begin", {"audit.gap"}, "request")
    assert check_log(tmp_path / "audit", PUBLIC).lost == 3


def test_several_records_at_once_are_each_kept_or_counted(begin: Begin, tmp_path: Path) -> None:
    trail = begin(queue_bytes=1000)
    while trail.figures["queued"]:
        pass
    some = [AuditRecord(kind="request", at_ms=1, alias=letter * 300) for letter in "abcd"]
    trail.put(*some)
    while trail.figures["queued"]:
        pass
    trail.put(AuditRecord(kind="request", at_ms=1))
    trail.close()
    found = records(tmp_path / "audit")
    assert [one.alias[:1] for one in found] == ["", "a", "b", "", ""]
    assert [one.detail for one in found[-2:]] == [{"lost": 2}, {}]
    assert check_log(tmp_path / "audit", PUBLIC).faults == []


def test_what_a_killed_process_left_is_signed_by_the_next(
    begin: Begin, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    code = (
        "import os, sys; from pathlib import Path; from dragoman.audit.trail import Trail;"
        "from dragoman.config.auditing import Audit; from dragoman.audit.record import AuditRecord;"
        "trail = Trail(Audit(), Path(sys.argv[1]), b's' * 32);"
        "trail.put_durably(AuditRecord(kind='request', at_ms=1), lambda well: os.kill(os.getpid(), 9));"
        "import time; time.sleep(20)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, env=os.environ).returncode == -9
    assert check_log(tmp_path / "audit", PUBLIC).report.unsigned == 2
    begin().close()
    assert "left open by a process that was killed" in caplog.text
    checked = check_log(tmp_path / "audit", PUBLIC)
    assert (checked.faults, checked.report.unsigned, checked.report.records) == ([], 0, 3)


def test_switched_off_there_is_none(begin: Begin, tmp_path: Path) -> None:
    trail = begin(mode="off")
    trail.put(AuditRecord(kind="request", at_ms=1))
    told: list[bool] = []
    trail.put_durably(AuditRecord(kind="request", at_ms=1), told.append)
    trail.close()
    assert (told, trail.failure, trail.figures["written"]) == ([True], None, 0)
    assert not (tmp_path / "audit").exists()


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        Trail(Audit(directory=str(tmp_path / "file")), tmp_path, SEED)
    assert log_directory(Audit(directory="/x/y"), tmp_path) == Path("/x/y")


def test_later_chains_sort_later() -> None:
    names = [new_writer() for _ in range(5)]
    assert [name[:13] for name in names] == sorted(name[:13] for name in names)
