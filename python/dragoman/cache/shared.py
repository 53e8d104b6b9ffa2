"""Answers that all processes keep together, in Redis, behind those that each keeps itself.

A value is sealed under a key of the pepper, for its own name: whatever else lies there, or was changed, or is of
another version, is a miss. Purging forgets all of it, whatever the labels: a value counts only while the *generation*
stands that it was kept in. A later one stands against an earlier; where Redis did not take it, it is put again before
anything is given. Redis that does not answer is passed by.
"""

from __future__ import annotations

import hmac
import secrets
from time import time_ns
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from dragoman.core import Sealer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dragoman.core import Redis

VERSION = b"dragoman/shared-answer/1"
GENERATION = b"answers"
GENERATION_KEPT_S = 10 * 366 * 86_400.0
FIRST = b"0"


class Answer(Struct, frozen=True, array_like=True):
    """What is kept of one."""

    generation: bytes
    body: bytes
    note: bytes
    labels: tuple[str, ...]
    stored_ms: int
    expires_ms: int


_decode = msgspec.msgpack.Decoder(Answer).decode


class SharedAnswers:
    """Redis, as answers are kept there."""

    def __init__(self, redis: Redis, pepper: bytes) -> None:
        self._redis = redis
        self._sealer = Sealer(hmac.digest(pepper, b"shared answers", "sha256"))
        self._generation = FIRST  # the latest that is known

    async def find(self, key: bytes) -> Answer | None:
        """An answer; for a coroutine that a driver runs."""
        if not self._redis.is_up:
            return None
        asked, standing = self._redis.get(_name(key)), self._redis.get(GENERATION)
        sealed, generation = await asked, (await standing) or FIRST
        if generation < self._generation:
            self._redis.put(GENERATION, self._generation, GENERATION_KEPT_S)
            return None
        self._generation = generation
        opened = None if sealed is None else self._sealer.open(sealed, VERSION + key)
        if opened is None:
            return None
        try:
            answer = _decode(opened)
        except msgspec.DecodeError:
            return None
        counts = answer.generation == self._generation and answer.expires_ms > time_ns() // 1_000_000
        return answer if counts else None

    def keep(self, key: bytes, body: bytes, note: bytes, labels: Sequence[str], ttl_s: float) -> None:
        """Keep an answer. Does not wait."""
        now_ms = time_ns() // 1_000_000
        answer = Answer(self._generation, body, note, tuple(labels), now_ms, now_ms + int(ttl_s * 1000))
        self._redis.put(_name(key), self._sealer.seal(msgspec.msgpack.encode(answer), VERSION + key), ttl_s)

    def purge(self) -> None:
        """Forget all answers. Does not wait."""
        self._generation = f"{time_ns() // 1_000_000:015}-{secrets.token_hex(4)}".encode()
        self._redis.put(GENERATION, self._generation, GENERATION_KEPT_S)


def _name(key: bytes) -> bytes:
    return b"answer:" + key.hex().encode()
