from __future__ import annotations

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from dragoman.store.migrations import r0006_ledger, r0007_audit


def test_it_follows_the_sixth() -> None:
    assert r0007_audit.down_revision == r0006_ledger.revision


def test_it_adds_a_table() -> None:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            r0007_audit.upgrade()
        assert sa.inspect(connection).get_table_names() == ["audit_content"]
