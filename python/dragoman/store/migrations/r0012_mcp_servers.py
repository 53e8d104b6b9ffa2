"""Which tool servers (MCP) keys may call."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0012"
down_revision = "r0011"


def upgrade() -> None:
    """Add the column; keys that are there may call all that what is above them grants."""
    op.add_column("keys", sa.Column("mcp_servers", sa.Text(), nullable=False, server_default='["*"]'))
