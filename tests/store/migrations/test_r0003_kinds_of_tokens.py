from __future__ import annotations

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from dragoman.store.migrations import r0001_first, r0002_dialects, r0003_kinds_of_tokens


def test_it_follows_the_second() -> None:
    assert r0003_kinds_of_tokens.down_revision == r0002_dialects.revision


def test_rows_that_were_there_have_none_of_them() -> None:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            for revision in (r0001_first, r0002_dialects, r0003_kinds_of_tokens):
                revision.upgrade()
        columns = {column["name"]: column for column in sa.inspect(connection).get_columns("usage")}
    for kind in ("cache_write_1h", "cached_audio", "image_input", "image_output"):
        assert columns[f"{kind}_tokens"]["nullable"] is False
        assert columns[f"{kind}_tokens"]["default"] in ("0", "'0'")
