"""Pinned keys as they are written: ``sha256/`` and the base64 of the SHA-256 of a SubjectPublicKeyInfo.

That is how HTTP Public Key Pinning wrote them (RFC 7469); the two slashes of curl's ``--pinnedpubkey`` are read too.
"""

from __future__ import annotations

from base64 import b64decode, b64encode

PREFIX = "sha256/"
HASH_BYTES = 32
HASH_CHARS = 44
"""Of its base64, whose first may be a slash as well."""
_FORM = f"a pin is {PREFIX} and the base64 of the {HASH_BYTES} bytes of the SHA-256 of a public key"


def read_pin(text: str) -> bytes:
    """The hash that a pin stands for.

    Raises:
        ValueError: it is none; says why.
    """
    if not text.startswith(PREFIX):
        raise ValueError(f"does not begin with {PREFIX}: {_FORM}")
    written = text.removeprefix(PREFIX)
    if len(written) > HASH_CHARS:
        written = written.removeprefix("/")
    try:
        pin = b64decode(written, validate=True)
    except ValueError:
        raise ValueError(f"is not in base64: {_FORM}") from None
    if len(pin) != HASH_BYTES:
        raise ValueError(f"has {len(pin)} bytes: {_FORM}")
    return pin


def write_pin(pin: bytes) -> str:
    """How a hash is written."""
    return PREFIX + b64encode(pin).decode()
