"""The first tables: usage, keys, meta."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None

_USAGE_TEXTS_BEFORE = ("error_code", "fault", "key_id", "organisation", "team", "user", "app", "end_user", "tags")
_USAGE_TEXTS_AFTER = ("metadata", "trace_id", "alias", "provider", "model", "deployment", "credential")
_TOKEN_KINDS = ("input", "output", "cached_input", "cache_write", "reasoning", "audio_input", "audio_output")
_KEY_OWNERS = ("organisation", "team", "user", "app", "tags")


def upgrade() -> None:
    """Make everything."""
    _create_usage()
    _create_keys()
    op.create_table(
        "meta",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.Text(), nullable=False),
    )


def _create_usage() -> None:
    op.create_table(
        "usage",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        _text("request_id"),
        _whole("started_at_ms"),
        _whole("snapshot"),
        _text("endpoint"),
        _whole("status"),
        *map(_text, _USAGE_TEXTS_BEFORE + _USAGE_TEXTS_AFTER),
        sa.Column("stream", sa.Boolean(), nullable=False),
        _whole("attempts"),
        _whole("fallback_index"),
        _text("attempt_log"),
        _text("finish_reason"),
        *(_whole(f"{kind}_tokens") for kind in _TOKEN_KINDS),
        _text("usage_source"),
        sa.Column("cost_nanousd", sa.BigInteger()),
        *(sa.Column(name, sa.Float(53), nullable=False) for name in ("total_ms", "upstream_ms", "overhead_ms")),
        sa.Column("first_token_ms", sa.Float(53)),
    )
    op.create_index("usage_started_at_ms", "usage", ["started_at_ms"])
    op.create_index("usage_request_id", "usage", ["request_id"])


def _create_keys() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.String(32), primary_key=True),
        _text("name"),
        sa.Column("hash", sa.LargeBinary(32), nullable=False, unique=True),
        _text("prefix"),
        _text("allow"),
        *map(_text, _KEY_OWNERS),
        sa.Column("admin", sa.Boolean(), nullable=False),
        sa.Column("max_deadline_s", sa.Float(53)),
        sa.Column("max_retries", sa.BigInteger()),
        sa.Column("allow_fallbacks", sa.Boolean(), nullable=False),
        sa.Column("allow_no_log", sa.Boolean(), nullable=False),
        _whole("created_at_ms"),
        *(sa.Column(f"{what}_at_ms", sa.BigInteger()) for what in ("expires", "revoked", "last_used")),
    )
    in_use = sa.text("revoked_at_ms IS NULL")
    op.create_index("keys_name_in_use", "keys", ["name"], unique=True, sqlite_where=in_use, postgresql_where=in_use)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _whole(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)
