"""Limits: those of keys, those that are stored, and what they have counted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0006"
down_revision = "r0005"


def upgrade() -> None:
    """Add the tables, and the keys' columns; before, nothing was limited."""
    op.add_column("keys", sa.Column("budget_usd", sa.Float(53)))
    op.add_column("keys", sa.Column("budget_per", sa.Text(), nullable=False, server_default="month"))
    op.add_column("keys", sa.Column("requests_per_minute", sa.BigInteger()))
    op.add_column("keys", sa.Column("tokens_per_minute", sa.BigInteger()))
    op.add_column("keys", sa.Column("max_concurrent", sa.BigInteger()))
    op.add_column("keys", sa.Column("max_request_usd", sa.Float(53)))
    op.create_table(
        "limits",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("changed_at_ms", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "ledger",
        sa.Column("name", sa.String(256), primary_key=True),
        sa.Column("measure", sa.String(16), primary_key=True),
        sa.Column("period", sa.String(32), primary_key=True),
        sa.Column("who", sa.String(1024), primary_key=True),
        sa.Column("slot_ms", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("ends_ms", sa.BigInteger(), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("claimed", sa.BigInteger(), nullable=False),
    )
    op.create_index("ledger_ends_ms", "ledger", ["ends_ms"])
