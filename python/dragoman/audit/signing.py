"""The keys of the log: one that signs it, and one that content is sealed under. Neither is in the database."""

from __future__ import annotations

import os
import secrets
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from dragoman.errors import StoreError
from dragoman.store.location import sync_names

KEY_BYTES = 32
PATIENCE_S = 30.0
SIGNING = ("DRAGOMAN_AUDIT_KEY", "audit-signing.key")
SEALING = ("DRAGOMAN_CONTENT_KEY", "audit-content.key")


def load_key(directory: Path, environ: Mapping[str, str], name: tuple[str, str]) -> bytes:
    """A key: of the environment, of what a command prints that the environment names (such as a key service's, which
    unwraps it), or of the file in the data directory, made at first need. The first two are 64 hexadecimal digits.

    Raises:
        StoreError: it is none, the command fails, or others may read the file.
    """
    variable, file = name
    command = environ.get(f"{variable}_COMMAND")
    given = environ.get(variable) if command is None else _printed(f"{variable}_COMMAND", command, environ)
    if given is not None:
        try:
            key = bytes.fromhex(given.strip())
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            source = variable if command is None else f"what {variable}_COMMAND prints"
            raise StoreError(f"{source} must be {2 * KEY_BYTES} hexadecimal digits: openssl rand -hex {KEY_BYTES}")
        return key
    path = directory / file
    try:
        if not path.exists():
            _create(path)
        if path.stat().st_mode & 0o077:
            raise StoreError(f"the key {path} may be read by others: chmod 600 {path}")
        key = path.read_bytes()
    except OSError as error:
        raise StoreError(f"cannot read the key {path}: {error.strerror}") from error
    if len(key) != KEY_BYTES:
        raise StoreError(f"the key {path} is damaged ({len(key)} bytes in place of {KEY_BYTES}): restore it")
    return key


def _printed(variable: str, command: str, environ: Mapping[str, str]) -> str:
    """What a command prints. It is the operator's own, from the environment of the process; no shell reads it."""
    try:
        words = shlex.split(command)
        done = subprocess.run(words, env=dict(environ), capture_output=True, timeout=PATIENCE_S, check=True)  # noqa: S603
        return done.stdout.decode("ascii")
    except (OSError, ValueError, IndexError, subprocess.SubprocessError) as error:
        code = getattr(error, "returncode", None)
        why = f"it ended with status {code}" if code else type(error).__name__
        raise StoreError(f"{variable}: the key cannot be had: {why}") from None


def _create(path: Path) -> None:
    """Make the file whole or not at all; where another was faster, that one counts."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, secrets.token_bytes(KEY_BYTES))
        os.fsync(descriptor)
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        os.close(descriptor)
        draft.unlink()
        sync_names(path.parent)
