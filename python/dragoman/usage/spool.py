"""Rows that the database would not take, kept in a file until it does.

One JSON line a row, after a first line that names the spool. How far it has been read back stands in the database, in
the same transaction as the rows read: a crash at any instant neither loses nor doubles one.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from dragoman.usage.row import UsageRow

MAX_BYTES = 256 * 1024 * 1024
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(UsageRow)
_name_decoder = msgspec.json.Decoder(dict[str, str])


class Chunk(NamedTuple):
    """Some rows of the spool; ``end`` is the offset after them, ``unreadable`` how many lines made no row."""

    rows: list[UsageRow]
    end: int
    unreadable: int


class Spool:
    """The file at ``path``. Only one thread may use it. Methods raise ``OSError`` as the file system does."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes

    @property
    def exists(self) -> bool:
        """Whether rows may be waiting."""
        return self._path.exists()

    def append(self, rows: Sequence[UsageRow]) -> int:
        """Add rows and return how many fitted below the size limit. On an error none was added."""
        with open(self._path, "ab", opener=_private) as file:
            start = file.tell()
            lines, size = ([], start) if start else ([_header()], 256)
            fitted = 0
            for row in rows:
                line = _encoder.encode(row) + b"\n"
                size += len(line)
                if size > self._max_bytes:
                    break
                lines.append(line)
                fitted += 1
            try:
                file.write(b"".join(lines))
                file.flush()
            except OSError:
                os.ftruncate(file.fileno(), start)
                raise
        return fitted

    def name(self) -> str:
        """The name in the first line; empty when that line is torn."""
        with open(self._path, "rb") as file:
            try:
                return _name_decoder.decode(file.readline()).get("spool", "")
            except msgspec.DecodeError:
                return ""

    def read(self, start: int, count: int) -> Chunk:
        """At most ``count`` lines from the offset ``start`` (0: the first row). No lines: the end."""
        rows: list[UsageRow] = []
        unreadable = 0
        with open(self._path, "rb") as file:
            if start:
                file.seek(start)
            else:
                file.readline()
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
        return self._path.stat().st_size if self._path.exists() else 0

    def remove(self) -> None:
        """Delete the file: every row of it is in the database."""
        self._path.unlink(missing_ok=True)


def _header() -> bytes:
    return _encoder.encode({"spool": secrets.token_hex(16)}) + b"\n"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
