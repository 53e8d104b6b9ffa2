"""The answers that one process keeps."""

from __future__ import annotations

from random import random
from time import time_ns
from typing import TYPE_CHECKING

from msgspec.structs import replace

from dragoman.cache import kept as notes
from dragoman.core import ExactCache

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dragoman.cache.flight import Flight
    from dragoman.cache.kept import Kept

# Answers that were kept together are not all over at once: each is kept up to this share less long.
JITTER = 0.05


class AnswerCache:
    """Answers by the whole of what was asked, and calls that are under way."""

    def __init__(self, max_bytes: int) -> None:
        self._entries = ExactCache(max_bytes)
        self._max_bytes = max_bytes
        self.flights: dict[bytes, Flight] = {}

    def resize(self, max_bytes: int) -> None:
        """Hold no more than so much. With another size than before nothing is left of what was kept."""
        if max_bytes != self._max_bytes:
            self._entries = ExactCache(max_bytes)
            self._max_bytes = max_bytes

    def find(self, key: bytes, max_age_s: float | None = None) -> tuple[bytes, Kept] | None:
        """An answer that is younger than that, and what is known of it."""
        now_ms = time_ns() // 1_000_000
        found = self._entries.get(key, now_ms)
        if found is None:
            return None
        body, note, stored_ms = found
        age_s = max(0, now_ms - stored_ms) / 1000
        if max_age_s is not None and age_s >= max_age_s:
            return None
        return body, replace(notes.decode(note), age_s=int(age_s))

    def keep(self, key: bytes, body: bytes, kept: Kept, labels: Sequence[str], ttl_s: float) -> None:
        """Keep an answer."""
        ttl_ms = int(ttl_s * 1000 * (1 - JITTER * random()))  # noqa: S311 - jitter
        self._entries.put(
            key, (body, notes.encode(kept)), list(labels), now_ms=time_ns() // 1_000_000, ttl_ms=max(1, ttl_ms)
        )

    def purge(self, labels: Sequence[str]) -> int:
        """Forget all answers that have all of the labels; how many these were."""
        return self._entries.purge(list(labels))

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def bytes(self) -> int:
        """What the answers take."""
        return self._entries.bytes
