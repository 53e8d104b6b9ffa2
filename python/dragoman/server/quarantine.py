"""Requests that bring workers down, which clients send again and again, are let near no third one.

While no worker falls nothing is done, and a request costs nothing. Once one has (by a signal of its own making, or by
standing still; not by somebody's ``kill -9``), all workers of the server are careful for an hour: what each has under
way is in a file that outlives it, as keyed hashes. A request that was under way when two careful workers fell, and came
to its end at none, is refused for an hour. So a request is known by a third fall: the first only makes all look. What a
careful worker pays is the hash of each body.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import msgspec
from msgspec import Struct, field

from dragoman.errors import Quarantined
from dragoman.store.lock import one_at_a_time

CAREFUL_S = 3600.0
REFUSED_S = 3600.0
MOST_FALLS = 2
SLOTS = 4096
WIDTH = 32


class Suspect(Struct):
    """A request that was under way when workers fell."""

    falls: int
    last_s: float


class Known(Struct):
    """What all workers of a server know."""

    run: str = ""
    fallen_s: float = 0.0
    suspects: dict[str, Suspect] = field(default_factory=dict)


class Quarantine:
    """One worker's part in it.

    :param run: of this start of the server; hashes are keyed by it, and what an earlier one knew is forgotten.
    :param fell: whether the worker that had this one's place before was brought down.
    """

    def __init__(
        self, directory: Path, worker: int, run: str, *, fell: bool = False, clock: Callable[[], float] = time.time
    ) -> None:
        self._shared = directory / "quarantine.json"
        self._lock = directory / "quarantine.lock"
        self._own = directory / f"under-way-{worker}"
        self._run = run
        self._clock = clock
        self._slots: dict[str, tuple[int, bytes]] = {}
        self._free = list(range(SLOTS))
        self._memory: mmap.mmap | None = None
        self._seen = 0
        self._known = Known()
        if fell:
            self._charge()
        self._own.unlink(missing_ok=True)
        self.is_careful = False
        self.look()

    def look(self) -> None:
        """Learn what other workers have found out."""
        with suppress(FileNotFoundError):
            changed = self._shared.stat().st_mtime_ns
            if changed != self._seen:
                self._seen, self._known = changed, self._read()
        # What was noted is to be crossed out.
        self.is_careful = self._clock() - self._known.fallen_s < CAREFUL_S or bool(self._slots)
        if self.is_careful and self._memory is None:
            self._memory = self._opened()

    @property
    def refused(self) -> list[str]:
        """The hashes of requests that are not let in."""
        return [name for name, one in self._known.suspects.items() if self._refuses(one)]

    def enter(self, request_id: str, path: str, body: bytes) -> None:
        """Take note that a request is under way. It need not be said to one that is not careful.

        Raises:
            Quarantined: it has brought down too many.
        """
        if not self.is_careful or self._memory is None:
            return
        digest = blake2b(path.encode() + b"\0" + body, key=self._run.encode(), digest_size=WIDTH).digest()
        suspect = self._known.suspects.get(digest.hex())
        if suspect is not None and self._refuses(suspect):
            raise Quarantined(
                f"Workers of this gateway fell {suspect.falls} times while they had this request, so it is not tried "
                "again within the hour. Change it, or send it elsewhere."
            )
        if self._free:
            slot = self._free.pop()
            self._slots[request_id] = slot, digest
            self._memory[slot * WIDTH : (slot + 1) * WIDTH] = digest

    def leave(self, request_id: str) -> None:
        """A request has come to its end: whatever brings workers down, it is not this."""
        noted = self._slots.pop(request_id, None)
        if noted is None or self._memory is None:
            return
        slot, digest = noted
        self._memory[slot * WIDTH : (slot + 1) * WIDTH] = bytes(WIDTH)
        self._free.append(slot)
        if digest.hex() in self._known.suspects:
            self._change(lambda known: known.suspects.pop(digest.hex(), None))

    def close(self) -> None:
        """The worker ends in order."""
        if self._memory is not None:
            self._memory.close()
            self._memory = None
        self._own.unlink(missing_ok=True)

    def _refuses(self, suspect: Suspect) -> bool:
        return suspect.falls >= MOST_FALLS and self._clock() - suspect.last_s < REFUSED_S

    def _charge(self) -> None:
        """Count a fall, to the requests that the one who fell had under way."""
        now_s = self._clock()
        left = self._own.read_bytes() if self._own.exists() else b""
        digests = {left[at : at + WIDTH] for at in range(0, len(left), WIDTH)} - {bytes(WIDTH)}

        def charge(known: Known) -> None:
            known.fallen_s = now_s
            for name in (digest.hex() for digest in digests):
                before = known.suspects.get(name)
                known.suspects[name] = Suspect(1 if before is None else before.falls + 1, now_s)

        self._change(charge)

    def _change(self, change: Callable[[Known], object]) -> None:
        with one_at_a_time(self._lock):
            known = self._read()
            known.run = self._run
            oldest_s = self._clock() - max(CAREFUL_S, REFUSED_S)
            known.suspects = {name: one for name, one in known.suspects.items() if one.last_s > oldest_s}
            change(known)
            draft = self._shared.with_suffix(".draft")
            draft.write_bytes(msgspec.json.encode(known))
            draft.chmod(0o600)
            draft.replace(self._shared)
            self._known = known

    def _read(self) -> Known:
        """What is known; nothing, where the file is of another start, or none of ours."""
        with suppress(FileNotFoundError, msgspec.DecodeError):
            known = msgspec.json.decode(self._shared.read_bytes(), type=Known)
            if known.run == self._run:
                return known
        return Known()

    def _opened(self) -> mmap.mmap:
        descriptor = os.open(self._own, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, SLOTS * WIDTH)
            return mmap.mmap(descriptor, SLOTS * WIDTH)
        finally:
            os.close(descriptor)
