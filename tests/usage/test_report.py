from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import get_args

import pytest
from msgspec.structs import replace
from sqlalchemy.dialects import postgresql

from dragoman.access.stored import create_key, revoke_key
from dragoman.config.schema import Key
from dragoman.errors import StoreError
from dragoman.store.engine import Store
from dragoman.usage.insert import RowInsert
from dragoman.usage.report import DIMENSIONS, Question, Report, Sums, parse_moment_ms, report_usage, usage_query
from dragoman.usage.row import UsageRow, UsageSource

MakeRow = Callable[..., UsageRow]
INJECTIONS = ["' OR 1=1 --", '"; DROP TABLE usage; --', "%", "_", "\\", "%s :x ?"]
NOW_MS = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp() * 1000)


def put(store: Store, rows: Sequence[UsageRow]) -> None:
    with store.engine.begin() as connection:
        RowInsert(store.engine.dialect)(connection, rows)


def requests(report: Report) -> dict[tuple[str, ...], int]:
    return {group.values: group.sums.requests for group in report.groups}


def test_sums_are_those_of_the_rows(store: Store, make_row: MakeRow) -> None:
    chance = random.Random(1)
    rows = [
        make_row(
            team=chance.choice(["a", "b", ""]),
            model=chance.choice(["m", "n"]),
            status=chance.choice([200, 200, 429, 502]),
            input_tokens=chance.randrange(1000),
            output_tokens=chance.randrange(1000),
            cached_input_tokens=chance.randrange(100),
            cache_write_tokens=chance.randrange(100),
            reasoning_tokens=chance.randrange(100),
            audio_input_tokens=chance.randrange(10),
            audio_output_tokens=chance.randrange(10),
            cost_nanousd=chance.choice([None, chance.randrange(10**9)]),
            total_ms=chance.random() * 1000,
        )
        for _ in range(500)
    ]
    put(store, rows)
    report = report_usage(store.engine, Question(by=("team", "model")))
    assert len(report.groups) == 6
    for group in [*report.groups, None]:
        chosen = [row for row in rows if group is None or (row.team, row.model) == group.values]
        sums = report.whole if group is None else group.sums
        assert sums.requests == len(chosen)
        assert sums.errors == sum(row.status >= 400 for row in chosen)
        assert sums.cost_nanousd == sum(row.cost_nanousd or 0 for row in chosen)
        assert sums.unpriced == sum(row.cost_nanousd is None for row in chosen)
        assert sums.mean_ms == pytest.approx(sum(row.total_ms for row in chosen) / len(chosen))
        for kind in ("input", "output", "cached_input", "cache_write", "reasoning", "audio_input", "audio_output"):
            name = f"{kind}_tokens"
            assert getattr(sums, name) == sum(getattr(row, name) for row in chosen), name


def test_absurd_figures_do_not_overflow_the_sums(store: Store, make_row: MakeRow) -> None:
    put(store, [make_row(input_tokens=2**63 - 1, cost_nanousd=2**63 - 1) for _ in range(3)])
    assert report_usage(store.engine, Question()).whole.cost_nanousd == 3 * 10**15


def test_a_stream_that_broke_after_its_200_is_an_error(store: Store, make_row: MakeRow) -> None:
    put(store, [make_row(error_code="upstream_cut"), make_row()])
    assert report_usage(store.engine, Question()).whole.errors == 1


def test_a_request_that_used_nothing_is_not_unpriced(store: Store, make_row: MakeRow) -> None:
    put(store, [make_row(status=401), make_row(input_tokens=1), make_row(input_tokens=1, cost_nanousd=0)])
    assert report_usage(store.engine, Question()).whole.unpriced == 1


def test_no_rows_make_an_empty_whole(store: Store) -> None:
    report = report_usage(store.engine, Question(by=("team",)))
    assert report.groups == []
    assert (report.whole.requests, report.whole.mean_ms, report.whole.percentile_ms(0.5)) == (0, 0.0, 0.0)


def test_the_period_includes_its_start_and_not_its_end(store: Store, make_row: MakeRow) -> None:
    put(store, [make_row(started_at_ms=at) for at in (99, 100, 199, 200)])
    report = report_usage(store.engine, Question(since_ms=100, until_ms=200))
    assert report.whole.requests == 2


def test_the_dearest_comes_first_then_the_busiest_then_by_name(store: Store, make_row: MakeRow) -> None:
    costs = {"cheap": 1, "dear": 9, "a-free": 0, "free": 0}
    put(store, [make_row(team=team, cost_nanousd=cost) for team, cost in costs.items()] + [make_row(team="busy")] * 2)
    report = report_usage(store.engine, Question(by=("team",)))
    assert [group.values for group in report.groups] == [("dear",), ("cheap",), ("busy",), ("a-free",), ("free",)]


def test_a_row_counts_for_each_of_its_tags_and_once_in_the_whole(store: Store, make_row: MakeRow) -> None:
    put(store, [make_row(tags="a,b", team="t"), make_row(tags="b", team="t"), make_row(tags="", team="u")])
    report = report_usage(store.engine, Question(by=("tag",)))
    assert requests(report) == {("a",): 1, ("b",): 2, ("",): 1}
    assert report.whole.requests == 3
    both = report_usage(store.engine, Question(by=("team", "tag")))
    assert requests(both) == {("t", "a"): 1, ("t", "b"): 2, ("u", ""): 1}


def test_a_tag_named_twice_counts_once(store: Store, make_row: MakeRow) -> None:
    put(store, [make_row(tags="a,a")])
    assert requests(report_usage(store.engine, Question(by=("tag",)))) == {("a",): 1}


def test_days_and_hours_are_utc_and_in_order(store: Store, make_row: MakeRow) -> None:
    starts = [datetime(2026, 11, day, hour, 59, 59, tzinfo=UTC) for day, hour in ((23, 0), (22, 23), (22, 1))]
    put(store, [make_row(started_at_ms=int(start.timestamp() * 1000), cost_nanousd=1) for start in starts])
    by_day = report_usage(store.engine, Question(by=("day",)))
    assert [group.values[0] for group in by_day.groups] == ["2026-11-22", "2026-11-23"]
    by_hour = report_usage(store.engine, Question(by=("hour",)))
    assert [group.values[0] for group in by_hour.groups] == ["2026-11-22T01Z", "2026-11-22T23Z", "2026-11-23T00Z"]


def test_a_key_has_its_name_also_once_made_anew(store: Store, make_row: MakeRow) -> None:
    first = create_key(store.engine, bytes(32), Key(name="ci"), now_ms=1)
    revoke_key(store.engine, "ci", now_ms=2)
    second = create_key(store.engine, bytes(32), Key(name="ci"), now_ms=3)
    put(store, [make_row(key_id=key) for key in (first.key.id, second.key.id, "config:app", "")])
    assert requests(report_usage(store.engine, Question(by=("key",)))) == {("ci",): 2, ("config:app",): 1, ("",): 1}
    assert len(report_usage(store.engine, Question(by=("key_id",))).groups) == 4


@pytest.mark.parametrize("name", DIMENSIONS)
def test_every_dimension_can_be_asked_for(store: Store, make_row: MakeRow, name: str) -> None:
    put(store, [make_row(), make_row()])
    assert report_usage(store.engine, Question(by=(name,))).whole.requests == 2


def test_all_dimensions_at_once(store: Store, make_row: MakeRow) -> None:
    put(store, [make_row()])
    (group,) = report_usage(store.engine, Question(by=tuple(DIMENSIONS))).groups
    assert len(group.values) == len(DIMENSIONS)


@pytest.mark.parametrize("text", INJECTIONS)
def test_what_clients_sent_is_never_taken_for_sql(store: Store, make_row: MakeRow, text: str) -> None:
    put(store, [make_row(end_user=text, tags=text, model=text), make_row(end_user="other")])
    report = report_usage(store.engine, Question(by=("end_user", "model")))
    assert requests(report) == {(text, text): 1, ("other", ""): 1}


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_percentiles_are_right_to_within_12_percent(store: Store, make_row: MakeRow, share: float) -> None:
    chance = random.Random(5)
    times = sorted(chance.lognormvariate(6, 1.5) for _ in range(2000))
    put(store, [make_row(total_ms=ms) for ms in times])
    exact = times[int(share * len(times)) - 1]
    assert report_usage(store.engine, Question()).whole.percentile_ms(share) == pytest.approx(exact, rel=0.12)


def test_times_beyond_the_classes_are_still_counted() -> None:
    sums = Sums(requests=1, latency_classes={60: 1})
    assert sums.percentile_ms(0.5) > 400_000


def test_a_broken_database_is_a_store_error(store: Store) -> None:
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE usage")
    with pytest.raises(StoreError, match="cannot be read"):
        report_usage(store.engine, Question())


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30m", datetime(2026, 11, 23, 11, 30, tzinfo=UTC)),
        ("24h", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("7d", datetime(2026, 11, 16, 12, tzinfo=UTC)),
        ("2w", datetime(2026, 11, 9, 12, tzinfo=UTC)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T10:00", datetime(2026, 11, 1, 10, tzinfo=UTC)),
        ("2026-11-01T10:00:00+02:00", datetime(2026, 11, 1, 8, tzinfo=UTC)),
    ],
)
def test_moments_are_read(text: str, moment: datetime) -> None:
    assert parse_moment_ms(text, NOW_MS) == moment.timestamp() * 1000


@pytest.mark.parametrize("text", ["", "7", "d", "-7d", "7 d", "7y", "9999999d", "tomorrow", "2026-13-01", "d7"])
def test_other_text_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match="neither a period"):
        parse_moment_ms(text, NOW_MS)


def test_the_question_can_be_put_to_postgresql() -> None:
    query = usage_query(Question(by=tuple(DIMENSIONS), since_ms=1, until_ms=2))
    text = str(query.compile(dialect=postgresql.psycopg.dialect()))  # type: ignore[no-untyped-call]
    assert 'usage."user"' in text
    assert "usage.started_at_ms >= %(" in text


def test_usage_of_every_source_is_counted(store: Store, make_row: MakeRow) -> None:
    row = make_row(input_tokens=1)
    put(store, [replace(row, usage_source=source) for source in get_args(UsageSource)])
    assert report_usage(store.engine, Question()).whole.input_tokens == len(get_args(UsageSource))
