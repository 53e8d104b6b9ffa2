"""The secrets of virtual keys.

A secret is ``dgk_``, 43 letters and digits (256 random bits in base 62), and a checksum of 6 (CRC-32 in base 62). The
checksum lets a typo be told from a revoked key without a look-up, and lets a scanner that finds a secret in a public
file know that it is one. 256 bits cannot be guessed, so a slow password hash would only slow us: what is kept is an
HMAC-SHA256 under a pepper that is not in the database, and a stolen database gives no key away, not even to a guess.
"""

from __future__ import annotations

import os
import secrets
import zlib
from collections.abc import Mapping
from pathlib import Path

from dragoman.core import SecretHasher
from dragoman.errors import StoreError
from dragoman.store.location import sync_names

PREFIX = "dgk_"
PEPPER_FILE = "pepper"
PEPPER_VARIABLE = "DRAGOMAN_PEPPER"
MIN_PEPPER_BYTES = 32
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY_LENGTH = 43  # 62^43 > 2^256
_CHECKSUM_LENGTH = 6  # 62^6 > 2^32
_LENGTH = len(PREFIX) + _BODY_LENGTH + _CHECKSUM_LENGTH


def create_secret() -> str:
    """A new secret."""
    body = _base62(secrets.randbits(256), _BODY_LENGTH)
    return PREFIX + body + _checksum(body)


def check_secret(text: str) -> bool:
    """Whether the text has a secret's form and its checksum is right. Says nothing about the key's being known."""
    if len(text) != _LENGTH or not text.startswith(PREFIX) or not text.isascii():
        return False
    body = text[len(PREFIX) : -_CHECKSUM_LENGTH]
    return text[-_CHECKSUM_LENGTH:] == _checksum(body)


def shown_prefix(secret: str) -> str:
    """The first characters, enough to tell keys apart and too few to help a thief."""
    return secret[: len(PREFIX) + 6]


def hash_secret(secret: str, pepper: bytes) -> bytes:
    """The hash of one secret; for many, keep the :class:`~dragoman.core.SecretHasher`."""
    return SecretHasher(pepper)(secret)


def load_pepper(directory: Path, environ: Mapping[str, str]) -> bytes:
    """The pepper of ``DRAGOMAN_PEPPER``, or of the file ``pepper`` in the data directory, made at first need.

    Raises ``StoreError`` for one that is short, or a file that others may read.
    """
    given = environ.get(PEPPER_VARIABLE)
    if given is not None:
        pepper = given.encode("utf-8", "surrogateescape")
        if len(pepper) < MIN_PEPPER_BYTES:
            raise StoreError(f"{PEPPER_VARIABLE} must have at least {MIN_PEPPER_BYTES} bytes: openssl rand -hex 32")
        return pepper
    path = directory / PEPPER_FILE
    try:
        return _create_pepper(path) or _read_pepper(path)
    except OSError as error:
        raise StoreError(f"cannot read the pepper {path}: {error.strerror}") from error


def _create_pepper(path: Path) -> bytes | None:
    """Make the file whole or not at all: written beside, then linked, which fails where there is one."""
    if path.exists():
        return None
    pepper = secrets.token_bytes(MIN_PEPPER_BYTES)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, pepper)
        os.fsync(descriptor)
        os.link(draft, path)
    except FileExistsError:
        return None
    finally:
        os.close(descriptor)
        draft.unlink()
        sync_names(path.parent)
    return pepper


def _read_pepper(path: Path) -> bytes:
    if path.stat().st_mode & 0o077:
        raise StoreError(f"the pepper {path} may be read by others: chmod 600 {path}")
    pepper = path.read_bytes()
    if len(pepper) < MIN_PEPPER_BYTES:
        raise StoreError(
            f"the pepper {path} is damaged ({len(pepper)} bytes in place of {MIN_PEPPER_BYTES}): restore it from a "
            "backup; without it no stored key can be checked"
        )
    return pepper


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
