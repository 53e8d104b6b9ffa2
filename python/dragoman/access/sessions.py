"""Sessions of people who have logged in: a secret of which a keyed hash is kept, as of keys.

Each use is looked up in the database, so whatever ends a session, ends it everywhere at once: a logout, a user who is
disabled, a role that is taken away, too long without a request, or another address than the one that logged in.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from dragoman.access.principal import Principal
from dragoman.access.rights import Entities, role_of, within
from dragoman.access.roles import permissions_of
from dragoman.access.secret import hash_secret
from dragoman.errors import StoreError
from dragoman.store.tables import sessions

if TYPE_CHECKING:
    from dragoman.config.signing_in import Login

SESSION_PREFIX = "dgs_"
HOUR_MS = 3_600_000
NOTE_USE_EVERY_MS = 60_000


class Person(Struct, frozen=True, kw_only=True):
    """Whose session it is."""

    key_id: str
    name: str
    organisation: str
    team: str
    user: str
    role: str
    is_mapped: bool  # the role is a group's; else it is the user's here


class Sessions:
    """Those in the database."""

    def __init__(self, engine: Engine, pepper: bytes, login: Login) -> None:
        self._engine = engine
        self._pepper = pepper
        self.login = login

    def begin(self, person: Person, address: str, *, now_ms: int) -> tuple[str, int]:
        """A new session: its secret, and when it ends. Raises ``StoreError``."""
        secret = SESSION_PREFIX + secrets.token_urlsafe(32)
        ends_ms = now_ms + round(self.login.hours * HOUR_MS)
        row = {"hash": self._hash(secret), "body": msgspec.json.encode(person), "address": host_of(address)}
        try:
            with self._engine.begin() as connection:
                connection.execute(delete(sessions).where(sessions.c.expires_at_ms <= now_ms))
                connection.execute(insert(sessions).values(row | {"used_at_ms": now_ms, "expires_at_ms": ends_ms}))
        except SQLAlchemyError as error:
            raise StoreError("the session cannot be stored") from error
        return secret, ends_ms

    def find(self, secret: str, address: str, entities: Entities, *, now_ms: int) -> Principal | None:
        """Who a session is of now; ``None``: it is none, or over. Raises ``StoreError``."""
        digest = self._hash(secret)
        try:
            with self._engine.begin() as connection:
                row = connection.execute(select(sessions).where(sessions.c.hash == digest)).one_or_none()
                if row is None:
                    return None
                idle_ms = now_ms - row.used_at_ms
                if (
                    row.expires_at_ms <= now_ms
                    or idle_ms > self.login.idle_hours * HOUR_MS
                    or row.address != host_of(address)
                ):
                    connection.execute(delete(sessions).where(sessions.c.hash == digest))
                    return None
                if idle_ms > NOTE_USE_EVERY_MS:
                    connection.execute(update(sessions).where(sessions.c.hash == digest).values(used_at_ms=now_ms))
        except SQLAlchemyError as error:
            raise StoreError("sessions cannot be read") from error
        return principal_of(msgspec.json.decode(bytes(row.body), type=Person), entities, row.expires_at_ms)

    def end(self, secret: str) -> None:
        """End a session. Raises ``StoreError``."""
        try:
            with self._engine.begin() as connection:
                connection.execute(delete(sessions).where(sessions.c.hash == self._hash(secret)))
        except SQLAlchemyError as error:
            raise StoreError("the session cannot be ended") from error

    def _hash(self, secret: str) -> bytes:
        return hash_secret(secret, self._pepper)


def principal_of(person: Person, entities: Entities, ends_ms: int) -> Principal | None:
    """A person as they may act now; ``None``: no more."""
    known = entities.find("user", person.organisation, person.user)
    role = person.role
    if not person.is_mapped and known is not None:
        role = role_of(known, person.team)
    principal = Principal(
        key_id=person.key_id,
        name=person.name,
        organisation=person.organisation,
        team=person.team,
        user=person.user,
        role=role,
        expires_at_ms=ends_ms,
    )
    placed = within(principal, entities)
    if placed is None:
        return None
    return msgspec.structs.replace(placed, permissions=permissions_of(role, person.organisation, entities.roles))


def host_of(address: str) -> str:
    """An address without its port."""
    return address.rpartition(":")[0] or address
