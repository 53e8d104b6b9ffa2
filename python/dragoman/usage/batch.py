"""Rows that are written together, read once: for their table (``insert.py``) and for rollups (``rollup.py``)."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import astuple

from dragoman.core import UsageBatch
from dragoman.usage.row import FIELDS, Cells, UsageRow


def batch_of(rows: Iterable[UsageRow]) -> UsageBatch:
    """The rows as a database is given them."""
    return batch_of_cells([astuple(row) for row in rows])


def batch_of_cells(rows: list[Cells]) -> UsageBatch:
    """The same, of rows that are."""
    return UsageBatch(FIELDS, rows)
