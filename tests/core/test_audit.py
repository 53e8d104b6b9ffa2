from __future__ import annotations

import hashlib
import hmac
import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dragoman.core import (
    AuditLog,
    AuditProof,
    AuditSalt,
    audit_prove,
    audit_public_key,
    audit_recover,
    audit_scan,
    audit_segments,
    audit_take_out,
    audit_verify,
)

SEED = bytes(range(32))
PUBLIC = audit_public_key(SEED)


def record(number: int) -> bytes:
    return json.dumps({"kind": "request", "n": number}).encode()


def append(log: AuditLog, line: bytes, *, wait: bool) -> None:
    """Hand a record over, and wait until it is durable, which closes its segment if that is full."""
    durable = threading.Event()
    assert log.append(line, (lambda well: durable.set()) if wait else None)
    assert not wait or durable.wait(20)


def written(directory: Path, count: int, *, writer: str = "w", segment_records: int = 4) -> None:
    """A chain that was closed in order."""
    log = AuditLog(directory, writer, SEED, segment_records=segment_records)
    for number in range(1, count + 1):
        append(log, record(number), wait=number % segment_records == 0)
    log.close()
    assert (log.written, log.queued, log.dropped, log.failures, log.failure) == (count, 0, 0, 0, None)


def faults(directory: Path, copies: Path | None = None) -> list[tuple[str, str]]:
    return audit_verify(directory, PUBLIC, copies, b"{").faults


def test_what_stands_for_a_text_is_its_keyed_hash() -> None:
    salt = AuditSalt(SEED)
    for text in (b"", b"x", b"x" * 1000, b"x" * 100_000):
        expected = hmac.digest(SEED, b"prompt\0" + text, "sha256").hex()[:32]
        assert salt.digest(b"prompt", text) == expected
    assert salt.digest(b"subject", b"x") != salt.digest(b"prompt", b"x") != AuditSalt(b"other").digest(b"prompt", b"x")


def test_records_handed_over_together_are_those_handed_over_one_by_one(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, "w", SEED, queue_bytes=10_000)
    assert log.extend([]) == 0
    with pytest.raises(ValueError, match="one line"):
        log.extend([record(1), b"\n"])
    assert log.extend([record(1), b"x" * 10_000, record(2)]) == 1
    log.close()
    assert log.extend([record(3), record(4)]) == 2
    assert (log.written, log.dropped) == (2, 3)
    ((_, path, _),) = audit_segments(tmp_path, "w")
    assert [line for _, line in audit_scan(path, [])] == [record(1), record(2)]
    assert faults(tmp_path) == []


def test_a_log_verifies(tmp_path: Path) -> None:
    written(tmp_path, 10, segment_records=100)
    report = audit_verify(tmp_path, PUBLIC, None, b'{"kind": "request", "n": 3}')
    assert (report.chains, report.segments, report.records, report.unsigned) == (1, 1, 10, 0)
    assert (report.faults, report.taken_out, report.statements) == ([], [], [("w", record(3))])
    ((writer, seq, digest),) = report.last
    assert (writer, seq, len(digest)) == ("w", 10, 64)
    other = audit_public_key(b"x" * 32)
    assert "not signed with the key" in audit_verify(tmp_path, other, None, b"{").faults[0][1]


def test_a_page_of_python_verifies_it(tmp_path: Path) -> None:
    written(tmp_path, 9)
    before = bytes(32)
    expected = 1
    for path in sorted((tmp_path / "w").glob("*.log")):
        for line in path.read_bytes().splitlines():
            number, digest, told = line.split(b" ", 2)
            head = b"dragoman audit 1\nw\n" + str(expected).encode() + b"\n"
            before = hashlib.sha256(head + before + told).digest()
            assert (int(number), digest.decode()) == (expected, before.hex())
            expected += 1
    assert expected == 10


def test_whoever_waits_is_told_when_it_is_durable(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, "w", SEED)
    told = threading.Event()
    wells: list[bool] = []

    def wake(well: bool) -> None:
        wells.append(well)
        told.set()

    assert log.append(record(1), wake)
    assert told.wait(20)
    assert wells == [True]
    assert (tmp_path / "w" / "00000001.log").read_bytes().endswith(record(1) + b"\n")
    log.close()
    assert log.append(record(2), wake) is False
    assert wells == [True, False]


def test_what_is_no_record(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, "w", SEED)
    for wrong in (b"a\nb", b"-"):
        with pytest.raises(ValueError, match="one line"):
            log.append(wrong)
    log.close()
    with pytest.raises(ValueError, match="letters"):
        AuditLog(tmp_path, "../w", SEED)
    with pytest.raises(ValueError, match="32"):
        AuditLog(tmp_path, "v", b"short")
    with pytest.raises(ValueError, match="above zero"):
        AuditLog(tmp_path, "v", SEED, segment_s=0)
    with pytest.raises(OSError, match=r"[Nn]ot a directory"):
        AuditLog(Path(__file__), "v", SEED)


def test_one_record_is_proved_without_the_others(tmp_path: Path) -> None:
    written(tmp_path, 10)
    for seq in range(1, 11):
        proof = audit_prove(tmp_path, "w", seq)
        assert proof is not None
        assert (proof.holds(PUBLIC), proof.record, proof.seq) == (True, record(seq), seq)
        assert not proof.holds(audit_public_key(b"y" * 32))
        fields = {name: getattr(proof, name) for name in ("writer", "seq", "before", "hash", "record", "index", "size")}
        fields |= {"path": proof.path, "head": proof.head}
        assert AuditProof(**fields).holds(PUBLIC)
        for name, wrong in (
            ("record", record(99)),
            ("seq", seq + 1),
            ("index", proof.index + 1),
            ("size", proof.size + 1),
            ("hash", "00" * 32),
            ("before", "zz"),
            ("writer", "v"),
            ("head", proof.head.replace("dragoman", "x")),
            ("path", [*proof.path, "00" * 32]),
        ):
            assert not AuditProof(**fields | {name: wrong}).holds(PUBLIC), name
    assert audit_prove(tmp_path, "w", 11) is None


def test_records_are_found_and_taken_out(tmp_path: Path) -> None:
    written(tmp_path, 8)
    (_, first, head), (_, second, _) = audit_segments(tmp_path, "w")
    assert head is not None
    assert audit_scan(second, [b'"n": 6']) == [(6, record(6))]
    assert audit_take_out(first, {2, 3, 99}) == 2
    report = audit_verify(tmp_path, PUBLIC, None, b"{")
    assert (report.faults, report.records, report.taken_out) == ([], 6, [("w", 2), ("w", 3)])
    proof = audit_prove(tmp_path, "w", 2)
    assert proof is not None
    assert (proof.record, proof.holds(PUBLIC)) == (None, True)


def tamper(directory: Path, way: str, chance: random.Random) -> None:
    """One change, of one of eight kinds, somewhere in a log of one chain."""
    folder = directory / "w"
    paths = sorted(folder.glob("*.log"))
    path = chance.choice(paths)
    lines = path.read_bytes().splitlines(keepends=True)
    place = chance.randrange(len(lines))
    if way == "edit":
        line = bytearray(lines[place])
        at = chance.randrange(len(line) - 1)
        line[at] = chance.choice([byte for byte in range(33, 127) if byte != line[at]])
        lines[place] = bytes(line)
    elif way == "delete":
        del lines[place]
    elif way == "reorder":
        other = chance.choice([number for number in range(len(lines)) if number != place])
        lines[place], lines[other] = lines[other], lines[place]
    elif way == "insert":
        lines.insert(place, chance.choice(paths[0].read_bytes().splitlines(keepends=True)))
    elif way == "truncate":
        lines = lines[:place]
    elif way == "swap":
        other_path = chance.choice([one for one in paths if one != path])
        text = path.read_bytes()
        path.write_bytes(other_path.read_bytes())
        other_path.write_bytes(text)
        return
    elif way == "roll back":
        keep = chance.randrange(len(paths))
        heads = (folder / "heads").read_bytes().splitlines(keepends=True)
        (folder / "heads").write_bytes(b"".join(heads[:keep]))
        for gone in paths[keep:]:
            gone.unlink()
        return
    else:  # hashed anew by somebody who has the files and a key of his own
        records = [line.split(b" ", 2)[2][:-1] for one in paths for line in one.read_bytes().splitlines(keepends=True)]
        records[chance.randrange(len(records))] = record(777)
        for gone in folder.iterdir():
            gone.unlink()
        log = AuditLog(directory, "w", b"m" * 32, segment_records=5)
        for one in records:
            log.append(one)
        log.close()
        return
    path.write_bytes(b"".join(lines))


WAYS = ("edit", "delete", "reorder", "insert", "truncate", "swap", "roll back", "hash anew")


@pytest.mark.parametrize("way", WAYS)
def test_a_hundred_tamperings_are_all_found(tmp_path: Path, way: str) -> None:
    for seed in range(100):
        directory, copies = tmp_path / f"{seed}", tmp_path / f"{seed}-heads"
        log = AuditLog(directory, "w", SEED, segment_records=5, copy_to=copies)
        for number in range(20):
            append(log, record(number), wait=number % 5 == 4)
        log.close()
        assert faults(directory, copies) == []
        tamper(directory, way, random.Random(seed))
        # What was rolled back whole shows in the copy of the heads alone.
        assert faults(directory, copies if way == "roll back" else None), (way, seed)


WRITE = """
import sys
from dragoman.core import AuditLog
log = AuditLog(sys.argv[1], sys.argv[2], bytes(range(32)), segment_records=50)
out = sys.stdout
def say(number):
    def wake(well):
        if well:
            out.write(f"{number}\\n")
            out.flush()
    return wake
number = 0
while True:
    number += 1
    log.append(b'{"kind": "request", "n": %d}' % number, say(number))
    while log.queued > 64:
        pass
"""


@pytest.mark.parametrize("seed", range(3))
def test_a_writer_that_is_killed_loses_nothing_that_was_durable(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    for life in range(5):
        command = [sys.executable, "-c", WRITE, str(tmp_path), f"w{life}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            told = [process.stdout.readline() for _ in range(chance.randrange(1, 400))]
            os.kill(process.pid, signal.SIGKILL)
            rest = process.stdout.read()
        durable = len(told) + rest.count(b"\n")
        recovered = audit_recover(tmp_path, SEED, 5)
        assert [writer for writer, _ in recovered] in ([f"w{life}"], [])
        assert faults(tmp_path) == []
        kept = [text for _, path, _ in audit_segments(tmp_path, f"w{life}") for text in audit_scan(path, [b"n"])]
        assert len(kept) >= durable
        assert kept[durable - 1][1] == b'{"kind": "request", "n": %d}' % durable
