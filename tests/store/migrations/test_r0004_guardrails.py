from __future__ import annotations

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from dragoman.store.migrations import r0001_first, r0002_dialects, r0003_kinds_of_tokens, r0004_guardrails


def test_it_follows_the_third() -> None:
    assert r0004_guardrails.down_revision == r0003_kinds_of_tokens.revision


def test_of_rows_that_were_there_nothing_was_said() -> None:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            for revision in (r0001_first, r0002_dialects, r0003_kinds_of_tokens, r0004_guardrails):
                revision.upgrade()
        columns = {column["name"]: column for column in sa.inspect(connection).get_columns("usage")}
    assert columns["guardrails"]["nullable"] is False
    assert columns["guardrails"]["default"] == "''"
