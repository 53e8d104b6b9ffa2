"""Whom to leave nameless in rows that come to the database after somebody was erased."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0011"
down_revision = "r0010"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "erasures",
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
    )
