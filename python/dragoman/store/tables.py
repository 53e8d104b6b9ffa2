"""The tables. What stands here is the newest revision; ``migrations`` holds the way there from every older one.

The columns of ``usage`` are read off ``UsageRow``, so that the row and its table cannot disagree; a test compares both
with what the migrations build.
"""

from __future__ import annotations

from typing import Any, get_type_hints

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
    true,
)
from sqlalchemy.types import TypeEngine

from dragoman.usage.row import UsageRow
from dragoman.usage.sums import COUNTED

REVISION = "r0012"

metadata = MetaData()

_TYPES: dict[object, TypeEngine[Any]] = {bool: Boolean(), int: BigInteger(), float: Float(53)}


def _usage_columns() -> list[Column[Any]]:
    hints = get_type_hints(UsageRow)
    columns = []
    for name in UsageRow.__struct_fields__:
        members = set(getattr(hints[name], "__args__", (hints[name],)))
        optional = type(None) in members
        kind = next((_TYPES[member] for member in members if member in _TYPES), Text())
        columns.append(Column(name, kind, nullable=optional))
    return columns


usage = Table(
    "usage",
    metadata,
    # Only the name INTEGER makes a column SQLite's own row number.
    Column("id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
    *_usage_columns(),
    Index("usage_started_at_ms", "started_at_ms"),
    Index("usage_request_id", "request_id"),
)

# What rows come to, by minute, hour and day (usage/rollup.py). Read in the order of its key, so it is stored in it.
usage_rollups = Table(
    "usage_rollups",
    metadata,
    Column("step_s", Integer(), primary_key=True, autoincrement=False),
    Column("kind", Integer(), primary_key=True, autoincrement=False),  # 0: of all rows; else which names
    Column("start_ms", BigInteger(), primary_key=True, autoincrement=False),
    Column("series", BigInteger(), primary_key=True, autoincrement=False),
    Column("name", Text(), primary_key=True),
    *(Column(name, BigInteger(), nullable=False) for name in COUNTED),
    Column("latency", LargeBinary(), nullable=False),  # what core.Quantiles encodes
    Column("first_token", LargeBinary(), nullable=False),
    sqlite_with_rowid=False,
)

# What rollups are by: one combination of what operators name.
usage_series = Table(
    "usage_series",
    metadata,
    Column("id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=False),
    *(Column(name, Text(), nullable=False) for name in ("organisation", "team", "user", "app", "key_id")),
    *(Column(name, Text(), nullable=False) for name in ("alias", "provider", "model")),
    *(Column(name, Boolean(), nullable=False) for name in ("has_tag", "has_end_user", "has_run")),
    Column("folded", Boolean(), nullable=False),  # several, without alias and model
    Column("last_day_ms", BigInteger(), nullable=False),
    Index("usage_series_last_day_ms", "last_day_ms"),
)

keys = Table(
    "keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", Text(), nullable=False),
    Column("hash", LargeBinary(32), nullable=False, unique=True),
    Column("prefix", Text(), nullable=False),  # the secret's first characters, to tell keys apart
    Column("allow", Text(), nullable=False),  # JSON list of patterns
    Column("organisation", Text(), nullable=False),
    Column("team", Text(), nullable=False),
    Column("user", Text(), nullable=False),
    Column("app", Text(), nullable=False),
    Column("tags", Text(), nullable=False),  # JSON list
    Column("admin", Boolean(), nullable=False),
    Column("max_deadline_s", Float(53)),
    Column("max_retries", BigInteger()),
    Column("allow_fallbacks", Boolean(), nullable=False),
    Column("allow_no_log", Boolean(), nullable=False),
    Column("created_at_ms", BigInteger(), nullable=False),
    Column("expires_at_ms", BigInteger()),
    Column("revoked_at_ms", BigInteger()),
    Column("last_used_at_ms", BigInteger()),
    Column("lossy", Text(), nullable=False, server_default=""),  # empty: as the configuration has it
    Column("allow_cache_knobs", Boolean(), nullable=False, server_default=true()),
    Column("budget_usd", Float(53)),
    Column("budget_per", Text(), nullable=False, server_default="month"),
    Column("requests_per_minute", BigInteger()),
    Column("tokens_per_minute", BigInteger()),
    Column("max_concurrent", BigInteger()),
    Column("max_request_usd", Float(53)),
    Column("ip_ranges", Text(), nullable=False, server_default="[]"),  # JSON list
    Column("surfaces", Text(), nullable=False, server_default="[]"),  # JSON list of patterns
    Column("disabled_at_ms", BigInteger()),
    Column("previous_hash", LargeBinary(32)),  # of the secret before a rotation
    Column("previous_until_ms", BigInteger()),
    Column("models", Text(), nullable=False, server_default='["*"]'),  # JSON list of patterns
    Column("providers", Text(), nullable=False, server_default='["*"]'),  # JSON list of patterns
    Column("without_guardrails", Text(), nullable=False, server_default="[]"),  # JSON list of patterns
    Column("role", Text(), nullable=False, server_default=""),
    Column("parent", String(64), nullable=False, server_default=""),  # the id of the key that made it
    Column("disabled_reason", Text(), nullable=False, server_default=""),
    Column("mcp_servers", Text(), nullable=False, server_default='["*"]'),  # JSON list of patterns
)
# A name may be used again once its key is revoked, and in another organisation.
Index(
    "keys_name_in_use",
    keys.c.organisation,
    keys.c.name,
    unique=True,
    sqlite_where=text("revoked_at_ms IS NULL"),
    postgresql_where=text("revoked_at_ms IS NULL"),
)

# Sections of the configuration that are stored, every version of them.
configs = Table(
    "configs",
    metadata,
    Column("version", BigInteger(), primary_key=True, autoincrement=False),
    Column("body", LargeBinary(), nullable=False),  # YAML; empty: the file's alone
    Column("author", Text(), nullable=False),
    Column("note", Text(), nullable=False),
    Column("created_at_ms", BigInteger(), nullable=False),
)

# Organisations, teams, users, apps and roles: JSON of the configuration's.
entities = Table(
    "entities",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("organisation", String(128), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("body", LargeBinary(), nullable=False),
    Column("created_at_ms", BigInteger(), nullable=False),
    Column("changed_at_ms", BigInteger(), nullable=False),
)

# People who have logged in to the admin API.
sessions = Table(
    "sessions",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),
    Column("body", LargeBinary(), nullable=False),  # JSON: who it is
    Column("address", Text(), nullable=False),
    Column("used_at_ms", BigInteger(), nullable=False),
    Column("expires_at_ms", BigInteger(), nullable=False),
    Index("sessions_expires_at_ms", "expires_at_ms"),
)

# What the admin API has answered, to be answered again to whoever asks again; sealed, as there are secrets in it.
replies = Table(
    "replies",
    metadata,
    Column("id", String(64), primary_key=True),  # a hash of who asked, and of the key they chose
    Column("request", String(64), nullable=False),  # a hash of what was asked
    Column("status", Integer(), nullable=False),
    Column("body", LargeBinary(), nullable=False),
    Column("expires_at_ms", BigInteger(), nullable=False),
    Index("replies_expires_at_ms", "expires_at_ms"),
)

# Answers of the Responses API that a client has asked to be kept, for providers that keep none.
responses = Table(
    "responses",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant", Text(), nullable=False),
    Column("created_at_ms", BigInteger(), nullable=False),
    Column("expires_at_ms", BigInteger(), nullable=False),
    Column("input", LargeBinary(), nullable=False),  # JSON list of items, all that came before the answer
    Column("response", LargeBinary(), nullable=False),  # JSON, as the client got it
    Column("end_user", Text(), nullable=False, server_default=""),
    Index("responses_expires_at_ms", "expires_at_ms"),
)

# What models need to go on from their own turns, for clients that do not bring it back.
continuity = Table(
    "continuity",
    metadata,
    Column("tenant", String(128), primary_key=True),
    Column("turn", String(64), primary_key=True),  # a digest of the turn's calls, or of its text
    Column("expires_at_ms", BigInteger(), nullable=False),
    Column("blocks", LargeBinary(), nullable=False),
    Index("continuity_expires_at_ms", "expires_at_ms"),
)

# Templates, as they were stored: JSON of a configuration's version.
prompts = Table(
    "prompts",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("version", BigInteger(), primary_key=True, autoincrement=False),
    Column("body", LargeBinary(), nullable=False),
    Column("created_at_ms", BigInteger(), nullable=False),
)

# Limits and budgets that are stored: JSON of the configuration's.
limits = Table(
    "limits",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("body", LargeBinary(), nullable=False),
    Column("changed_at_ms", BigInteger(), nullable=False),
)

# What limits have counted, of periods of a day and more, written down ahead of the spending.
ledger = Table(
    "ledger",
    metadata,
    Column("name", String(256), primary_key=True),  # the limit's
    Column("measure", String(16), primary_key=True),
    Column("period", String(32), primary_key=True),
    Column("who", String(1024), primary_key=True),
    Column("slot_ms", BigInteger(), primary_key=True, autoincrement=False),  # when it began
    Column("ends_ms", BigInteger(), nullable=False),  # when it no longer counts
    Column("spent", BigInteger(), nullable=False),
    Column("claimed", BigInteger(), nullable=False),  # what a start after a crash takes for spent
    Index("ledger_ends_ms", "ends_ms"),
)

# What is kept of prompts and answers, each sealed under the key of the person that it is of.
audit_content = Table(
    "audit_content",
    metadata,
    Column("request_id", String(64), primary_key=True),
    Column("part", String(16), primary_key=True),  # prompt, answer
    Column("tenant", Text(), nullable=False),
    Column("subject", String(64), nullable=False),  # a pseudonym
    Column("at_ms", BigInteger(), nullable=False),
    Column("expires_at_ms", BigInteger(), nullable=False),
    Column("body", LargeBinary(), nullable=False),
    Index("audit_content_subject", "tenant", "subject"),
    Index("audit_content_expires_at_ms", "expires_at_ms"),
)

# Whom to leave nameless in rows that come later (usage/erasures.py).
erasures = Table(
    "erasures",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("at_ms", BigInteger(), nullable=False),
)

meta = Table(
    "meta",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text(), nullable=False),
)
