"""Writing to the database what no request waits for."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from sqlalchemy.exc import SQLAlchemyError

MOST_WAITING = 1024
T = TypeVar("T")
_log = logging.getLogger("dragoman.store")


class WriteBehind:
    """One thread, in the order of asking. What waits is bounded; beyond that it is not written, and counted."""

    def __init__(self, name: str) -> None:
        self.lost = 0
        self._waiting = 0
        self._name = name
        self._thread = ThreadPoolExecutor(1, name)

    def submit(self, write: Callable[[], None]) -> None:
        """Write when there is time. Never blocks, never raises."""
        if self._waiting >= MOST_WAITING:
            self.lost += 1
            return
        self._waiting += 1
        self._thread.submit(self._write, write)

    def wait_for(self, write: Callable[[], None]) -> None:
        """Write, behind all that waits. Raises what it raises."""
        self._thread.submit(write).result()

    def close(self) -> None:
        """Write what waits."""
        self._thread.shutdown()

    def _write(self, write: Callable[[], None]) -> None:
        self._waiting -= 1
        try:
            write()
        except SQLAlchemyError:
            self.lost += 1
            _log.warning("something of the %s could not be stored; it is known until the server stops", self._name)


class Recent(Generic[T]):
    """What was put or found last, within a number and a size."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._items: OrderedDict[tuple[str, str], tuple[T, int]] = OrderedDict()

    def put(self, key: tuple[str, str], item: T, size: int) -> None:
        """Remember an item, and forget the oldest for it."""
        self.pop(key)
        self._items[key] = item, size
        self._bytes += size
        while len(self._items) > 1 and (len(self._items) > self._most or self._bytes > self._most_bytes):
            self._bytes -= self._items.popitem(last=False)[1][1]

    def get(self, key: tuple[str, str]) -> T | None:
        """An item, if it is remembered."""
        found = self._items.get(key)
        return None if found is None else found[0]

    def clear(self) -> None:
        """Forget all."""
        self._items.clear()
        self._bytes = 0

    def __contains__(self, key: tuple[str, str]) -> bool:
        return key in self._items

    def pop(self, key: tuple[str, str]) -> None:
        """Forget an item."""
        known = self._items.pop(key, None)
        self._bytes -= 0 if known is None else known[1]
