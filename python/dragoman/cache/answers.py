"""The answers that one process keeps, and behind them those that all do."""

from __future__ import annotations

from math import ceil
from random import random
from time import time_ns
from typing import TYPE_CHECKING

from msgspec.structs import force_setattr

from dragoman.cache import kept as notes
from dragoman.cache.semantic import Semantics
from dragoman.core import ExactCache

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dragoman.cache.flight import Flight
    from dragoman.cache.kept import Kept
    from dragoman.cache.shared import SharedAnswers
    from dragoman.config.caching import Cache

# Answers that were kept together are not all over at once: each is kept up to this share less long.
JITTER = 0.05


class AnswerCache:
    """Answers by the whole of what was asked, and calls that are under way."""

    def __init__(self, config: Cache, shared: SharedAnswers | None = None) -> None:
        """:raises ConfigError: the embedding cannot be had."""
        self._config = config
        self._shared = shared
        self.on_purge: Callable[[Sequence[str]], object] = _nothing
        self.exact = ExactCache(config.max_bytes)  # another one once the configuration has another size
        self.flights: dict[bytes, Flight] = {}
        self.semantics = Semantics(config)

    def replace(self, config: Cache) -> None:
        """Put another configuration in force. With other sizes, or another way to find questions, all is forgotten.

        :raises ConfigError: the embedding cannot be had.
        """
        before, semantics = self._config, self.semantics
        if any(getattr(config, name) != getattr(before, name) for name in ("embedding", "max_questions", "verifier")):
            semantics = Semantics(config)
            self.close()
        if config.max_bytes != before.max_bytes:
            self.exact = ExactCache(config.max_bytes)
        self._config, self.semantics = config, semantics

    def close(self) -> None:
        """Have nothing done in the background any more."""
        self.semantics.close()

    def find(self, key: bytes, max_age_s: float | None = None) -> tuple[bytes, Kept] | None:
        """An answer that is younger than that, and what is known of it."""
        now_ms = time_ns() // 1_000_000
        found = self.exact.get(key, now_ms, None if max_age_s is None else ceil(max_age_s * 1000))
        if found is None:
            return None
        body, note, age_ms = found
        kept = notes.decode(note)
        force_setattr(kept, "age_s", age_ms // 1000)  # nobody else has it yet
        return body, kept

    def keep(self, key: bytes, body: bytes, kept: Kept, labels: Sequence[str], ttl_s: float) -> None:
        """Keep an answer."""
        ttl_ms = int(ttl_s * 1000 * (1 - JITTER * random()))  # noqa: S311 - jitter
        note, now_ms = notes.encode(kept), time_ns() // 1_000_000
        self.exact.put(key, (body, note), list(labels), headers=kept.headers, now_ms=now_ms, ttl_ms=max(1, ttl_ms))
        if self._shared is not None and self._config.shared:
            self._shared.keep(key, body, note, labels, max(1, ttl_ms) / 1000)

    @property
    def is_shared(self) -> bool:
        """Whether others may have kept what is not kept here."""
        return self._shared is not None and self._config.shared

    async def fetch(self, key: bytes) -> bool:
        """Keep here what is kept by all, if anything is; for a coroutine that a driver runs."""
        found = None if self._shared is None else await self._shared.find(key)
        if found is not None:
            entry = (key, (found.body, found.note), list(found.labels), found.stored_ms, found.expires_ms)
            self.restore([entry])
        return found is not None

    def purge(self, labels: Sequence[str]) -> int:
        """Forget all answers that have all of the labels, here and elsewhere; how many were here."""
        if self._shared is not None:
            self._shared.purge()
        self.on_purge(labels)
        return self.purge_here(labels)

    def purge_here(self, labels: Sequence[str]) -> int:
        """Forget those that this process keeps."""
        purged = self.exact.purge(list(labels))
        self.semantics.sweep(self, spare=0)
        return purged

    def entries(self) -> list[tuple[bytes, tuple[bytes, bytes], list[str], int, int]]:
        """All that is kept, to be restored."""
        return self.exact.entries()

    def restore(self, entries: list[tuple[bytes, tuple[bytes, bytes], list[str], int, int]]) -> None:
        """Keep again what was kept, as long as it was to be."""
        now_ms = time_ns() // 1_000_000
        for key, answer, labels, stored_ms, expires_ms in entries:
            if expires_ms > now_ms:
                headers, ttl_ms = notes.decode(answer[1]).headers, expires_ms - stored_ms
                self.exact.put(key, answer, labels, headers=headers, now_ms=stored_ms, ttl_ms=ttl_ms)

    def __len__(self) -> int:
        return len(self.exact)

    @property
    def bytes(self) -> int:
        """What the answers take."""
        return self.exact.bytes


def _nothing(_labels: Sequence[str]) -> None:
    """Nobody else keeps any."""
