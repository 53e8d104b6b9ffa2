from __future__ import annotations

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from dragoman.store.migrations import r0001_first, r0007_audit, r0008_key_rights


def test_it_follows_the_seventh() -> None:
    assert r0008_key_rights.down_revision == r0007_audit.revision


def test_keys_that_were_there_may_be_used_anywhere() -> None:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            r0001_first.upgrade()
            r0008_key_rights.upgrade()
        columns = {one["name"]: one for one in sa.inspect(connection).get_columns("keys")}
    assert columns["ip_ranges"]["default"] == columns["surfaces"]["default"] == "'[]'"
    assert columns["disabled_at_ms"]["nullable"]
