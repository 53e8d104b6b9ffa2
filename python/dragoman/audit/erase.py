"""Erasing a person: whatever is kept of what they said cannot be read any more, in no backup either.

What their requests cost stays on record, without their name. Servers that are running let go of them within seconds:
of their secrets and of answers in the cache.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Engine, delete, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from dragoman.errors import StoreError
from dragoman.store.generation import count_up
from dragoman.store.tables import continuity, keys, usage
from dragoman.store.tables import responses as stored
from dragoman.usage.rollup import forget_end_user

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


def erase(
    engine: Engine, directory: Path, subjects: Subjects, contents: Contents, *, tenant: str, name: str
) -> Erased | None:
    """Erase an end user of a tenant; ``None``: there is none of that name.

    Raises:
        StoreError: a legal hold is on them, or something cannot be deleted; ask again.
    """
    subject = subjects.find(tenant, name)
    if subject is None:
        return None
    holds = subjects.holds_on(tenant, name)
    if holds:
        raise StoreError(f"the legal hold {holds[0].id} ({holds[0].reason}) is on them: release it first")
    kept = contents.erase(tenant, subject.pseudonym)
    theirs = or_(usage.c.organisation == tenant, usage.c.team == tenant, usage.c.key_id == tenant)
    try:
        with engine.begin() as connection:
            nameless = update(usage).where(usage.c.end_user == name, theirs).values(end_user="", metadata="")
            rows = connection.execute(nameless).rowcount
            within = or_(stored.c.tenant == tenant, stored.c.tenant.in_(select(keys.c.id).where(keys.c.team == tenant)))
            gone = connection.execute(delete(stored).where(stored.c.end_user == name, within)).rowcount
            # Of these it is not known whose they are, only which tenant's; they last a day.
            connection.execute(delete(continuity).where(continuity.c.tenant == tenant))
            forget_end_user(connection, tenant, name)
            count_up(connection, GENERATION)
        for saved in directory.glob(SAVED_ANSWERS):
            saved.unlink(missing_ok=True)
    except (SQLAlchemyError, OSError) as error:
        raise StoreError(f"not all of it could be erased: {error}") from error
    subjects.erase(tenant, name)
    return Erased(subject.pseudonym, kept, rows, gone)
