from __future__ import annotations

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from dragoman.store.migrations import r0001_first, r0002_dialects


def test_it_follows_the_first() -> None:
    assert r0002_dialects.down_revision == r0001_first.revision


def test_rows_that_were_there_have_lost_nothing() -> None:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            r0001_first.upgrade()
            columns = {column["name"] for column in sa.inspect(connection).get_columns("usage")}
            assert "lossy" not in columns
            r0002_dialects.upgrade()
        inspector = sa.inspect(connection)
        added = next(column for column in inspector.get_columns("usage") if column["name"] == "lossy")
        assert added["nullable"] is False
        assert {"responses", "continuity"} <= set(inspector.get_table_names())
