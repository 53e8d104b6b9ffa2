"""What the cache did for each request, which template it called, and which keys may say what the cache does."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0005"
down_revision = "r0004"


def upgrade() -> None:
    """Add the columns; before, there was no cache and no template."""
    op.add_column("usage", sa.Column("cache", sa.Text(), nullable=False, server_default=""))
    op.add_column("usage", sa.Column("prompt", sa.Text(), nullable=False, server_default=""))
    op.add_column("usage", sa.Column("saved_nanousd", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("keys", sa.Column("allow_cache_knobs", sa.Boolean(), nullable=False, server_default=sa.true()))
