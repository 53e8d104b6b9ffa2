from __future__ import annotations

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from dragoman.store.migrations import (
    r0001_first,
    r0002_dialects,
    r0003_kinds_of_tokens,
    r0004_guardrails,
    r0005_cache,
)


def test_it_follows_the_fourth() -> None:
    assert r0005_cache.down_revision == r0004_guardrails.revision


def test_what_was_there_had_no_cache() -> None:
    engine = sa.create_engine("sqlite://")
    before = (r0001_first, r0002_dialects, r0003_kinds_of_tokens, r0004_guardrails)
    with engine.begin() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            for revision in (*before, r0005_cache):
                revision.upgrade()
        inspected = sa.inspect(connection)
        columns = {one["name"]: one for table in ("usage", "keys") for one in inspected.get_columns(table)}
    for name, default in (("cache", "''"), ("saved_nanousd", "'0'"), ("allow_cache_knobs", "1")):
        assert (columns[name]["nullable"], columns[name]["default"]) == (False, default)
