from __future__ import annotations

from collections.abc import Callable

from tests.usage.traffic import alike_of

from dragoman.usage.cells import (
    DAY_S,
    END_USER,
    HOUR_S,
    MAX_NAME_CHARS,
    MINUTE_S,
    RUN,
    SERIES,
    STEPS_S,
    TAG,
    Place,
    cells_of,
    names_of,
    series_of,
    start_of,
)
from dragoman.usage.row import UsageRow

MakeRow = Callable[..., UsageRow]


def test_a_step_begins_where_its_number_says() -> None:
    at = 1_795_000_123_456
    for step_s in STEPS_S:
        start = start_of(at, step_s)
        assert start % (step_s * 1000) == 0
        assert start <= at < start + step_s * 1000


def test_a_series_has_one_number_and_others_have_others(make_row: MakeRow) -> None:
    names = ("organisation", "team", "user", "app", "key_id", "alias", "provider", "model", "tags", "end_user", "run")
    rows = [alike_of(row) for row in (make_row(), *(make_row(**{name: "x"}) for name in names))]
    assert len({series_of(row).id for row in rows}) == len(rows)
    assert series_of(alike_of(make_row(tags="a"))).id == series_of(alike_of(make_row(tags="b", started_at_ms=5))).id
    assert all(0 <= series_of(row).id < 2**63 for row in rows)


def test_names_beside_each_other_are_not_one(make_row: MakeRow) -> None:
    assert (
        series_of(alike_of(make_row(team="ab", user="c"))).id != series_of(alike_of(make_row(team="a", user="bc"))).id
    )


def test_a_folded_series_keeps_whose_it_is(make_row: MakeRow) -> None:
    folded = series_of(alike_of(make_row(team="t", key_id="k", alias="a", model="m"))).fold()
    assert (folded.team, folded.key_id, folded.alias, folded.model, folded.folded) == ("t", "k", "", "", True)
    assert folded.id != series_of(alike_of(make_row(team="t", key_id="k"))).id


def test_a_row_counts_under_each_of_its_names_once(make_row: MakeRow) -> None:
    alike = alike_of(make_row(tags="a,b,a", end_user="eve", run="r"))
    assert sorted(names_of(alike)) == [(TAG, "a"), (TAG, "b"), (END_USER, "eve"), (RUN, "r")]
    assert names_of(alike_of(make_row())) == []


def test_names_that_are_too_long_for_a_key_are_counted_together(make_row: MakeRow) -> None:
    longest, longer = "é" * MAX_NAME_CHARS, "é" * (MAX_NAME_CHARS + 1)
    assert names_of(alike_of(make_row(end_user=longest, run=longer))) == [(END_USER, longest), (-RUN, "")]
    assert names_of(alike_of(make_row(tags=f"{longer}a,{longer}b,c"))) == [(-TAG, ""), (TAG, "c")]


def test_a_row_is_in_a_minute_an_hour_and_a_day_and_its_names_in_the_larger_two(make_row: MakeRow) -> None:
    row = make_row(tags="a", started_at_ms=1_795_000_123_456)
    starts = {step_s: start_of(row.started_at_ms, step_s) for step_s in STEPS_S}
    assert cells_of([(alike_of(row), 5, [(TAG, "a")])]) == {
        **{Place(step_s, SERIES, starts[step_s], 5, ""): [0] for step_s in STEPS_S},
        **{Place(step_s, TAG, starts[step_s], 5, "a"): [0] for step_s in (HOUR_S, DAY_S)},
    }


def test_larger_steps_have_what_smaller_ones_have(make_row: MakeRow) -> None:
    begin = 1_795_000_000_000 - 1_795_000_000_000 % (DAY_S * 1000)
    rows = [make_row(started_at_ms=begin + minute * 60_000) for minute in range(0, 1440, 7)]
    cells = cells_of([(alike_of(row), 1, []) for row in rows])
    assert sum(place.step_s == MINUTE_S for place in cells) == len(rows)
    for step_s in STEPS_S:
        members = [member for place, some in cells.items() if place.step_s == step_s for member in some]
        assert sorted(members) == list(range(len(rows)))


def test_groups_of_one_cell_are_in_it_once_each(make_row: MakeRow) -> None:
    groups = [alike_of(make_row(end_user=name)) for name in ("eve", "adam")]
    cells = cells_of([(alike, 1, [(-END_USER, "")]) for alike in groups])
    assert set(map(tuple, cells.values())) == {(0, 1)}
