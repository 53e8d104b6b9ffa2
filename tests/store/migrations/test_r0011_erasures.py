from __future__ import annotations

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from dragoman.store.migrations import r0010_usage_rollups, r0011_erasures
from dragoman.store.tables import REVISION, erasures


def test_it_follows_the_rollups() -> None:
    assert r0011_erasures.down_revision == r0010_usage_rollups.revision
    assert r0011_erasures.revision <= REVISION


def test_the_table_is_there() -> None:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            r0011_erasures.upgrade()
        connection.execute(sa.insert(erasures).values(digest=bytes(32), at_ms=1))
        assert connection.execute(sa.select(erasures)).all() == [(bytes(32), 1)]
