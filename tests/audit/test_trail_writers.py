"""Sixteen processes that write one log at a thousand records a second each (catalogue N15).

``DRAGOMAN_WRITER_SECONDS`` says for how long; one second otherwise.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from dragoman.audit.check import check_log
from dragoman.audit.search import Wanted, search
from dragoman.core import audit_public_key

WRITERS = 16
SECONDS = int(os.environ.get("DRAGOMAN_WRITER_SECONDS", "1"))
A_SECOND = 1000
SEED = bytes(range(32))

# As a worker begins, which is one at a time; then on its own, some of its records durably.
WRITER = """
import sys, threading, time
from pathlib import Path
from dragoman.audit.record import AuditRecord
from dragoman.audit.trail import Trail, now_ms
from dragoman.config.auditing import Audit
from dragoman.store.lock import one_at_a_time
number, count, place = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
with one_at_a_time(place / "start.lock"):
    trail = Trail(Audit(segment_records=500), place, bytes(range(32)))
print("begun", flush=True)
sys.stdin.readline()
durable, started = threading.Semaphore(0), time.monotonic()
for one in range(count):
    record = AuditRecord(kind="request", at_ms=now_ms(), id=f"w{number}-{one}")
    if one % 100:
        trail.put(record)
    else:
        trail.put_durably(record, lambda well: durable.release() if well else None)
    if one % 50 == 0:  # a thousand a second, as far as the machine goes
        time.sleep(max(0.0, started + one / 1000 - time.monotonic()))
for _ in range(count // 100):
    assert durable.acquire(timeout=60)
assert trail.figures["lost"] == 0
trail.close()
print(time.monotonic() - started, flush=True)
"""


def test_every_chain_is_whole_and_every_record_there_once(tmp_path: Path, say: Callable[[str], None]) -> None:
    count = SECONDS * A_SECOND
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(number), str(count), str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(WRITERS)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "begun\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    took_s = [float(writer.communicate()[0]) for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * WRITERS
    directory = tmp_path / "audit"
    checked = check_log(directory, audit_public_key(SEED))
    assert (checked.faults, checked.lost) == ([], 0)
    assert (checked.report.chains, checked.report.records) == (WRITERS, WRITERS * (count + 1))
    assert checked.report.unsigned == 0
    found = sorted(one.record.id for one in search(directory, Wanted(fields={"kind": "request"})))
    assert found == sorted(f"w{number}-{one}" for number in range(WRITERS) for one in range(count))
    rate = WRITERS * count / max(took_s)
    say(f"{WRITERS} writers, {WRITERS * count} records at {rate:.0f}/s: {WRITERS} chains whole, no gap, none twice")
