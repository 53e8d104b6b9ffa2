"""The answers that are kept, over a restart: in one file, sealed with a key that is not beside it in the database.

A file that was written by another version, with another pepper, or changed by anybody is not read: that is a miss.
"""

from __future__ import annotations

import hmac
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from dragoman.core import Sealer

if TYPE_CHECKING:
    from dragoman.cache.answers import AnswerCache

log = logging.getLogger("dragoman.cache")

VERSION = b"dragoman/cache/2"
NAME = "cache.sealed"


class _Saved(Struct, array_like=True):
    entries: list[tuple[bytes, tuple[bytes, bytes], list[str], int, int]]
    questions: list[tuple[bytes, bytes, str, bytes]]


class CacheFile:
    """The file of one of the server's workers, from 0."""

    def __init__(self, directory: Path, pepper: bytes, worker: int = 0) -> None:
        self.path = directory / (f"cache.{worker}.sealed" if worker else NAME)
        self._sealer = Sealer(hmac.digest(pepper, b"answers", "sha256"))

    def save(self, cache: AnswerCache) -> None:
        """Write all that is kept. A failure is logged and nothing else."""
        saved = _Saved(cache.entries(), cache.semantics.rows())
        sealed = self._sealer.seal(msgspec.msgpack.encode(saved), VERSION)
        new = self.path.with_suffix(".new")
        try:
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(sealed)
            new.replace(self.path)
        except OSError as error:
            log.error("the cache cannot be saved: %s", error)

    def load(self, cache: AnswerCache) -> None:
        """Read what was kept."""
        try:
            opened = self._sealer.open(self.path.read_bytes(), VERSION)
            if opened is None:
                log.warning("the saved cache is of another version or key, and is not used")
                return
            saved = msgspec.msgpack.decode(opened, type=_Saved)
        except FileNotFoundError:
            return
        except (OSError, msgspec.DecodeError) as error:
            log.warning("the saved cache cannot be read: %s", error)
            return
        cache.restore(saved.entries)
        cache.semantics.restore(saved.questions)

    def remove(self) -> None:
        """Leave nothing."""
        self.path.unlink(missing_ok=True)
