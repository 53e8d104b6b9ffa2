"""Rows that the database would not take, kept in a file until it does.

One JSON line a row. How far the file has been read back stands in the database, under the file's name, in the same
transaction as the rows read: a crash at any instant neither loses nor doubles one. A new file has a new name, so an old
position never stands for it. Each worker of a server has files of its own; the first takes over those of workers that
there are no more.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from dragoman.usage.row import UsageRow

MAX_BYTES = 256 * 1024 * 1024
_PREFIX = "usage-spool-"
_SUFFIX = ".jsonl"
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(UsageRow)


class Chunk(NamedTuple):
    """Some rows of the spool; ``end`` is the offset after them, ``unreadable`` how many lines made no row."""

    rows: list[UsageRow]
    end: int
    unreadable: int


class Spool:
    """The spool of a worker in a directory: no file, or one. Only one thread may use it. Methods raise ``OSError``.

    :param worker: which of the server's ``workers``, from 0.
    """

    def __init__(self, directory: Path, *, max_bytes: int = MAX_BYTES, worker: int = 0, workers: int = 1) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        self._worker = worker
        self._others = set(range(workers)) - {worker}
        self._path = self._found()

    def _found(self) -> Path | None:
        """A file of this worker's, or that nobody else has."""
        paths = sorted(self._directory.glob(f"{_PREFIX}*{_SUFFIX}"))
        return next((path for path in paths if self._is_ours(_worker_of(path.name))), None)

    def _is_ours(self, worker: int) -> bool:
        return worker == self._worker or (self._worker == 0 and worker not in self._others)

    @property
    def name(self) -> str:
        """The file's name; empty when no row is waiting."""
        return self._path.name if self._path is not None else ""

    def append(self, rows: Sequence[UsageRow]) -> int:
        """Add rows and return how many fitted below the size limit. On an error none was added."""
        whose = f"w{self._worker}-" if self._worker else ""
        path = self._path or self._directory / f"{_PREFIX}{whose}{secrets.token_hex(8)}{_SUFFIX}"
        # Unbuffered: a buffer that could not be written would be written again, after the file was cut back.
        with open(path, "a+b", buffering=0, opener=_private) as file:
            self._path = path
            start = file.seek(0, os.SEEK_END)
            torn = start > 0 and not _ends_in_newline(file, start)
            lines = [b"\n"] if torn else []
            size = start + len(lines)
            fitted = 0
            for row in rows:
                line = _encoder.encode(row) + b"\n"
                size += len(line)
                if size > self._max_bytes:
                    break
                lines.append(line)
                fitted += 1
            try:
                _write_all(file, b"".join(lines))
            except OSError:
                os.ftruncate(file.fileno(), start)
                raise
        return fitted

    def read(self, start: int, count: int) -> Chunk:
        """At most ``count`` lines from the offset ``start``. No lines: the end."""
        if self._path is None:
            return Chunk([], start, 0)
        rows: list[UsageRow] = []
        unreadable = 0
        with open(self._path, "rb") as file:
            file.seek(start)
            for _ in range(count):
                line = file.readline()
                if not line:
                    break
                try:
                    rows.append(_decoder.decode(line))
                except (msgspec.DecodeError, UnicodeDecodeError):
                    unreadable += 1
            return Chunk(rows, file.tell(), unreadable)

    def size(self) -> int:
        """Bytes in the file; 0 when there is none."""
        return self._path.stat().st_size if self._path is not None else 0

    def remove(self) -> None:
        """Delete the file: every row of it is in the database."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = self._found()


def _worker_of(name: str) -> int:
    found = re.match(rf"{_PREFIX}w(\d+)-", name)
    return int(found[1]) if found else 0


def _write_all(file: BinaryIO, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


def _ends_in_newline(file: BinaryIO, size: int) -> bool:
    file.seek(size - 1)
    return file.read(1) == b"\n"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
