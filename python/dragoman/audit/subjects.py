"""The people that records are of: for each a salt and a key, so that destroying two secrets erases a person.

A person is an end user within a tenant, or where a request names none, its key. What the log says of one is under the
salt; what is kept of prompts and answers is sealed under the key. Both are in a file of their own, beside the database
and not in it, sealed under a key of the configuration: so whoever erases somebody destroys them in every backup of the
database and of the log. Do not put this file back from an old backup.

Erasing waits while a legal hold is on the person, or on the tenant.
"""

from __future__ import annotations

import hmac
import logging
import secrets
import time
from collections import OrderedDict
from pathlib import Path

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Engine,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    delete,
    insert,
    make_url,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from dragoman.core import AuditSalt, Sealer
from dragoman.errors import StoreError
from dragoman.store.location import create_private_file
from dragoman.store.sqlite import sqlite_engine

log = logging.getLogger("dragoman.audit")

FILE = "subjects.db"
SECRET_BYTES = 32
MOST_REMEMBERED = 10_000

_metadata = MetaData()
_subjects = Table(
    "subjects",
    _metadata,
    Column("tenant", String(512), primary_key=True),
    Column("subject", String(512), primary_key=True),
    Column("secrets", LargeBinary(), nullable=False),
    Column("created_at_ms", BigInteger(), nullable=False),
)
_holds = Table(
    "holds",
    _metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", String(512), nullable=False),
    Column("subject", String(512), nullable=False),  # empty: the whole tenant
    Column("reason", Text(), nullable=False),
    Column("placed_at_ms", BigInteger(), nullable=False),
    Column("released_at_ms", BigInteger()),
)


class Hold(Struct, frozen=True):
    """A legal hold: nothing of them is erased or taken out."""

    id: str
    tenant: str
    subject: str
    reason: str
    placed_at_ms: int
    released_at_ms: int | None


class Subject:
    """One person's secrets."""

    __slots__ = ("_salt", "name", "pseudonym", "sealer", "tenant")

    def __init__(self, tenant: str, name: str, both: bytes) -> None:
        self.tenant = tenant
        self.name = name
        self._salt = AuditSalt(both[:SECRET_BYTES])
        self.sealer = Sealer(both[SECRET_BYTES:])
        # What the log calls the person.
        self.pseudonym = self._salt.digest(b"subject", name.encode("utf-8", "surrogatepass"))

    def fingerprint(self, content: bytes) -> str:
        """What the log says of a prompt."""
        return self._salt.digest(b"prompt", content)


class Subjects:
    """All of them.

    Raises:
        StoreError: the file cannot be used.
    """

    def __init__(self, directory: Path, sealing_key: bytes) -> None:
        path = directory / FILE
        self._sealer = Sealer(hmac.digest(sealing_key, b"subjects", "sha256"))
        self._known: OrderedDict[tuple[str, str], Subject] = OrderedDict()
        try:
            create_private_file(path)
            self._engine: Engine = sqlite_engine(make_url(f"sqlite:///{path.absolute()}"), durable=False)
            _metadata.create_all(self._engine)
        except SQLAlchemyError as error:
            raise _unusable(error) from error

    def of(self, tenant: str, name: str) -> Subject:
        """A person's secrets, made at first need.

        Raises:
            StoreError: they cannot be read or written.
        """
        key = (tenant, name)
        known = self._known.get(key)
        if known is None:
            known = Subject(tenant, name, self._read(key) or self._make(key))
            self._known[key] = known
            while len(self._known) > MOST_REMEMBERED:
                self._known.popitem(last=False)
        return known

    def find(self, tenant: str, name: str) -> Subject | None:
        """A person's secrets, if there are any."""
        both = self._read((tenant, name))
        return None if both is None else Subject(tenant, name, both)

    def _read(self, key: tuple[str, str]) -> bytes | None:
        query = select(_subjects.c.secrets).where(_is(key))
        try:
            with self._engine.connect() as connection:
                sealed = connection.execute(query).scalar_one_or_none()
        except SQLAlchemyError as error:
            raise _unusable(error) from error
        both = None if sealed is None else self._sealer.open(bytes(sealed), _about(key))
        if sealed is not None and both is None:
            raise StoreError(f"the secrets in {FILE} were sealed with another key: restore audit-content.key")
        return both

    def _make(self, key: tuple[str, str]) -> bytes:
        both = secrets.token_bytes(2 * SECRET_BYTES)
        row = {"tenant": key[0], "subject": key[1], "secrets": self._sealer.seal(both, _about(key))}
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(_subjects).values(created_at_ms=_now_ms(), **row))
        except IntegrityError:
            return self._read(key) or both  # another process was faster
        except SQLAlchemyError as error:
            raise _unusable(error) from error
        return both

    def people(self) -> list[tuple[str, str, int]]:
        """All of them: tenant, name, and when they were first met."""
        query = select(_subjects.c.tenant, _subjects.c.subject, _subjects.c.created_at_ms)
        try:
            with self._engine.connect() as connection:
                return [(tenant, name, at_ms) for tenant, name, at_ms in connection.execute(query)]
        except SQLAlchemyError as error:
            raise _unusable(error) from error

    def erase(self, tenant: str, name: str) -> bool:
        """Destroy a person's secrets. False: there are none.

        Raises:
            StoreError: a legal hold is on them, or the file cannot be written.
        """
        hold = next(iter(self.holds_on(tenant, name)), None)
        if hold is not None:
            raise StoreError(
                f"the legal hold {hold.id} ({hold.reason}) is on them: nothing is erased until it is released"
            )
        try:
            with self._engine.begin() as connection:
                connection.exec_driver_sql("PRAGMA secure_delete = ON")
                gone = connection.execute(delete(_subjects).where(_is((tenant, name)))).rowcount
            with self._engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")  # the log had them as well
        except SQLAlchemyError as error:
            raise _unusable(error) from error
        self._known.pop((tenant, name), None)
        return bool(gone)

    def forget_erased(self) -> list[tuple[str, str]]:
        """Let go of those that another process has erased; who they are."""
        known = list(self._known)
        gone = [key for key in known if self._read(key) is None]
        for key in gone:
            self._known.pop(key, None)
        return gone

    def hold(self, tenant: str, name: str, reason: str) -> Hold:
        """Place a legal hold.

        :param name: empty: on all of the tenant's.
        """
        placed = Hold("hold_" + secrets.token_hex(6), tenant, name, reason, _now_ms(), None)
        values = {field: getattr(placed, field) for field in Hold.__struct_fields__}
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(_holds).values(values))
        except SQLAlchemyError as error:
            raise _unusable(error) from error
        return placed

    def release(self, hold_id: str) -> bool:
        """Release a legal hold. False: there is none of that id."""
        change = update(_holds).where(_holds.c.id == hold_id, _holds.c.released_at_ms.is_(None))
        try:
            with self._engine.begin() as connection:
                return bool(connection.execute(change.values(released_at_ms=_now_ms())).rowcount)
        except SQLAlchemyError as error:
            raise _unusable(error) from error

    def holds(self) -> list[Hold]:
        """All that are in force."""
        query = select(_holds).where(_holds.c.released_at_ms.is_(None)).order_by(_holds.c.placed_at_ms)
        try:
            with self._engine.connect() as connection:
                return [Hold(**row) for row in connection.execute(query).mappings()]
        except SQLAlchemyError as error:
            raise _unusable(error) from error

    def holds_on(self, tenant: str, name: str) -> list[Hold]:
        """Those that are on a person."""
        return [hold for hold in self.holds() if hold.tenant == tenant and hold.subject in ("", name)]

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()


def _is(key: tuple[str, str]) -> ColumnElement[bool]:
    return (_subjects.c.tenant == key[0]) & (_subjects.c.subject == key[1])


def _about(key: tuple[str, str]) -> bytes:
    return "\0".join(key).encode("utf-8", "surrogatepass")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _unusable(error: SQLAlchemyError) -> StoreError:
    return StoreError(f"{FILE} cannot be used: {error.orig if isinstance(error, DBAPIError) else error}")
