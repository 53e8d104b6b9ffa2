from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run
from tests.cli.test_audit import logged, subjects

__all__ = ["logged", "subjects"]  # fixtures


def test_who_is_erased_cannot_be_read_and_the_log_still_holds(run: Run, logged: Path) -> None:
    at = ("--data-dir", logged)
    whose = ("--tenant", "acme", "--end-user", "eve")
    reading = ("audit", "show", "req_0", "--content", "--reason", "x", "--end-user", "eve", *at)
    assert "the words" in run(*reading).output
    assert run("audit", "erase", *whose, *at).output == (
        "erased: 1 prompts and answers, 0 stored responses, and the name in 0 usage rows\n"
    )
    assert "the words" not in run(*reading).output
    assert "no end user 'eve'" in run("audit", "erase", *whose, *at).output
    assert run("audit", "verify", *at).exit_code == 0
    assert "subject.erase" in run("audit", "search", "--kind", "subject", "--json", *at).output
    kept = [path.read_bytes() for path in logged.rglob("*") if path.is_file()]
    assert not any(b"the words" in content for content in kept)


def test_a_legal_hold_is_stronger(run: Run, logged: Path) -> None:
    at = ("--data-dir", logged)
    assert "no legal holds" in run("audit", "holds", *at).output
    placed = run("audit", "hold", "--tenant", "acme", "--end-user", "eve", "--reason", "case 9", *at).output.split()[0]
    assert run("audit", "holds", *at).output.splitlines()[1].split()[1:5] == ["acme", "eve", "case", "9"]
    refused = run("audit", "erase", "--tenant", "acme", "--end-user", "eve", *at)
    assert (refused.exit_code, "case 9" in refused.output) == (1, True)
    assert run("audit", "release", placed, *at).exit_code == 0
    assert "no legal hold" in run("audit", "release", placed, *at).output
    assert run("audit", "erase", "--tenant", "acme", "--end-user", "eve", *at).exit_code == 0
    kinds = run("audit", "search", "--kind", "hold", "--json", *at).output
    assert ("hold.place" in kinds, "hold.release" in kinds) == (True, True)
