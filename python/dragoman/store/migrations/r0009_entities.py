"""Organisations, teams, users, apps and roles, what keys may use of providers, what the admin API keeps, whose stored
responses are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0009"
down_revision = "r0008"


def upgrade() -> None:
    """Add the tables, and to ``keys`` rights, a role and a parent."""
    op.create_table(
        "entities",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("organisation", sa.String(128), primary_key=True),
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_at_ms", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "configs",
        sa.Column("version", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("hash", sa.LargeBinary(32), primary_key=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("used_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
    )
    op.create_index("sessions_expires_at_ms", "sessions", ["expires_at_ms"])
    op.create_table(
        "replies",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("request", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
    )
    op.create_index("replies_expires_at_ms", "replies", ["expires_at_ms"])
    for name, default in (("models", '["*"]'), ("providers", '["*"]'), ("without_guardrails", "[]")):
        op.add_column("keys", sa.Column(name, sa.Text(), nullable=False, server_default=default))
    op.add_column("keys", sa.Column("role", sa.Text(), nullable=False, server_default=""))
    op.add_column("keys", sa.Column("parent", sa.String(64), nullable=False, server_default=""))
    op.add_column("keys", sa.Column("disabled_reason", sa.Text(), nullable=False, server_default=""))
    op.add_column("responses", sa.Column("end_user", sa.Text(), nullable=False, server_default=""))
    # A name is taken within its organisation: another's names are not to be found out.
    op.drop_index("keys_name_in_use", "keys")
    in_use = sa.text("revoked_at_ms IS NULL")
    op.create_index(
        "keys_name_in_use",
        "keys",
        ["organisation", "name"],
        unique=True,
        sqlite_where=in_use,
        postgresql_where=in_use,
    )
