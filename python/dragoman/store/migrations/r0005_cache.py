"""What the cache did for each request, templates and which of them it called, and keys' say in how they are cached."""

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
    op.create_table(
        "prompts",
        sa.Column("id", sa.String(128), primary_key=True),
        sa.Column("version", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
    )
    op.add_column("keys", sa.Column("allow_cache_knobs", sa.Boolean(), nullable=False, server_default=sa.true()))
