from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.usage.traffic import told, write

from dragoman.store.engine import Store
from dragoman.usage import rollup
from dragoman.usage.cells import DAY_S, HOUR_S, MINUTE_S
from dragoman.usage.question import Question, Scope
from dragoman.usage.report import report_usage
from dragoman.usage.rolled import steps_for
from dragoman.usage.row import UsageRow

MakeRow = Callable[..., UsageRow]


def steps(store: Store, asked: Question) -> list[int]:
    with store.engine.connect() as connection:
        return [step.step_s for step in steps_for(connection, asked)]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (Question(), [DAY_S, HOUR_S, MINUTE_S]),
        (Question(by=("team", "key", "model", "day"), where={"alias": ("a",)}), [DAY_S, HOUR_S, MINUTE_S]),
        (Question(by=("day", "hour")), [HOUR_S, MINUTE_S]),
        (Question(by=("minute",)), [MINUTE_S]),
        (Question(by=("tag", "team")), [DAY_S, HOUR_S]),
        (Question(by=("tag",), where={"tag": ("a",)}), [DAY_S, HOUR_S]),
        (Question(by=("hour",), where={"end_user": ("a", "b")}), [HOUR_S]),
        (Question(by=("minute",), where={"run": ("a",)}), []),
        (Question(where={"tag": ("a", "b")}), []),
        (Question(by=("tag", "end_user")), []),
        (Question(by=("run",), where={"tag": ("a",)}), []),
        (Question(by=("endpoint",)), []),
        (Question(where={"status": ("429",)}), []),
    ],
)
def test_which_rollups_tell_what(store: Store, asked: Question, expected: list[int]) -> None:
    assert steps(store, asked) == expected


def test_what_is_folded_is_asked_of_the_rows(store: Store, make_row: MakeRow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bounds a key's models and names are counted together, and every answer is as exact as before."""
    monkeypatch.setattr(rollup, "SERIES_A_DAY", 3)
    monkeypatch.setattr(rollup, "NAMES_A_DAY", 4)
    rows = [
        make_row(key_id="k", team="t", model=f"m{number}", end_user=f"u{number}", run="r", tags="a,b", cost_nanousd=1)
        for number in range(20)
    ]
    write(store.engine, [*rows, make_row(key_id="other", team="s", model="m0", end_user="u0")])
    with store.engine.connect() as connection:
        places = connection.exec_driver_sql("SELECT kind, count(*) FROM usage_rollups WHERE step_s = 86400 GROUP BY 1")
        assert dict(map(tuple, places)) == {0: 5, 1: 4, 2: 5, 3: 4, -1: 2, -2: 1}
    assert steps(store, Question(by=("model",))) == steps(store, Question(where={"end_user": ("u9",)})) == []
    assert steps(store, Question(by=("team", "day"))) == [DAY_S, HOUR_S, MINUTE_S]
    assert steps(store, Question(by=("model",), scope=Scope(key_id="other"))) == [DAY_S, HOUR_S, MINUTE_S]
    assert steps(store, Question(by=("end_user",), scope=Scope(team="s"))) == [DAY_S, HOUR_S]
    for name, count in (("model", 20), ("end_user", 20), ("tag", 3), ("run", 2), ("team", 2)):
        report = report_usage(store.engine, Question(by=(name,)))
        assert (len(report.groups), report.whole.requests) == (count, 21), name
    assert report_usage(store.engine, Question(where={"end_user": ("u9",)})).whole.cost_nanousd == 1


def test_folding_is_not_felt_by_days_before(store: Store, make_row: MakeRow, monkeypatch: pytest.MonkeyPatch) -> None:
    day_ms = DAY_S * 1000
    monkeypatch.setattr(rollup, "NAMES_A_DAY", 1)
    early = [make_row(started_at_ms=at, end_user=f"u{at}") for at in (0, 1)]
    late = [make_row(started_at_ms=9 * day_ms, end_user="u")]
    write(store.engine, [*early, *late])
    assert steps(store, Question(by=("end_user",))) == []
    assert steps(store, Question(by=("end_user",), since_ms=5 * day_ms)) == [DAY_S, HOUR_S]


def test_a_name_that_is_known_that_day_goes_on_being_counted(
    store: Store, make_row: MakeRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollup, "NAMES_A_DAY", 1)
    for _ in range(3):
        write(store.engine, [make_row(end_user="first")])
    assert steps(store, Question(by=("end_user",))) == [DAY_S, HOUR_S]
    write(store.engine, [make_row(end_user="second"), make_row(end_user="first")])
    assert told(report_usage(store.engine, Question(by=("end_user",))))[0].keys() == {("first",), ("second",)}
