from __future__ import annotations

import sys

import pytest
from tests.catalogue import ids, lines, missing, named_in, rows

ROWS = rows()


def test_every_row_is_there_once_and_in_order() -> None:
    assert list(ROWS) == ids()
    assert len(ROWS) == 75


@pytest.mark.parametrize("name", ROWS)
def test_a_row_s_tests_exist(name: str) -> None:
    row = ROWS[name]
    assert missing(row) == []
    assert len(set(row.tests)) == len(row.tests)
    assert row.tests or row.open, "neither a test nor a reason"


def test_tests_are_found_in_either_language() -> None:
    assert "test_a_row_s_tests_exist" in named_in("tests/test_catalogue.py")
    assert "all_limits_are_charged_or_none" in named_in("rust/interleavings/tests/limits.rs")
    assert "reserve" not in named_in("rust/interleavings/tests/limits.rs")
    assert named_in("tests/nowhere.py") == frozenset()


def test_it_is_counted() -> None:
    told = list(lines(ROWS))
    assert len(told) == 1 + sum(not row.passes for row in ROWS.values())
    sys.stdout.write("\n".join(told) + "\n")  # seen with -s
