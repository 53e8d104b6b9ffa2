"""People who were erased, as far as rows are concerned that come to the database later.

A row may wait, in the memory of a server or in its spool, while the database is away. Who was erased meanwhile is not
to come back with it. What stands in the database for that is a digest of the name by the pepper and when it was, and
is looked at in the transaction that writes rows, in which nobody else erases.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from sqlalchemy import Case, Connection, FromClause, Select, case, delete, func, insert, select

from dragoman.store import driver
from dragoman.store.tables import erasures, keys
from dragoman.usage.row import Cells, changed, reader, row_of

# No row waits for longer.
KEPT_MS = 400 * 86_400_000
_LATEST = str(select(func.max(erasures.c.at_ms)))
_started_of = reader("started_at_ms")


class Erasures:
    """Orders to leave people nameless. Methods are for a transaction that is alone (``rollup.be_alone``)."""

    def __init__(self, pepper: bytes) -> None:
        self._key = hmac.digest(pepper, b"dragoman erasures", "sha256")

    def order(self, connection: Connection, tenants: Sequence[str], name: str, *, at_ms: int) -> None:
        """Leave an end user of these tenants nameless in what is of a time before this."""
        digests = [self.digest(tenant, name) for tenant in tenants]
        over = erasures.c.digest.in_(digests) | (erasures.c.at_ms < at_ms - KEPT_MS)
        connection.execute(delete(erasures).where(over))
        connection.execute(insert(erasures), [{"digest": digest, "at_ms": at_ms} for digest in digests])

    def orders(self, connection: Connection) -> dict[bytes, int]:
        """All of them: the digest of whom, and when it was."""
        found = connection.execute(select(erasures.c.digest, erasures.c.at_ms))
        return {bytes(digest): at_ms for digest, at_ms in found}

    def digest(self, tenant: str, name: str) -> bytes:
        """What stands for a person."""
        return hmac.digest(self._key, f"{tenant}\0{name}".encode("utf-8", "surrogatepass"), "sha256")

    def applied(self, connection: Connection, rows: list[Cells]) -> list[Cells]:
        """The rows as they may be written."""
        ((latest_ms,),) = driver.execute(connection, _LATEST)
        if latest_ms is None or all(_started_of(row) > latest_ms for row in rows):
            return rows
        orders = self.orders(connection)
        return [self._applied(row, orders) for row in rows]

    def _applied(self, cells: Cells, orders: dict[bytes, int]) -> Cells:
        row = row_of(cells)
        if not row.end_user:
            return cells
        tenant = row.organisation or row.team or row.key_id
        is_ordered = row.started_at_ms <= orders.get(self.digest(tenant, row.end_user), 0)
        return changed(cells, end_user="", metadata="") if is_ordered else cells


def tenant_of(table: FromClause) -> Case[str]:
    """Whose a row of usage is, or a series: the organisation, else the team, else the key."""
    columns = table.c
    return case(
        (columns.organisation != "", columns.organisation), (columns.team != "", columns.team), else_=columns.key_id
    )


def tenants_within(tenant: str) -> Select[tuple[str]]:
    """The keys that a key has made, where that is the tenant, and those that these have."""
    family = select(keys.c.id).where(keys.c.parent == tenant, keys.c.parent != "").cte("family", recursive=True)
    younger = keys.alias()
    return select(family.union(select(younger.c.id).where(younger.c.parent == family.c.id)).c.id)
