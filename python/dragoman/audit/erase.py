"""Erasing a person: whatever is kept of what they said cannot be read any more, in no backup either.

What their requests cost stays on record, without their name, also where rows still wait for the database. Servers that
are running let go of them within seconds, of their secrets and of answers in the cache; those that share the database
destroy what they have of them, and one that is down meanwhile does so when it starts.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection, Engine, delete, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from dragoman.errors import StoreError
from dragoman.store.generation import count_up
from dragoman.store.replies import forget_generated
from dragoman.store.tables import continuity, keys, usage
from dragoman.store.tables import responses as stored
from dragoman.usage.erasures import Erasures, tenant_of, tenants_within
from dragoman.usage.rollup import be_alone, forget_end_user

if TYPE_CHECKING:
    from dragoman.audit.content import Contents
    from dragoman.audit.subjects import Subjects

GENERATION = "erasures_generation"
# The cache's files: what is in them is not asked for, they go whole.
SAVED_ANSWERS = "cache*.sealed"


class Erased(NamedTuple):
    """What there was of a person."""

    pseudonym: str  # in the log, where it now names nobody
    contents: int
    usage_rows: int
    responses: int  # that were stored


class Person(NamedTuple):
    """Whom to erase."""

    tenant: str
    name: str


class Eraser:
    """Erases people from what a server has."""

    def __init__(self, engine: Engine, directory: Path, subjects: Subjects, contents: Contents, pepper: bytes) -> None:
        self.engine = engine
        self.subjects = subjects
        self.contents = contents
        self._directory = directory
        self._erasures = Erasures(pepper)

    def knows(self, person: Person) -> bool:
        """Whether there is anything of an end user of a tenant: here, or in the database.

        Raises:
            StoreError: it cannot be read.
        """
        if self.subjects.find(*person) is not None:
            return True
        try:
            with self.engine.connect() as connection:
                theirs = tenant_of(usage).in_(_tenants(connection, person.tenant))
                named = select(usage.c.id).where(usage.c.end_user == person.name, theirs).limit(1)
                return connection.execute(named).first() is not None
        except SQLAlchemyError as error:
            raise StoreError(f"it cannot be read who there is: {error}") from error

    def erase(self, person: Person, *, now_ms: int) -> Erased:
        """Erase an end user of a tenant.

        Raises:
            StoreError: a legal hold is on them, or something cannot be deleted; ask again.
        """
        subject = self.subjects.find(*person)
        holds = self.subjects.holds_on(*person)
        if holds:
            raise StoreError(f"the legal hold {holds[0].id} ({holds[0].reason}) is on them: release it first")
        kept = 0 if subject is None else self.contents.erase(person.tenant, subject.pseudonym)
        try:
            with self.engine.begin() as connection:
                rows, gone = self._take_out(connection, person, now_ms)
            for saved in self._directory.glob(SAVED_ANSWERS):
                saved.unlink(missing_ok=True)
        except (SQLAlchemyError, OSError) as error:
            raise StoreError(f"not all of it could be erased: {error}") from error
        self.subjects.erase(*person)
        return Erased("" if subject is None else subject.pseudonym, kept, rows, gone)

    def _take_out(self, connection: Connection, person: Person, now_ms: int) -> tuple[int, int]:
        """Take somebody out of the database: of how many rows, and how many stored responses."""
        be_alone(connection)
        tenant, name = person
        tenants = _tenants(connection, tenant)
        theirs = tenant_of(usage).in_(tenants)
        nameless = update(usage).where(usage.c.end_user == name, theirs).values(end_user="", metadata="")
        rows = connection.execute(nameless).rowcount
        within = or_(stored.c.tenant == tenant, stored.c.tenant.in_(select(keys.c.id).where(keys.c.team == tenant)))
        gone = connection.execute(delete(stored).where(stored.c.end_user == name, within)).rowcount
        # Of these it is not known whose they are, only which tenant's; they last a day.
        connection.execute(delete(continuity).where(continuity.c.tenant == tenant))
        forget_generated(connection)  # and of these nothing at all; so do they
        forget_end_user(connection, tenants, name)
        self._erasures.order(connection, tenants, name, at_ms=now_ms)
        count_up(connection, GENERATION)
        return rows, gone

    def follow(self) -> list[tuple[str, str]]:
        """Destroy what is here of people who were erased at another server: of which tenants, and their pseudonyms.

        A legal hold that is on them here is stronger: they are erased once it is released.

        Raises:
            SQLAlchemyError: the database cannot be read.
            StoreError: something cannot be destroyed.
        """
        with self.engine.connect() as connection:
            orders = self._erasures.orders(connection)
        if not orders:
            return []
        found: list[tuple[str, str]] = []
        for tenant, name, created_at_ms in self.subjects.people():
            if created_at_ms <= orders.get(self._erasures.digest(tenant, name), -1):
                subject = self.subjects.find(tenant, name)
                if subject is not None and not self.subjects.holds_on(tenant, name):
                    self.contents.erase(tenant, subject.pseudonym)
                    self.subjects.erase(tenant, name)
                    found.append((tenant, subject.pseudonym))
        return found


def _tenants(connection: Connection, tenant: str) -> list[str]:
    return [tenant, *connection.execute(tenants_within(tenant)).scalars()]
