"""Deletes usage rows that are older than the operator keeps them, a few at a time.

A clock that jumps forward must not delete a year of rows. Within a process the jump shows: the wall clock has moved
further than the monotonic one. After a jump nothing is deleted until the clocks agree again or the process restarts.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from dragoman.store.tables import usage

ROWS_A_BATCH = 1000
MAX_DRIFT_S = 3600.0
_DAY_MS = 86_400_000


class Retention:
    """How long rows are kept, and since when the clocks are compared."""

    def __init__(self, days: int, *, wall_s: float, monotonic_s: float) -> None:
        self._days = days
        self._offset_s = wall_s - monotonic_s

    def cutoff_ms(self, *, wall_s: float, monotonic_s: float) -> int | None:
        """Rows that started before this may go; None while the clock cannot be trusted.

        It is a day's beginning (UTC), so that rows and the rollups of hours and days are of the same time.
        """
        drift_s = wall_s - monotonic_s - self._offset_s
        if abs(drift_s) > MAX_DRIFT_S:
            return None
        now_ms = int(wall_s * 1000)
        return now_ms - now_ms % _DAY_MS - self._days * _DAY_MS


def delete_before(connection: Connection, cutoff_ms: int) -> int:
    """Delete one batch of the oldest rows before ``cutoff_ms``; says how many. The caller commits."""
    oldest = (
        select(usage.c.id)
        .where(usage.c.started_at_ms < cutoff_ms)
        .order_by(usage.c.started_at_ms)
        .limit(ROWS_A_BATCH)
        .scalar_subquery()
    )
    return connection.execute(delete(usage).where(usage.c.id.in_(oldest))).rowcount
