"""What guardrails said of each request."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0004"
down_revision = "r0003"


def upgrade() -> None:
    """Add the column; of what was recorded before, nothing was said."""
    op.add_column("usage", sa.Column("guardrails", sa.Text(), nullable=False, server_default=""))
