from __future__ import annotations

from importlib import import_module

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy.exc import IntegrityError

from dragoman.store.migrations import r0008_key_rights, r0009_entities
from dragoman.store.tables import REVISION

BEFORE = ["first", "dialects", "kinds_of_tokens", "guardrails", "cache", "ledger", "audit", "key_rights"]
KEY = (
    "INSERT INTO keys (id, name, hash, prefix, allow, organisation, team, user, app, tags, admin, allow_fallbacks, "
    "allow_no_log, created_at_ms) VALUES (?, 'n', ?, '', '[]', ?, '', '', '', '[]', 0, 1, 0, 0)"
)


def test_it_follows_the_rights_of_keys() -> None:
    assert r0009_entities.down_revision == r0008_key_rights.revision
    assert r0009_entities.revision <= REVISION


def test_keys_that_were_there_may_what_they_might() -> None:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            for number, name in enumerate(BEFORE, 1):
                import_module(f"dragoman.store.migrations.r{number:04d}_{name}").upgrade()
            connection.exec_driver_sql(KEY, ("a", b"1", ""))
            r0009_entities.upgrade()
        row = connection.execute(sa.text("SELECT * FROM keys")).mappings().one()
        assert (row["models"], row["providers"], row["without_guardrails"]) == ('["*"]', '["*"]', "[]")
        assert (row["role"], row["parent"], row["disabled_reason"]) == ("", "", "")
        connection.exec_driver_sql(KEY, ("b", b"2", "acme"))  # a name is taken within its organisation
        with pytest.raises(IntegrityError):
            connection.exec_driver_sql(KEY, ("c", b"3", "acme"))
        assert {"entities", "sessions", "replies", "configs"} <= set(sa.inspect(connection).get_table_names())
