"""Where keys may be used and for what, whether they are switched off, and their secrets before a rotation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0008"
down_revision = "r0007"


def upgrade() -> None:
    """Add the columns; before, keys could be used anywhere, for everything, until they were revoked."""
    op.add_column("keys", sa.Column("ip_ranges", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("keys", sa.Column("surfaces", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("keys", sa.Column("disabled_at_ms", sa.BigInteger()))
    op.add_column("keys", sa.Column("previous_hash", sa.LargeBinary(32)))
    op.add_column("keys", sa.Column("previous_until_ms", sa.BigInteger()))
