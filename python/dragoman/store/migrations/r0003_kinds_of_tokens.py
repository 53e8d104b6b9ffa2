"""Kinds of tokens that have prices of their own: written to a cache for an hour, cached sound, images."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0003"
down_revision = "r0002"

_KINDS = ("cache_write_1h", "cached_audio", "image_input", "image_output")


def upgrade() -> None:
    """Add their columns; of what was recorded before, none was."""
    for kind in _KINDS:
        op.add_column("usage", sa.Column(f"{kind}_tokens", sa.BigInteger(), nullable=False, server_default="0"))
