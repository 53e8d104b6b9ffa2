"""What translation between dialects keeps: losses, stored responses, and what models need to go on from their turns."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"


def upgrade() -> None:
    """Add columns for what was lost, and two tables."""
    op.add_column("usage", sa.Column("lossy", sa.Text(), nullable=False, server_default=""))
    op.add_column("keys", sa.Column("lossy", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "responses",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("input", sa.LargeBinary(), nullable=False),
        sa.Column("response", sa.LargeBinary(), nullable=False),
    )
    op.create_index("responses_expires_at_ms", "responses", ["expires_at_ms"])
    op.create_table(
        "continuity",
        sa.Column("tenant", sa.String(128), primary_key=True),
        sa.Column("turn", sa.String(64), primary_key=True),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("blocks", sa.LargeBinary(), nullable=False),
    )
    op.create_index("continuity_expires_at_ms", "continuity", ["expires_at_ms"])
