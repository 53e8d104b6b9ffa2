"""Secrets that expire, renewed ahead of their end.

A request reads what is there and never waits, but for the first one and after a long failure. What is to be renewed is
fetched once, however many ask for it, on a thread of its own: the libraries that fetch it block.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock, Thread
from typing import Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")

# Before its end a secret is renewed, and before its very end no longer used: clocks differ, and requests take time.
RENEW_BEFORE_S = 300.0
UNUSED_BEFORE_S = 10.0
# After a failure the next fetch waits as long, so that a broken source is not asked with every request.
RETRY_AFTER_S = 10.0


class Lease(Struct, Generic[T], frozen=True):
    """A secret, and when it ends: seconds since 1970."""

    value: T
    ends_s: float


class Unavailable(Exception):
    """No secret could be had; says why, without a secret."""


class Rotating(Generic[T]):
    """One secret that expires.

    :param fetch: gets a new one; may block. Raises :class:`Unavailable`.
    """

    def __init__(self, fetch: Callable[[], Lease[T]], now_s: Callable[[], float] = time.time) -> None:
        self._fetch = fetch
        self._now_s = now_s
        self._lease: Lease[T] | None = None
        self._renew_s = 0.0
        self._failure: tuple[float, Unavailable] | None = None
        self._fetching = Lock()

    def current(self) -> T | None:
        """The secret, or ``None`` where it has to be waited for; begins to renew it where that is due."""
        lease, now_s = self._lease, self._now_s()
        if lease is None or now_s >= lease.ends_s - UNUSED_BEFORE_S:
            return None
        if now_s >= self._renew_s and not self._fetching.locked():
            Thread(target=self._renew_quietly, name="identity", daemon=True).start()
        return lease.value

    def wait(self) -> T:
        """The secret, fetched first where need be. Blocks.

        Raises:
            Unavailable: it cannot be had, or could not a moment ago.
        """
        with self._fetching:
            value, now_s = self.current(), self._now_s()
            if value is not None:
                return value
            if self._failure is not None and now_s < self._failure[0]:
                raise self._failure[1]
            return self._renew()

    def _renew_quietly(self) -> None:
        if not self._fetching.acquire(blocking=False):
            return
        try:
            if self._now_s() >= self._renew_s:
                self._renew()
        except Unavailable:
            pass  # the old one is good for a while; whoever has to wait will be told
        finally:
            self._fetching.release()

    def _renew(self) -> T:
        try:
            lease = self._fetch()
        except Unavailable as failure:
            self._renew_s = self._now_s() + RETRY_AFTER_S
            self._failure = self._renew_s, failure
            raise
        now_s = self._now_s()
        # A short lease is renewed when half of it is over.
        self._renew_s = max(lease.ends_s - RENEW_BEFORE_S, now_s + (lease.ends_s - now_s) / 2)
        self._lease, self._failure = lease, None
        return lease.value
