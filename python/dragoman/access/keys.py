"""The keys in force, in memory: a request is authenticated by one hash and one dictionary look-up.

The look-up is by the whole keyed hash, so its time tells nothing about how near a guess was, and an unknown, a revoked
and an expired key take the same way to the same answer. Nothing is remembered by secret: a revoked key is gone with the
next ``refresh``. A flood of wrong keys never reaches the database.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from sqlalchemy import Engine

from dragoman.access.declared import declared_principals
from dragoman.access.principal import ANONYMOUS, Principal
from dragoman.access.rights import Entities, within
from dragoman.access.stored import forget_children, load_keys, read_generation, save_last_used
from dragoman.config.schema import Key
from dragoman.core import SecretHasher
from dragoman.errors import StoreError

REFRESH_EVERY_S = 2.0
TRUSTED_FOR_S = 300.0
FORGET_EVERY_S = 3600.0
_MAX_SECRET_LENGTH = 512
_log = logging.getLogger("dragoman.access")


class KeyRing:
    """Keys of the config file and of the database, by hash.

    ``find`` and ``declare`` are for the event loop; ``refresh`` (every ``REFRESH_EVERY_S``) and ``save_last_used``
    (every minute, and at the end) read and write the database, and are for a thread. Raises ``StoreError`` or
    ``ConfigError`` when the keys cannot be loaded at first.

    ``is_open`` says that everybody is served: no key was ever made, and only this machine can connect. Keys that are
    all revoked or expired leave the door shut.
    """

    def __init__(
        self,
        engine: Engine,
        pepper: bytes,
        declared: Iterable[Key],
        *,
        loopback: bool,
        monotonic_s: Callable[[], float] = time.monotonic,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._pepper = pepper
        self.hasher = SecretHasher(pepper)
        self.changed: Callable[[], None] = lambda: None
        self._loopback = loopback
        self._monotonic_s = monotonic_s
        self._wall_s = wall_s
        self._declared = declared_principals(declared, pepper)
        self._loaded = load_keys(engine, pepper)
        self._fresh_at_s = monotonic_s()
        self._trusted = True
        self._used: set[str] = set()
        self._forget_due_s = monotonic_s() + FORGET_EVERY_S
        self._by_hash: dict[bytes, Principal] = {}
        self.has_issuers = False  # whose tokens are taken as well
        self.is_open = False
        self._combine()

    @property
    def total(self) -> int:
        """How many keys are known, revoked and expired ones too."""
        return len(self._declared) + self._loaded.total

    @property
    def entities(self) -> Entities:
        """Who there is."""
        return self._loaded.entities

    def by_id(self, key_id: str) -> Principal | None:
        """The principal of a key in force."""
        return next((one for one in self._by_hash.values() if one.key_id == key_id), None)

    @property
    def stale_s(self) -> float:
        """How long ago the database was last read well."""
        return self._monotonic_s() - self._fresh_at_s

    def find(self, secret: str | None, client: str = "") -> Principal | None:
        """The principal behind a secret; None when it is no key that is in force now, and there.

        :param client: the address that it is used from.
        """
        return ANONYMOUS if self.is_open else self.known(secret, client)

    def known(self, secret: str | None, client: str = "") -> Principal | None:
        """The same, where nobody is served without a key."""
        if not secret or len(secret) > _MAX_SECRET_LENGTH:
            return None
        principal = self._by_hash.get(self.hasher(secret))
        if principal is None:
            return None
        if principal.expires_at_ms is not None and principal.expires_at_ms <= self._wall_s() * 1000:
            return None
        if not principal.may_come_from(client):
            return None
        self._used.add(principal.key_id)
        return principal

    def in_force(self, digest: bytes) -> Principal | None:
        """The principal of a key whose secret has that hash, wherever it is used from."""
        return ANONYMOUS if self.is_open else self._by_hash.get(digest)

    def note_used(self, principal: Principal) -> None:
        """A key has been used that was not looked up for it."""
        self._used.add(principal.key_id)

    def learn(self, digest: bytes, principal: Principal) -> None:
        """Know a key that was made here, before it is read from the database."""
        placed = within(principal, self._loaded.entities)
        if placed is not None:
            self._loaded.principals[digest] = placed
            self._combine()

    def declare(self, keys: Iterable[Key], *, has_issuers: bool = False) -> None:
        """Put these in place of the config file's keys. Raises ``ConfigError``, changing nothing, for bad ones.

        :param has_issuers: tokens are taken as well, so the door is shut.
        """
        self.has_issuers = has_issuers
        self._declared = declared_principals(keys, self._pepper)
        self._combine()

    def refresh(self) -> bool:
        """Look whether keys have changed, and load them if so. Says whether the database could be read.

        While it cannot, the keys known are trusted for five minutes. After that the stored ones are refused: one that
        was revoked meanwhile must not work for ever.
        """
        try:
            if not self._trusted or read_generation(self._engine) != self._loaded.generation:
                self._loaded = load_keys(self._engine, self._pepper)
                self._trusted = True
                self._combine()
        except StoreError as error:
            if self._trusted and self.stale_s > TRUSTED_FOR_S:
                _log.error("stored keys are refused until the database can be read: %s", error)
                self._trusted = False
                self._combine()
            return False
        self._fresh_at_s = self._monotonic_s()
        return True

    def save_last_used(self) -> bool:
        """Write down which keys were used since the last time, and forget children that are long over, now and then.

        False: it did not work, and is tried again.
        """
        used, self._used = self._used, set()
        stored = {principal.key_id for principal in self._loaded.principals.values()}
        try:
            save_last_used(self._engine, sorted(used & stored), now_ms=int(self._wall_s() * 1000))
            if self._monotonic_s() >= self._forget_due_s:
                self._forget_due_s = self._monotonic_s() + FORGET_EVERY_S
                forget_children(self._engine, now_ms=int(self._wall_s() * 1000))
        except StoreError:
            self._used |= used
            return False
        return True

    def _combine(self) -> None:
        stored = self._loaded.principals if self._trusted else {}
        entities = self._loaded.entities
        declared = {digest: within(principal, entities) for digest, principal in self._declared.items()}
        self._by_hash = stored | {digest: one for digest, one in declared.items() if one is not None}
        self.is_open = self._loopback and self.total == 0 and not self.has_issuers
        self.changed()
