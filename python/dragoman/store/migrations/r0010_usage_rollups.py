"""What usage comes to by hour and day, of the rows that there are as well.

Minutes begin after the newest row. A million rows take half a minute.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

from dragoman.usage.batch import batch_of
from dragoman.usage.cells import (
    MINUTE_S,
    Alike,
    Columns,
    Place,
    Series,
    cells_of,
    names_of,
    series_of,
    start_of,
)
from dragoman.usage.row import UsageRow
from dragoman.usage.sums import COUNTED

revision = "r0010"
down_revision = "r0009"

_COUNTED = (
    *("requests", "errors", "input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens"),
    *("reasoning_tokens", "audio_input_tokens", "audio_output_tokens", "cache_write_1h_tokens", "cached_audio_tokens"),
    *("image_input_tokens", "image_output_tokens", "cost_nanousd", "unpriced", "hits", "saved_tokens"),
    *("saved_nanousd", "total_us"),
)
_NAMES = ("organisation", "team", "user", "app", "key_id", "alias", "provider", "model")
_HAS = ("has_tag", "has_end_user", "has_run")
# What is read of a row: what rollups are by, and what they count.
_READ = (
    *("id", "request_id", "started_at_ms", "snapshot", "endpoint", "status", "error_code", *_NAMES, "end_user", "tags"),
    *("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens", "reasoning_tokens"),
    *("audio_input_tokens", "audio_output_tokens", "cache_write_1h_tokens", "cached_audio_tokens"),
    *("image_input_tokens", "image_output_tokens", "usage_source", "cost_nanousd", "saved_nanousd"),
    *("total_ms", "first_token_ms"),
)
_ROWS_AT_ONCE = 5000


def upgrade() -> None:
    """Make the tables and fill them."""
    op.add_column("usage", sa.Column("run", sa.Text(), nullable=False, server_default=""))
    rollups = op.create_table(
        "usage_rollups",
        *(sa.Column(name, sa.Integer(), primary_key=True, autoincrement=False) for name in ("step_s", "kind")),
        *(sa.Column(name, sa.BigInteger(), primary_key=True, autoincrement=False) for name in ("start_ms", "series")),
        sa.Column("name", sa.Text(), primary_key=True),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _COUNTED),
        *(sa.Column(name, sa.LargeBinary(), nullable=False) for name in ("latency", "first_token")),
        sqlite_with_rowid=False,
    )
    series = op.create_table(
        "usage_series",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in _NAMES),
        *(sa.Column(name, sa.Boolean(), nullable=False) for name in (*_HAS, "folded")),
        sa.Column("last_day_ms", sa.BigInteger(), nullable=False),
    )
    op.create_index("usage_series_last_day_ms", "usage_series", ["last_day_ms"])
    _fill(op.get_bind(), rollups, series)


def _fill(connection: sa.Connection, rollups: sa.Table, series: sa.Table) -> None:
    """Add rows up in the order of time, and write what is over: an hour, a day."""
    last_days: dict[Series, int] = {}
    unwritten: dict[Place, Columns] = {}
    newest_ms = None
    for rows in _rows(connection):
        newest_ms = rows[-1].started_at_ms
        batch = batch_of(rows)
        groups = [Alike._make(group) for group in batch.groups]
        last_days |= {series_of(alike): start_of(alike.minute_ms, 86_400) for alike in groups}
        counted = ((alike, series_of(alike).id, names_of(alike)) for alike in groups)
        for place, members in cells_of(counted).items():
            if place.step_s != MINUTE_S:
                unwritten[place] = batch.cell(members, unwritten.get(place))
        over = [place for place in unwritten if place.start_ms + place.step_s * 1000 <= newest_ms]
        _write(connection, rollups, {place: unwritten.pop(place) for place in over})
    _write(connection, rollups, unwritten)
    if last_days:
        columns = (*_NAMES, *_HAS, "folded")
        told = [
            {"id": one.id, "last_day_ms": day} | dict(zip(columns, one, strict=True)) for one, day in last_days.items()
        ]
        connection.execute(sa.insert(series), told)
    if newest_ms is not None:
        meta = sa.table("meta", sa.column("name"), sa.column("value"))
        begin_ms = start_of(newest_ms, MINUTE_S) + MINUTE_S * 1000
        connection.execute(sa.insert(meta).values(name="usage_minutes_from_ms", value=str(begin_ms)))


def _rows(connection: sa.Connection) -> Iterator[list[UsageRow]]:
    usage = sa.table("usage", *map(sa.column, _READ))
    last = (-(2**63), 0)
    while True:
        after = sa.or_(usage.c.started_at_ms > last[0], sa.and_(usage.c.started_at_ms == last[0], usage.c.id > last[1]))
        query = sa.select(usage).where(after).order_by(usage.c.started_at_ms, usage.c.id).limit(_ROWS_AT_ONCE)
        found = connection.execute(query).mappings().all()
        if not found:
            return
        last = found[-1]["started_at_ms"], found[-1]["id"]
        yield [UsageRow(**{name: row[name] for name in _READ[1:]}) for row in found]


def _write(connection: sa.Connection, rollups: sa.Table, cells: dict[Place, Columns]) -> None:
    columns = (*Place._fields, *COUNTED, "latency", "first_token")
    rows = [dict(zip(columns, (*place, *stored), strict=True)) for place, stored in cells.items()]
    kept = [column.name for column in rollups.c]
    if rows:
        connection.execute(sa.insert(rollups), [{name: row[name] for name in kept} for row in rows])
