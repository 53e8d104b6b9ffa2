from __future__ import annotations

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from dragoman.store.migrations import r0011_erasures, r0012_mcp_servers
from dragoman.store.tables import REVISION


def test_it_follows_the_erasures() -> None:
    assert r0012_mcp_servers.down_revision == r0011_erasures.revision
    assert r0012_mcp_servers.revision <= REVISION


def test_keys_that_are_there_may_call_every_server() -> None:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE keys (id TEXT)")
        connection.exec_driver_sql("INSERT INTO keys VALUES ('a')")
        with Operations.context(MigrationContext.configure(connection)):
            r0012_mcp_servers.upgrade()
        assert connection.exec_driver_sql("SELECT mcp_servers FROM keys").scalars().all() == ['["*"]']
