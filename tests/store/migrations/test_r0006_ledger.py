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
    r0006_ledger,
)


def test_it_follows_the_fifth() -> None:
    assert r0006_ledger.down_revision == r0005_cache.revision


def test_keys_that_were_there_are_not_limited() -> None:
    engine = sa.create_engine("sqlite://")
    before = (r0001_first, r0002_dialects, r0003_kinds_of_tokens, r0004_guardrails, r0005_cache)
    with engine.begin() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            for revision in (*before, r0006_ledger):
                revision.upgrade()
        inspected = sa.inspect(connection)
        columns = {one["name"]: one for one in inspected.get_columns("keys")}
        assert {"limits", "ledger"} <= set(inspected.get_table_names())
    for name in ("budget_usd", "requests_per_minute", "tokens_per_minute", "max_concurrent", "max_request_usd"):
        assert columns[name]["nullable"]
    assert columns["budget_per"]["default"] == "'month'"
