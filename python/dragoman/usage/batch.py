"""Rows that are written together, read once: for their table (``insert.py``) and for rollups (``rollup.py``)."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import astuple

from dragoman.core import UsageBatch
from dragoman.usage.row import UsageRow

FIELDS = UsageRow.__struct_fields__


def batch_of(rows: Iterable[UsageRow]) -> UsageBatch:
    """The rows as a database is given them."""
    return UsageBatch(FIELDS, [astuple(row) for row in rows])
