"""Brings a database to the newest revision.

A server starts far more often than a table changes, and Alembic costs 150 ms and 10 MB to import: one query compares
revisions first, and a new database is made from ``tables`` directly (a test holds that the migrations end at the same
schema). Everything happens in one transaction, so an interrupted migration leaves the old database.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, func, insert, inspect, select

from dragoman.errors import StoreError
from dragoman.store.sqlite import begin_write
from dragoman.store.tables import REVISION, metadata

MIGRATIONS = Path(__file__).with_name("migrations")

# Names our lock in PostgreSQL among those of others: several servers may start at once.
MIGRATION_LOCK = 0x647261676F6D6967

# Alembic's own table, in its own shape.
_alembic_version = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))


def is_current(engine: Engine) -> bool:
    """Whether the database is at the newest revision."""
    with engine.connect() as connection:
        return _revision(connection) == REVISION


def ensure_current(engine: Engine) -> None:
    """Create or migrate the tables where needed.

    Raises ``StoreError`` for a database that a newer Dragoman made, or that is not Dragoman's.
    """
    if is_current(engine):
        return
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            begin_write(connection)
        else:
            connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        found = _revision(connection)  # again: another process may have been faster
        if found is None:
            _create(connection)
        elif found != REVISION:
            _upgrade(connection, found)
        connection.commit()


def _revision(connection: Connection) -> str | None:
    if not connection.dialect.has_table(connection, _alembic_version.name):
        return None
    return connection.execute(select(_alembic_version.c.version_num)).scalar_one_or_none()


def _create(connection: Connection) -> None:
    strangers = inspect(connection).get_table_names()
    if strangers:
        names = ", ".join(strangers[:5])
        raise StoreError(f"store.url: the database has tables that are not Dragoman's ({names})")
    metadata.create_all(connection, checkfirst=False)
    _alembic_version.create(connection, checkfirst=False)
    connection.execute(insert(_alembic_version).values(version_num=REVISION))


def _upgrade(connection: Connection, found: str) -> None:
    run_migrations(connection, found, REVISION)


def run_migrations(connection: Connection, start: str | None, end: str) -> None:
    """Run every revision after ``start`` (None: from nothing) up to ``end`` inside the connection's transaction."""
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationContext, RevisionStep
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    script = ScriptDirectory(str(MIGRATIONS), version_locations=[str(MIGRATIONS)])

    def steps(_heads: tuple[str, ...], _context: MigrationContext) -> list[RevisionStep]:
        return list(script._upgrade_revs(end, start or "base"))

    try:
        with EnvironmentContext(Config(), script, fn=steps, destination_rev=end) as environment:
            environment.configure(connection=connection, transactional_ddl=True)
            environment.run_migrations()
    except CommandError as error:
        raise StoreError(
            f"the database is at revision {start}, which this version does not know: it was made by a newer Dragoman. "
            "Upgrade, or restore the backup from before"
        ) from error
