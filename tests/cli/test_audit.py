from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from dragoman.audit.content import Contents
from dragoman.audit.record import AuditRecord
from dragoman.audit.signing import SEALING, SIGNING, load_key
from dragoman.audit.subjects import Subjects
from dragoman.audit.trail import Trail
from dragoman.config.auditing import Audit
from dragoman.core import AuditProof
from dragoman.store.engine import Store


@pytest.fixture
def subjects(store: Store) -> Iterator[Subjects]:
    opened = Subjects(store.directory, load_key(store.directory, {}, SEALING))
    yield opened
    opened.close()


@pytest.fixture
def logged(store: Store, subjects: Subjects) -> Path:
    """A data directory with a log of two requests, and what was said in one."""
    eve = subjects.of("acme", "eve")
    trail = Trail(Audit(), store.directory, load_key(store.directory, {}, SIGNING))
    for number, decision in enumerate(("allowed", "refused")):
        trail.put(
            AuditRecord(
                kind="request",
                at_ms=1_796_000_000_000 + number,
                id=f"req_{number}",
                key_id="key_1",
                organisation="acme",
                subject=eve.pseudonym if number == 0 else "",
                decision=decision,  # type: ignore[arg-type]
                status=200,
                model="gpt",
                cost_nanousd=5_000,
            )
        )
    trail.close()
    contents = Contents(store.engine)
    contents.keep(eve, "req_0", "prompt", b"the words", at_ms=1, days=30)
    contents.close()
    return store.directory


def test_a_log_verifies_and_what_was_changed_shows(run: Run, logged: Path) -> None:
    at = ("--data-dir", logged)
    well = run("audit", "verify", *at)
    assert (well.exit_code, well.output.splitlines()) == (
        0,
        ["3 records in 1 segments of 1 chains", "The log is as it was written."],
    )
    assert json.loads(run("audit", "verify", "--json", *at).output)["records"] == 3
    (segment,) = (logged / "audit").glob("*/*.log")
    segment.write_bytes(segment.read_bytes().replace(b"gpt", b"gtp"))
    ill = run("audit", "verify", *at)
    assert ill.exit_code == 1
    assert "record 2 is not what it was" in ill.output
    assert "2 faults" in ill.output


def test_a_copy_is_verified_with_the_public_key_alone(run: Run, logged: Path, tmp_path: Path) -> None:
    key = run("audit", "key", "--data-dir", logged).output.strip()
    copy = shutil.copytree(logged / "audit", tmp_path / "copy")
    assert run("audit", "verify", copy, "--public-key", key).exit_code == 0
    assert "not signed with the key" in run("audit", "verify", copy, "--public-key", "ab" * 32).output
    assert run("audit", "verify", copy, "--public-key", "no").exit_code == 2
    copies = shutil.copytree(copy, tmp_path / "heads")
    (heads,) = copy.glob("*/heads")
    heads.unlink()
    assert (
        "is in the copy, and not here" in run("audit", "verify", copy, "--public-key", key, "--copies", copies).output
    )


def test_records_are_found(run: Run, logged: Path) -> None:
    at = ("--data-dir", logged)
    lines = run("audit", "search", "--kind", "request", *at).output.splitlines()[1:]
    assert [line.split()[2] for line in lines] == ["req_1", "req_0"]
    assert "$0.000005" in lines[0]
    found = run("audit", "search", "--decision", "refused", "--json", *at).output
    assert json.loads(found)["id"] == "req_1"
    of_eve = run("audit", "search", "--tenant", "acme", "--end-user", "eve", "--json", *at).output.splitlines()
    assert [json.loads(line)["id"] for line in of_eve] == ["req_0"]
    assert run("audit", "search", "--kind", "nothing", *at).output == "no such record\n"
    assert run("audit", "search", "--until", "2026-11-01", *at).output == "no such record\n"
    assert run("audit", "search", "--since", "never", *at).exit_code == 2
    assert "no end user 'bob'" in run("audit", "search", "--tenant", "acme", "--end-user", "bob", *at).output
    assert len(run("audit", "search", "--limit", "1", "--json", *at).output.splitlines()) == 1


def test_who_reads_what_others_said_is_on_record(run: Run, logged: Path) -> None:
    at = ("--data-dir", logged)
    assert json.loads(run("audit", "show", "req_0", *at).output)["id"] == "req_0"
    assert "--reason" in run("audit", "show", "req_0", "--content", *at).output
    assert "--end-user" in run("audit", "show", "req_0", "--content", "--reason", "x", *at).output
    shown = run("audit", "show", "req_0", "--content", "--reason", "ticket 1", "--end-user", "eve", *at)
    assert "--- prompt\nthe words" in shown.output
    assert "--- answer\nnot kept" in shown.output
    (read,) = run("audit", "search", "--kind", "content", "--json", *at).output.splitlines()
    assert json.loads(read)["detail"]["reason"] == "ticket 1"
    assert "no record of 'req_9'" in run("audit", "show", "req_9", *at).output


def test_one_record_is_proved_without_the_log(run: Run, logged: Path, tmp_path: Path) -> None:
    at = ("--data-dir", logged)
    key = run("audit", "key", *at).output.strip()
    proof = tmp_path / "proof.json"
    proof.write_text(run("audit", "prove", "req_0", *at).output)
    checked = run("audit", "check-proof", proof, "--public-key", key)
    assert (checked.exit_code, "req_0" in checked.output) == (0, True)
    assert run("audit", "check-proof", proof, "--public-key", "ab" * 32).exit_code == 1
    proof.write_text(proof.read_text().replace("req_0", "req_7"))
    assert "proves nothing" in run("audit", "check-proof", proof, "--public-key", key).output
    for wrong in ("{", "{}", '{"record": 1}', "[]"):
        proof.write_text(wrong)
        assert "this is no proof" in run("audit", "check-proof", proof, "--public-key", key).output


def test_an_export_says_what_it_is_and_proves_itself(run: Run, logged: Path, tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    done = run("audit", "export", file, "--kind", "request", "--data-dir", logged)
    assert done.output == f"2 records are in {file}\n"
    manifest = json.loads(file.with_name("out.jsonl.manifest.json").read_text())
    assert (manifest["records"], manifest["sha256"]) == (2, hashlib.sha256(file.read_bytes()).hexdigest())
    for line in file.read_text().splitlines():
        told = json.loads(line)
        record = line.split('"record":', 1)[1].rsplit(',"proof":', 1)[0].encode()
        proof = AuditProof(writer=told["writer"], seq=told["seq"], record=record, **told["proof"])
        assert proof.holds(bytes.fromhex(manifest["public_key"]))
    assert "audit_log.export" in run("audit", "search", "--json", "--data-dir", logged).output


def test_without_a_log(run: Run, data: Path) -> None:
    assert "there is no audit log at" in run("audit", "search", "--data-dir", data).output
