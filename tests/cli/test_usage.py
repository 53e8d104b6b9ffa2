from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from tests.usage.traffic import write

from dragoman.cli.usage import FILTERS
from dragoman.store.engine import Store
from dragoman.usage.row import UsageRow

Run = Callable[..., Result]
DAY_MS = 86_400_000


def row(number: int, **fields: object) -> UsageRow:
    common: dict[str, object] = {
        "request_id": f"r{number}",
        "started_at_ms": int(time.time() * 1000) - DAY_MS,
        "snapshot": 1,
        "endpoint": "chat",
        "status": 200,
    }
    return UsageRow(**common | fields)  # type: ignore[arg-type]


@pytest.fixture
def filled(store: Store) -> Store:
    rows = [
        row(1, team="search", model="m", cost_nanousd=1_234_567_891, input_tokens=1000, total_ms=100.0),
        row(2, team="search", model="m", cost_nanousd=None, output_tokens=5, tags="a,b"),
        row(3, team="=cmd|'/c calc'!A1", model="\x1b[31m", cost_nanousd=1, input_tokens=1, status=500),
        row(4, team="", model="m", started_at_ms=1),
    ]
    write(store.engine, rows)
    return store


def test_a_table_with_its_whole(run: Run, data: Path, filled: Store) -> None:
    result = run("usage", "--by", "team,model", "--data-dir", data)
    assert result.exit_code == 0, result.output
    header, first, second, whole = result.output.splitlines()
    assert " ".join(header.split()) == "team model requests errors input cached output cost unpriced mean p95"
    assert first.split()[:7] == ["search", "m", "2", "0", "1,000", "0", "5"]
    assert "$1.234568" in first
    assert "<$0.000001" in second
    assert whole.split()[:3] == ["whole", "3", "1"]
    assert "\x1b" not in result.output and "\\x1b[31m" in second


def test_without_dimensions_only_the_whole(run: Run, data: Path, filled: Store) -> None:
    assert len(run("usage", "--data-dir", data).output.splitlines()) == 2
    assert json.loads(run("usage", "--json", "--since", "", "--data-dir", data).output)["whole"]["requests"] == 4


def test_a_group_of_nothing_but_unpriced_has_no_cost(run: Run, data: Path, filled: Store) -> None:
    output = run("usage", "--by", "tag", "--data-dir", data).output
    assert [line.split()[6] for line in output.splitlines() if line.startswith(("a ", "b "))] == ["unknown"] * 2


def test_json_is_exact(run: Run, data: Path, filled: Store) -> None:
    answer = json.loads(run("usage", "--by", "team", "--json", "--data-dir", data).output)
    assert answer["by"] == ["team"]
    first = answer["groups"][0]
    assert (first["team"], first["cost_usd"], first["unpriced"], first["requests"]) == ("search", "1.234567891", 1, 2)
    assert answer["whole"]["cost_usd"] == "1.234567892"
    assert answer["whole"]["errors"] == 1


def test_csv_disarms_formulas(run: Run, data: Path, filled: Store) -> None:
    output = run("usage", "--by", "team", "--csv", "--data-dir", data).output
    rows = list(csv.DictReader(io.StringIO(output)))
    assert [line["team"] for line in rows] == ["search", "'=cmd|'/c calc'!A1"]
    assert rows[0]["cost_usd"] == "1.234567891"


def test_the_period_can_be_said(run: Run, data: Path, filled: Store) -> None:
    def count(*options: str) -> int:
        answer = json.loads(run("usage", "--json", *options, "--data-dir", data).output)
        return int(answer["whole"]["requests"])

    assert count() == 3
    assert count("--since", "1h") == 0
    assert count("--since", "1970-01-01") == 4
    assert count("--since", "1970-01-01", "--until", "2000-01-01T00:00:00Z") == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--by", "nonsense"], "is none of organisation"),
        (["--by", "team'; DROP TABLE usage; --"], "is none of"),
        (["--since", "nonsense"], "--since"),
        (["--until", "7x"], "--until"),
    ],
)
def test_bad_options_are_wrong_usage(run: Run, data: Path, options: list[str], words: str) -> None:
    result = run("usage", *options, "--data-dir", data)
    assert result.exit_code == 2
    assert words in result.output


def test_names_may_be_spaced_and_repeated(run: Run, data: Path, filled: Store) -> None:
    answer = json.loads(run("usage", "--by", " team, model,team ,", "--json", "--data-dir", data).output)
    assert answer["by"] == ["team", "model"]


def test_filters_say_whose_and_what(run: Run, data: Path, filled: Store) -> None:
    def count(*options: str) -> int:
        return int(json.loads(run("usage", "--json", *options, "--data-dir", data).output)["whole"]["requests"])

    assert count("--team", "search") == 2
    assert count("--team", "search", "--team", "=cmd|'/c calc'!A1") == 3
    assert count("--team", "search", "--tag", "b") == 1
    assert count("--status", "500", "--model", "m") == 0
    assert count("--status", "500") == 1


def test_focus_is_one_line_a_day_key_and_model(run: Run, data: Path, filled: Store) -> None:
    output = run("usage", "--focus", "--team", "search", "--data-dir", data).output
    (line,) = csv.DictReader(io.StringIO(output))
    assert (line["BilledCost"], line["ConsumedQuantity"], line["x_UnpricedRequests"]) == ("1.234567891", "1005", "1")


def test_the_filters_are_those_that_can_be_asked_for() -> None:
    from dragoman.usage import question

    assert set(FILTERS) == set(question.FILTERS)


BILL = """\
date,model,amount
{day},m,1.24
"""


@pytest.fixture
def bill(data: Path, filled: Store) -> Path:
    write(filled.engine, [row(9, provider="openai", model="m", cost_nanousd=1_234_567_891, input_tokens=5)])
    day = time.strftime("%Y-%m-%d", time.gmtime((int(time.time() * 1000) - DAY_MS) / 1000))
    path = data.parent / "bill.csv"
    path.write_text(BILL.format(day=day))
    return path


def test_a_bill_within_the_tolerance(run: Run, data: Path, bill: Path) -> None:
    result = run("usage", "reconcile", bill, "--provider", "openai", "--data-dir", data)
    assert result.exit_code == 0, result.output
    header, line, whole = result.output.splitlines()
    assert " ".join(header.split()) == "day model billed recorded drift percent unpriced"
    assert line.split()[1:] == ["m", "$1.240000", "$1.234568", "-$0.005432", "-0.44", "%", "0"]
    assert whole.split()[:3] == ["whole", "-", "$1.240000"]


def test_a_bill_beyond_it_ends_with_1(run: Run, data: Path, bill: Path) -> None:
    options = ["--provider", "openai", "--tolerance", "0.4", "--json", "--data-dir", data]
    result = run("usage", "reconcile", bill, *options)
    assert result.exit_code == 1
    told = json.loads(result.output)
    assert (told["whole"]["drift_usd"], told["apart_percent"]) == ("-0.005432109", 0.4381)


def test_columns_can_be_named(run: Run, data: Path, bill: Path) -> None:
    bill.write_text(bill.read_text().replace("amount", "Cost (USD)"))
    wrong = run("usage", "reconcile", bill, "--provider", "openai", "--data-dir", data)
    assert wrong.exit_code == 1
    assert "bill.csv: line 1: no layout that is known" in wrong.output
    options = ["--provider", "openai", "--map", "amount=Cost (USD)", "--data-dir", data]
    assert run("usage", "reconcile", bill, *options).exit_code == 0


@pytest.mark.parametrize("pair", ["amount", "amount=", "sum=Cost", "=x"])
def test_a_mapping_is_of_a_field_to_a_column(run: Run, data: Path, bill: Path, pair: str) -> None:
    result = run("usage", "reconcile", bill, "--provider", "openai", "--map", pair, "--data-dir", data)
    assert result.exit_code == 2
    assert "is not FIELD=COLUMN of date, model, amount" in result.output


def test_help_names_every_dimension(run: Run) -> None:
    from dragoman.usage.question import DIMENSIONS

    output = " ".join(run("usage", "--help").output.split())
    assert all(name in output for name in DIMENSIONS)
