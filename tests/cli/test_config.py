from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run


def test_sections_are_stored_shown_and_put_back(run: Run, data: Path, tmp_path: Path) -> None:
    at, file = ("--data-dir", data), tmp_path / "routes.yaml"
    assert "the file counts alone" in run("config", "history", *at).output
    file.write_text('routes: {a: {tiers: [["rehearsal/demo"]]}}\n')
    assert run("config", "push", file, "--note", "first", *at).output == "version 1 is stored\n"
    file.write_text('routes: {b: {tiers: [["rehearsal/demo"]]}}\n')
    run("config", "push", file, *at)
    assert run("config", "show", *at).output.startswith("routes: {b:")
    assert run("config", "show", "--version", "1", *at).output.startswith("routes: {a:")
    assert run("config", "rollback", "1", *at).output == "version 3 is stored\n"
    listed = run("config", "history", *at).output
    assert "back to version 1" in listed and "first" in listed
    assert run("config", "rollback", "9", *at).exit_code == 1
    assert run("config", "show", "--version", "9", *at).exit_code == 1


def test_what_cannot_be_used_is_refused(run: Run, data: Path, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("routes: {a: {tiers: [[nowhere]]}}\n")
    refused = run("config", "push", file, "--data-dir", data)
    assert (refused.exit_code, "nowhere" in refused.output) == (78, True)
    file.write_bytes(b"\xff\xfe\x00")
    assert run("config", "push", file, "--data-dir", data).exit_code == 1
