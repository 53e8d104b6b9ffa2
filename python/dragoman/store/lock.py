"""One server a database: an advisory lock on a file beside it.

SQLite itself would let two servers in, and both would count, clean up and poll as if they were alone. The kernel drops
the lock with the process, however it ends, so there is no stale lock to remove by hand. The file's text is the owner's
process id, wiped when the owner closes in order: text in a file that nobody locks tells of a crash.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dragoman.errors import StoreError


class InstanceLock:
    """The lock, held from construction to ``release``.

    Raises ``StoreError``, naming the owner's process id, when another process has it. A forked child shares it: the
    lock is free when the last of them is gone.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"cannot open the lock file {path}: {error.strerror}") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = self._text()
            os.close(self._fd)
            raise StoreError(
                f"another server (process {owner or 'unknown'}) uses this database (lock file {path}); "
                "stop it, or give this one its own store.data_dir"
            ) from error
        self.found_unclean = bool(self._text())
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Say that the end is in order, and let go."""
        os.ftruncate(self._fd, 0)
        os.close(self._fd)

    def abandon(self) -> None:
        """Let go, leaving the mark of a crash: what was found is still to be looked at by the next owner."""
        os.close(self._fd)

    def _text(self) -> str:
        return os.pread(self._fd, 64, 0).decode(errors="replace").strip()


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Alone among the processes of a server that start together, which find files that are whole or make them."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
