"""The keys of the log: one that signs it, and one that content is sealed under. Neither is in the database."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from dragoman.errors import StoreError

KEY_BYTES = 32
SIGNING = ("DRAGOMAN_AUDIT_KEY", "audit-signing.key")
SEALING = ("DRAGOMAN_CONTENT_KEY", "audit-content.key")


def load_key(directory: Path, environ: Mapping[str, str], name: tuple[str, str]) -> bytes:
    """A key: of the environment (64 hexadecimal digits), or of the file in the data directory, made at first need.

    Raises:
        StoreError: it is none, or others may read the file.
    """
    variable, file = name
    given = environ.get(variable)
    if given is not None:
        try:
            key = bytes.fromhex(given.strip())
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            raise StoreError(f"{variable} must be {2 * KEY_BYTES} hexadecimal digits: openssl rand -hex {KEY_BYTES}")
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
