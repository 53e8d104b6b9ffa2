from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import get_args

import pytest
from msgspec.structs import replace
from tests.usage import traffic
from tests.usage.traffic import told, write

from dragoman.access.stored import create_key, revoke_key
from dragoman.config.schema import Key
from dragoman.errors import StoreError
from dragoman.store.engine import Store
from dragoman.usage.question import DIMENSIONS, TIME_STEPS_S
from dragoman.usage.report import Question, Report, report_usage
from dragoman.usage.row import UsageRow, UsageSource

MakeRow = Callable[..., UsageRow]
INJECTIONS = ["' OR 1=1 --", '"; DROP TABLE usage; --', "%", "_", "\\", "%s :x ?"]


def requests(report: Report) -> dict[tuple[str, ...], int]:
    return {group.values: group.sums.requests for group in report.groups}


@pytest.mark.parametrize("seed", range(12))
def test_any_question_is_answered_as_the_rows_say(store: Store, seed: int) -> None:
    chance = random.Random(seed)
    rows = traffic.rows(chance, 400)
    start = 0
    while start < len(rows):
        size = chance.choice((1, 7, 60, 200))
        write(store.engine, rows[start : start + size])
        start += size
    for _ in range(60):
        asked = traffic.question(chance)
        found = report_usage(store.engine, asked)
        assert told(found) == told(traffic.answer(rows, asked)), asked
        quick = report_usage(store.engine, replace(asked, with_times=False))
        assert told(quick) == told(traffic.without_time(found)), asked


def test_the_answer_does_not_change_when_minutes_go(store: Store, make_row: MakeRow) -> None:
    from dragoman.usage.rollup import prune_minutes

    chance = random.Random(99)
    rows = traffic.rows(chance, 300)
    write(store.engine, rows)
    with store.engine.begin() as connection:
        while prune_minutes(connection, traffic.BEGIN_MS + 4 * 86_400_000):
            pass
    for _ in range(60):
        asked = traffic.question(chance)
        assert told(report_usage(store.engine, asked)) == told(traffic.answer(rows, asked)), asked


def test_absurd_figures_do_not_overflow_the_sums(store: Store, make_row: MakeRow) -> None:
    write(store.engine, [make_row(input_tokens=2**63 - 1, cost_nanousd=2**63 - 1) for _ in range(3)])
    for asked in (Question(), Question(by=("endpoint",))):
        assert report_usage(store.engine, asked).whole.cost_nanousd == 3 * 10**15


def test_a_stream_that_broke_after_its_200_is_an_error(store: Store, make_row: MakeRow) -> None:
    write(store.engine, [make_row(error_code="upstream_cut"), make_row()])
    assert report_usage(store.engine, Question()).whole.errors == 1


def test_a_request_that_used_nothing_is_not_unpriced(store: Store, make_row: MakeRow) -> None:
    write(store.engine, [make_row(status=401), make_row(input_tokens=1), make_row(input_tokens=1, cost_nanousd=0)])
    assert report_usage(store.engine, Question()).whole.unpriced == 1


def test_hits_save_what_their_answers_had_cost(store: Store, make_row: MakeRow) -> None:
    hit = make_row(usage_source="cache", input_tokens=10, output_tokens=5, cost_nanousd=0, saved_nanousd=700)
    write(store.engine, [hit, make_row(input_tokens=1, cost_nanousd=3)])
    whole = report_usage(store.engine, Question()).whole
    assert (whole.hits, whole.saved_tokens, whole.saved_nanousd, whole.cost_nanousd) == (1, 15, 700, 3)


@pytest.mark.parametrize("by", [("team",), ("deployment",)])
def test_no_rows_make_an_empty_whole(store: Store, by: tuple[str, ...]) -> None:
    report = report_usage(store.engine, Question(by=by))
    assert report.groups == []
    assert (report.whole.requests, report.whole.mean_ms, report.whole.percentile_ms(0.5)) == (0, 0.0, 0.0)


def test_the_period_includes_its_start_and_not_its_end(store: Store, make_row: MakeRow) -> None:
    write(store.engine, [make_row(started_at_ms=at) for at in (99, 100, 199, 200)])
    report = report_usage(store.engine, Question(since_ms=100, until_ms=200))
    assert report.whole.requests == 2


def test_the_dearest_comes_first_then_the_busiest_then_by_name(store: Store, make_row: MakeRow) -> None:
    costs = {"cheap": 1, "dear": 9, "a-free": 0, "free": 0}
    rows = [make_row(team=team, cost_nanousd=cost) for team, cost in costs.items()] + [make_row(team="busy")] * 2
    write(store.engine, rows)
    report = report_usage(store.engine, Question(by=("team",)))
    assert [group.values for group in report.groups] == [("dear",), ("cheap",), ("busy",), ("a-free",), ("free",)]


def test_a_row_counts_for_each_of_its_tags_and_once_in_the_whole(store: Store, make_row: MakeRow) -> None:
    write(store.engine, [make_row(tags="a,b", team="t"), make_row(tags="b", team="t"), make_row(tags="", team="u")])
    report = report_usage(store.engine, Question(by=("tag",)))
    assert requests(report) == {("a",): 1, ("b",): 2, ("",): 1}
    assert report.whole.requests == 3
    both = report_usage(store.engine, Question(by=("team", "tag")))
    assert requests(both) == {("t", "a"): 1, ("t", "b"): 2, ("u", ""): 1}


def test_of_tags_asked_for_only_these_are_told(store: Store, make_row: MakeRow) -> None:
    write(store.engine, [make_row(tags="a,b"), make_row(tags="b,c"), make_row(tags="c")])
    one = report_usage(store.engine, Question(by=("tag",), where={"tag": ("a",)}))
    assert (requests(one), one.whole.requests) == ({("a",): 1}, 1)
    two = report_usage(store.engine, Question(by=("tag",), where={"tag": ("a", "b")}))
    assert (requests(two), two.whole.requests) == ({("a",): 1, ("b",): 2}, 2)


def test_days_hours_and_minutes_are_utc_and_in_order(store: Store, make_row: MakeRow) -> None:
    starts = [datetime(2026, 11, day, hour, 59, 59, tzinfo=UTC) for day, hour in ((23, 0), (22, 23), (22, 1))]
    write(store.engine, [make_row(started_at_ms=int(start.timestamp() * 1000), cost_nanousd=1) for start in starts])
    told = {
        name: [group.values[0] for group in report_usage(store.engine, Question(by=(name,))).groups]
        for name in TIME_STEPS_S
    }
    assert told["day"] == ["2026-11-22", "2026-11-23"]
    assert told["hour"] == ["2026-11-22T01Z", "2026-11-22T23Z", "2026-11-23T00Z"]
    assert told["minute"] == ["2026-11-22T01:59Z", "2026-11-22T23:59Z", "2026-11-23T00:59Z"]


@pytest.mark.parametrize("more", [(), ("deployment",)])
def test_a_key_has_its_name_also_once_made_anew(store: Store, make_row: MakeRow, more: tuple[str, ...]) -> None:
    first = create_key(store.engine, bytes(32), Key(name="ci"), now_ms=1)
    revoke_key(store.engine, "ci", now_ms=2)
    second = create_key(store.engine, bytes(32), Key(name="ci"), now_ms=3)
    write(store.engine, [make_row(key_id=key) for key in (first.key.id, second.key.id, "config:app", "")])
    found = requests(report_usage(store.engine, Question(by=("key", *more))))
    assert {values[0]: count for values, count in found.items()} == {"ci": 2, "config:app": 1, "": 1}
    assert len(report_usage(store.engine, Question(by=("key_id", *more))).groups) == 4
    assert report_usage(store.engine, Question(by=more, where={"key": ("ci",)})).whole.requests == 2


@pytest.mark.parametrize("name", DIMENSIONS)
def test_every_dimension_can_be_asked_for(store: Store, make_row: MakeRow, name: str) -> None:
    write(store.engine, [make_row(), make_row()])
    assert report_usage(store.engine, Question(by=(name,))).whole.requests == 2


def test_all_dimensions_at_once(store: Store, make_row: MakeRow) -> None:
    write(store.engine, [make_row()])
    (group,) = report_usage(store.engine, Question(by=tuple(DIMENSIONS))).groups
    assert len(group.values) == len(DIMENSIONS)


@pytest.mark.parametrize("text", INJECTIONS)
def test_what_clients_sent_is_never_taken_for_sql(store: Store, make_row: MakeRow, text: str) -> None:
    write(store.engine, [make_row(end_user=text, tags=text, model=text), make_row(end_user="other")])
    for by in (("end_user", "model"), ("end_user", "model", "endpoint")):
        report = report_usage(store.engine, Question(by=by))
        assert {values[:2] for values in requests(report)} == {(text, text), ("other", "")}
    for name in ("end_user", "tag", "model"):
        assert report_usage(store.engine, Question(where={name: (text,)})).whole.requests == 1


def test_a_tenants_world_is_the_same_without_the_others(store: Store, make_row: MakeRow) -> None:
    """The same names, used by two tenants: nothing of one shows in what the other is told."""
    from dragoman.usage.question import Scope

    def theirs(organisation: str) -> list[UsageRow]:
        names: dict[str, object] = {"team": "t", "end_user": "eve", "tags": "a,b", "run": "r", "alias": "m"}
        return [
            make_row(organisation=organisation, key_id=f"k-{organisation}", cost_nanousd=5, **names) for _ in range(9)
        ]

    asked = [
        Question(by=by, scope=scope)
        for by in ((), ("tag",), ("end_user",), ("run",), ("team", "alias"), ("endpoint",), ("day", "key"))
        for scope in (Scope(organisation="a"), Scope(organisation="a", team="t"), Scope(key_id="k-a"))
    ]
    write(store.engine, theirs("a"))
    alone = [told(report_usage(store.engine, one)) for one in asked]
    write(store.engine, theirs("b"))
    assert [told(report_usage(store.engine, one)) for one in asked] == alone
    assert report_usage(store.engine, Question(scope=Scope(organisation="a", key_id="k-b"))).whole.requests == 0


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("by", [("team",), ("endpoint",)])
def test_percentiles_are_right_to_within_5_percent(
    store: Store, make_row: MakeRow, share: float, by: tuple[str, ...]
) -> None:
    chance = random.Random(5)
    times = sorted(chance.lognormvariate(6, 1.5) for _ in range(2000))
    write(store.engine, [make_row(total_ms=ms) for ms in times])
    exact = times[int(share * len(times)) - 1]
    assert report_usage(store.engine, Question(by=by)).whole.percentile_ms(share) == pytest.approx(exact, rel=0.05)


def test_a_broken_database_is_a_store_error(store: Store) -> None:
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE usage_rollups")
    with pytest.raises(StoreError, match="cannot be read"):
        report_usage(store.engine, Question())


def test_usage_of_every_source_is_counted(store: Store, make_row: MakeRow) -> None:
    row = make_row(input_tokens=1)
    write(store.engine, [replace(row, usage_source=source) for source in get_args(UsageSource)])
    assert report_usage(store.engine, Question()).whole.input_tokens == len(get_args(UsageSource))
