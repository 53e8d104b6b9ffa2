"""What processes tell each other by Redis, so that it holds at once: the database's polling finds it a little later.

A key was revoked, a limit set, somebody erased: look now. Answers were purged. A deployment is cooling down, or is well
again. News may be missed, while Redis is away for one: nothing relies on it for being right.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dragoman.core import Redis
    from dragoman.routing.probing import Probing

log = logging.getLogger("dragoman.server")

CHANNEL = "news"
LOOK_EVERY_S = 0.25
# A cooldown that ends so much later than was known is another.
LATER_S = 0.5
MOST_COOLDOWN_S = 3600.0


class Changed(Struct, frozen=True, tag="changed"):
    """Something in the database, by whomever."""

    origin: str = ""


class Purged(Struct, frozen=True, tag="purged"):
    """Answers that have all of these labels."""

    origin: str
    labels: tuple[str, ...]


class Cooling(Struct, frozen=True, tag="cooling"):
    """A deployment with a credential."""

    origin: str
    name: str
    left_s: float


class Recovered(Struct, frozen=True, tag="recovered"):
    """A deployment with a credential, as a probe has found."""

    origin: str
    name: str


Word = Changed | Purged | Cooling | Recovered
_decode = msgspec.json.Decoder(Word).decode


class Change:
    """Waiting for a change; for the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._happened = asyncio.Event()

    def happened(self) -> None:
        """There was one. From any thread."""
        self._loop.call_soon_threadsafe(self._happened.set)

    async def within(self, seconds: float) -> None:
        """Wait for one, so long at most."""
        try:
            await asyncio.wait_for(self._happened.wait(), seconds)
        except TimeoutError:
            return
        self._happened.clear()


class News:
    """One process's ear and mouth."""

    def __init__(self, probing: Probing, change: Change) -> None:
        self.on_purged: Callable[[Sequence[str]], object] = _nothing
        self._redis = probing.redis
        self._origin = probing.origin
        self._balancer = probing.balancer
        self._probing = probing
        self._change = change
        self._cooling: dict[str, float] = {}  # until when, of the monotonic clock
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="news", daemon=True)

    def start(self) -> None:
        """Begin to listen, and to tell."""
        self._probing.cools = self._cool
        self._redis.listen(CHANNEL, self.hear)
        self._thread.start()

    def purged(self, labels: Sequence[str]) -> None:
        """Answers were purged here: they are to be elsewhere."""
        self._tell(Purged(self._origin, tuple(labels)))

    def hear(self, word: str) -> None:
        """What another process has said; nothing: something may have been missed. What makes no sense is not heard."""
        try:
            said = _decode(word) if word else Changed()
        except msgspec.DecodeError:
            return
        if said.origin and said.origin == self._origin:
            return
        if isinstance(said, Changed):
            self._change.happened()
        elif isinstance(said, Purged):
            self.on_purged(said.labels)
        elif isinstance(said, Recovered):
            with self._lock:
                self._cooling.pop(said.name, None)
                self._balancer.recover(said.name)
        elif 0 < said.left_s <= MOST_COOLDOWN_S:
            self._cool(said.name, said.left_s)

    def _cool(self, name: str, left_s: float) -> None:
        """Cool down by what others have found: it is not told again."""
        with self._lock:
            self._cooling[name] = time.monotonic() + left_s
            self._balancer.cool_down(name, left_s)

    def look(self) -> None:
        """Tell of deployments that are well again, and of those that have begun to cool down."""
        for name in self._probing.look():
            with self._lock:
                self._cooling.pop(name, None)
            self._tell(Recovered(self._origin, name))
        for member in self._balancer.members():
            left_s = member.cooldown_left_s
            with self._lock:
                until_s = time.monotonic() + left_s
                is_new = left_s > 0 and until_s > self._cooling.get(member.name, 0.0) + LATER_S
                if is_new:
                    self._cooling[member.name] = until_s
            if is_new:
                self._tell(Cooling(self._origin, member.name, left_s))

    def _watch(self) -> None:
        while not self._stopped.wait(LOOK_EVERY_S):
            self.look()

    def _tell(self, said: Word) -> None:
        self._redis.tell(CHANNEL, msgspec.json.encode(said).decode())

    def close(self) -> None:
        """Say no more."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()


def tell_of_change(redis: Redis) -> bool:
    """Have all servers look at once what has changed in the database. False: they find it by themselves."""
    return redis.publish(CHANNEL, msgspec.json.encode(Changed()).decode())


def _nothing(_labels: Sequence[str]) -> None:
    """Nobody keeps answers."""
