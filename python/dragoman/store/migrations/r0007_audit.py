"""What the audit log keeps of prompts and answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0007"
down_revision = "r0006"


def upgrade() -> None:
    """Add the table; before, nothing was kept."""
    op.create_table(
        "audit_content",
        sa.Column("request_id", sa.String(64), primary_key=True),
        sa.Column("part", sa.String(16), primary_key=True),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
    )
    op.create_index("audit_content_subject", "audit_content", ["tenant", "subject"])
    op.create_index("audit_content_expires_at_ms", "audit_content", ["expires_at_ms"])
