from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from dragoman.audit.signing import SEALING, SIGNING, load_key
from dragoman.errors import StoreError


def test_a_key_is_made_once(tmp_path: Path) -> None:
    key = load_key(tmp_path, {}, SIGNING)
    assert len(key) == 32
    assert load_key(tmp_path, {}, SIGNING) == key
    assert load_key(tmp_path, {}, SEALING) != key
    assert stat.S_IMODE((tmp_path / "audit-signing.key").stat().st_mode) == 0o600


def test_the_environment_s_counts(tmp_path: Path) -> None:
    assert load_key(tmp_path, {"DRAGOMAN_AUDIT_KEY": "ab" * 32}, SIGNING) == b"\xab" * 32
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", ["", " ", "ab", "zz" * 32, "ab" * 31])
def test_what_is_no_key(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(StoreError, match="64 hexadecimal digits"):
        load_key(tmp_path, {"DRAGOMAN_AUDIT_KEY": wrong}, SIGNING)


def test_a_file_that_others_may_read_or_that_is_damaged(tmp_path: Path) -> None:
    load_key(tmp_path, {}, SIGNING)
    path = tmp_path / "audit-signing.key"
    path.chmod(0o644)
    with pytest.raises(StoreError, match="chmod 600"):
        load_key(tmp_path, {}, SIGNING)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(StoreError, match="damaged"):
        load_key(tmp_path, {}, SIGNING)
    with pytest.raises(StoreError, match="cannot read"):
        load_key(tmp_path / "nowhere", {}, SIGNING)


def test_a_command_s_key_counts(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "DRAGOMAN_CONTENT_KEY_COMMAND": f"printf '%s' {'cd' * 32}"}
    assert load_key(tmp_path, environ, SEALING) == b"\xcd" * 32
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("false", "status 1"),
        ("no-such-command-at-all", "FileNotFoundError"),
        ("", "IndexError"),
        ("printf 'unclosed", "ValueError"),
        ("echo short", "64 hexadecimal digits"),
        ("echo $HOME", "64 hexadecimal digits"),
    ],
)
def test_a_command_that_gives_no_key_ends_the_start(tmp_path: Path, command: str, words: str) -> None:
    environ = {"PATH": os.environ["PATH"], "DRAGOMAN_AUDIT_KEY_COMMAND": command}
    with pytest.raises(StoreError, match=words):
        load_key(tmp_path, environ, SIGNING)
    assert list(tmp_path.iterdir()) == []
