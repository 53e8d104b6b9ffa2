"""Random rows and questions, and what the answers must be: added up row by row, with nothing of ours but the row."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import structs
from sqlalchemy import Engine, select

from dragoman.core import Quantiles
from dragoman.store.tables import usage, usage_rollups, usage_series
from dragoman.usage.batch import batch_of
from dragoman.usage.cells import DAY_S, HOUR_S, MINUTE_S, SERIES, Alike, Place, names_of, series_of, start_of
from dragoman.usage.insert import RowInsert
from dragoman.usage.question import EVERYBODY, FILTERS, TIME_STEPS_S, Question, Scope
from dragoman.usage.rollup import Rollup, be_alone, minutes_from_ms
from dragoman.usage.row import UsageRow
from dragoman.usage.sums import COUNTED, LARGEST_ADDED, Group, Report, Sums

BEGIN_MS = int(datetime(2026, 11, 20, 22, 30, tzinfo=UTC).timestamp() * 1000)
SPAN_MS = 60 * 3_600_000
WORDS = ("", "a", "A", "b", "é", "%", "' OR 1=1 --")
TAGS = ("", "", "a", "A", "a,b", "a,a", "b", ",", "é,%")
COLUMNS = {"key": "key_id", "tag": "tags", "error": "error_code"}


def rows(chance: random.Random, count: int) -> list[UsageRow]:
    """Rows in no order of time, of few enough combinations that they add up."""
    return [_row(chance, number) for number in range(count)]


def _row(chance: random.Random, number: int) -> UsageRow:
    def some(*values: Any) -> Any:
        return chance.choice(values)

    def tokens() -> int:
        return some(0, 1, chance.randrange(10_000), 10**16 if chance.random() < 0.01 else 7)

    return UsageRow(
        request_id=f"r{number}",
        started_at_ms=BEGIN_MS + some(0, 59_999, 60_000, 3_600_000, chance.randrange(SPAN_MS)),
        snapshot=1,
        endpoint=some("chat", "embeddings"),
        status=some(200, 200, 200, 429, 502),
        error_code=some("", "", "upstream_cut"),
        key_id=some("k1", "k2", ""),
        organisation=some("acme", ""),
        team=some(*WORDS[:4]),
        user=some("", "u"),
        app=some("", "web"),
        end_user=some(*WORDS),
        tags=some(*TAGS),
        alias=some("fast", "slow"),
        provider=some("openai", "anthropic"),
        model=some("m", "n"),
        deployment=some("d0", "d1"),
        input_tokens=tokens(),
        output_tokens=tokens(),
        cached_input_tokens=tokens(),
        image_output_tokens=tokens(),
        usage_source=some("provider", "cache", "none"),
        cost_nanousd=some(None, 0, chance.randrange(10**9)),
        total_ms=some(0.0, 0.1, chance.lognormvariate(5, 2), 1e12),
        first_token_ms=some(None, chance.lognormvariate(4, 1)),
        saved_nanousd=some(0, chance.randrange(10**6)),
        run=some("", "", "run-1", "run-2"),
    )


def question(chance: random.Random) -> Question:
    """Some question, mostly one that rollups can answer."""
    pool = [*FILTERS[:12], *TIME_STEPS_S] if chance.random() < 0.8 else [*FILTERS, *TIME_STEPS_S]
    by = tuple(chance.sample(pool, chance.choice((0, 1, 1, 2, 3))))
    where = {name: _values(chance, name) for name in chance.sample(FILTERS, chance.choice((0, 0, 1, 2)))}
    moments = [BEGIN_MS + chance.randrange(-7_200_000, SPAN_MS + 7_200_000) for _ in range(2)]
    if chance.random() < 0.5:
        moments = [at - at % chance.choice((60_000, 3_600_000, 86_400_000)) for at in moments]
    scope = chance.choice((EVERYBODY, Scope(team="a"), Scope(organisation="acme", key_id="k1")))
    return Question(
        by=by,
        since_ms=chance.choice((None, min(moments))),
        until_ms=chance.choice((None, max(moments))),
        where=where,
        scope=scope,
    )


def _values(chance: random.Random, name: str) -> tuple[str, ...]:
    pools = {"status": ("200", "429"), "tag": ("a", "", "%", "zzz"), "key": ("k1", ""), "key_id": ("k2", "k1")}
    pools |= {"model": ("m", "x"), "alias": ("fast", "slow"), "provider": ("openai",), "endpoint": ("chat",)}
    pool = pools.get(name, WORDS)
    return tuple(chance.sample(pool, min(len(pool), chance.choice((1, 1, 2)))))


def write(engine: Engine, rows: Sequence[UsageRow], *, rollup: Rollup | None = None) -> None:
    """Write rows as one batch of the usage writer is."""
    with engine.begin() as connection:
        be_alone(connection)
        batch = batch_of(rows)
        RowInsert(engine.dialect)(connection, batch)
        (rollup or Rollup(engine.dialect)).add(connection, batch)


def answer(rows: Sequence[UsageRow], asked: Question) -> Report:
    """The answer, from the rows in memory. Groups are in no order."""
    groups: dict[tuple[str, ...], list[UsageRow]] = {}
    counted = [row for row in rows if _is_asked(row, asked)]
    for row in counted:
        found: list[tuple[str, ...]] = [()]
        for name in asked.by:
            found = [(*values, value) for values in found for value in _told(row, name, asked)]
        for values in found if asked.by else []:
            groups.setdefault(values, []).append(row)
    return Report([Group(values, _sum(found)) for values, found in groups.items()], _sum(counted))


def _is_asked(row: UsageRow, asked: Question) -> bool:
    is_within = (asked.since_ms is None or row.started_at_ms >= asked.since_ms) and (
        asked.until_ms is None or row.started_at_ms < asked.until_ms
    )
    is_theirs = all(getattr(row, name) == value for name, value in asked.scope.narrowed().items())
    return is_within and is_theirs and all(_has(row, name, values) for name, values in asked.where.items())


def _has(row: UsageRow, name: str, values: Sequence[str]) -> bool:
    if name == "tag":
        return any(value in row.tags.split(",") for value in values)
    return str(getattr(row, COLUMNS.get(name, name))) in values


def _told(row: UsageRow, name: str, asked: Question) -> list[str]:
    if name in TIME_STEPS_S:
        form = {"day": "%Y-%m-%d", "hour": "%Y-%m-%dT%HZ", "minute": "%Y-%m-%dT%H:%MZ"}[name]
        return [datetime.fromtimestamp(row.started_at_ms / 1000, UTC).strftime(form)]
    if name == "tag":
        tags = sorted(set(row.tags.split(",")))
        return [tag for tag in tags if "tag" not in asked.where or tag in asked.where["tag"]]
    return [str(getattr(row, COLUMNS.get(name, name)))]


def _sum(rows: Sequence[UsageRow]) -> Sums:
    sums = Sums()
    for row in rows:
        sums.add(counts_of(row))
    sums.latency.extend([row.total_ms for row in rows])
    sums.first_token.extend([row.first_token_ms for row in rows if row.first_token_ms is not None])
    return sums


def counts_of(row: UsageRow) -> list[int]:
    """What a row adds, in the order of ``COUNTED``."""
    tokens = row.input_tokens + row.output_tokens
    is_hit = row.usage_source == "cache"
    special = {
        "requests": 1,
        "errors": row.status >= 400 or row.error_code != "",
        "cost_nanousd": row.cost_nanousd or 0,
        "unpriced": row.cost_nanousd is None and tokens > 0,
        "hits": is_hit,
        "saved_tokens": tokens if is_hit else 0,
        "total_us": math.floor(min(row.total_ms * 1000, LARGEST_ADDED)),
    }
    counts = [int(special[name] if name in special else getattr(row, name)) for name in COUNTED]
    return [max(-LARGEST_ADDED, min(LARGEST_ADDED, count)) for count in counts]


def alike_of(row: UsageRow) -> Alike:
    """What a row has in common with others of its group."""
    names = {name: getattr(row, name) for name in Alike._fields[1:]}
    return Alike(minute_ms=start_of(row.started_at_ms, MINUTE_S), **names)


def cells_of_rows(rows: Sequence[UsageRow]) -> dict[Place, list[UsageRow]]:
    """The rows of each cell. For rows within the bounds."""
    cells: dict[Place, list[UsageRow]] = {}
    for row in rows:
        alike = alike_of(row)
        kinds = [(step_s, SERIES, "") for step_s in (MINUTE_S, HOUR_S, DAY_S)]
        kinds += [(step_s, kind, name) for step_s in (HOUR_S, DAY_S) for kind, name in names_of(alike)]
        for step_s, kind, name in kinds:
            place = Place(step_s, kind, start_of(row.started_at_ms, step_s), series_of(alike).id, name)
            cells.setdefault(place, []).append(row)
    return cells


def columns_of(rows: Sequence[UsageRow]) -> tuple[int | bytes, ...]:
    """What a cell of rows says, in the order of its columns."""
    sums = _sum(rows)
    return *(getattr(sums, name) for name in COUNTED), sums.latency.encoded(), sums.first_token.encoded()


def told(report: Report) -> tuple[dict[tuple[str, ...], object], object]:
    """Everything of a report, to compare."""

    def figures(sums: Sums) -> object:
        sketches = sums.latency.encoded(), sums.first_token.encoded()
        return {name: getattr(sums, name) for name in COUNTED}, sketches

    return {group.values: figures(group.sums) for group in report.groups}, figures(report.whole)


def stored_rows(engine: Engine) -> list[UsageRow]:
    """All rows of the database."""
    with engine.connect() as connection:
        found = connection.execute(select(usage)).mappings().all()
    return [UsageRow(**{name: row[name] for name in UsageRow.__struct_fields__}) for row in found]


def assert_rolled(engine: Engine) -> None:
    """Every cell is the sum of its rows, to the byte, and there is none without rows. For rows within the bounds."""
    expected = {tuple(place): columns_of(rows) for place, rows in cells_of_rows(stored_rows(engine)).items()}
    with engine.connect() as connection:
        begin_ms = minutes_from_ms(connection)
        found = {tuple(row[:5]): tuple(row[5:]) for row in connection.execute(select(usage_rollups))}
        known = set(connection.execute(select(usage_series.c.id)).scalars())

    def kept(cells: dict[tuple[Any, ...], Any]) -> dict[tuple[Any, ...], Any]:
        return {place: cell for place, cell in cells.items() if place[0] != MINUTE_S or place[2] >= begin_ms}

    assert kept(found) == kept(expected)
    assert {place[3] for place in found} <= known


def without_time(report: Report) -> Report:
    """A report without what only sketches tell."""
    for sums in (report.whole, *(group.sums for group in report.groups)):
        sums.latency, sums.first_token = Quantiles(), Quantiles()
    return report


def with_names(row: UsageRow, **names: str) -> UsageRow:
    """The row under other names."""
    return structs.replace(row, **names)
