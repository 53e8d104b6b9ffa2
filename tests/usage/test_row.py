from __future__ import annotations

from msgspec.structs import astuple, replace

from dragoman.usage.row import Tokens, UsageRow, changed, reader, row_of


def test_a_row_needs_only_what_every_request_has() -> None:
    row = UsageRow(request_id="r", started_at_ms=1, snapshot=2, endpoint="chat", status=200)
    assert row.cost_nanousd is None
    assert row.usage_source == "none"
    assert row.first_token_ms is None


def test_each_kind_of_token_has_its_column() -> None:
    assert {f"{kind}_tokens" for kind in Tokens.__struct_fields__} <= set(UsageRow.__struct_fields__)


def test_a_row_is_made_of_its_cells() -> None:
    row = UsageRow(request_id="r", started_at_ms=1, snapshot=2, endpoint="chat", status=200, run="last")
    assert row_of(astuple(row)) == row
    assert reader("status")(astuple(row)) == 200
    assert reader("run", "request_id")(astuple(row)) == ("last", "r")


def test_a_row_is_changed_in_the_fields_that_are_named() -> None:
    row = UsageRow(request_id="r", started_at_ms=1, snapshot=2, endpoint="chat", status=200)
    assert changed(astuple(row), run="last", status=404) == astuple(replace(row, run="last", status=404))
