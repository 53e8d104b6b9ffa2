from __future__ import annotations

import random
from datetime import date
from pathlib import Path

import pytest

from dragoman.usage import bill
from dragoman.usage.bill import BadBill, Bill, plain_model, read_bill

OPENAI = """\
start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item,project_id,project_name
1793491200,1793577600,2026-11-01T00:00:00+00:00,2026-11-02T00:00:00+00:00,0.0125,usd,"gpt-4o-2024-08-06, input",p,a
1793491200,1793577600,2026-11-01T00:00:00+00:00,2026-11-02T00:00:00+00:00,0.0300,usd,"gpt-4o-2024-08-06, output",p,a
1793577600,1793664000,2026-11-02T00:00:00+00:00,2026-11-03T00:00:00+00:00,,,,,
1793664000,1793750400,2026-11-03T00:00:00+00:00,2026-11-04T00:00:00+00:00,1e-7,usd,web search tool calls | gpt-4o,p,a
"""
ANTHROPIC = """\
\ufeffusage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,list_price_usd,cost_type
2026-11-04,Claude Haiku 4.5,Default,key,message,≤ 200k,input_no_cache,0.05,0.05,token
2026-11-04,Claude Haiku 4.5,Default,key,message,≤ 200k,output,0.02,0.02,token
"""


def read(tmp_path: Path, text: str | bytes, **mapped: str) -> Bill:
    path = tmp_path / "bill.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_bill(path, mapped)


def test_openai_costs(tmp_path: Path) -> None:
    found = read(tmp_path, OPENAI)
    assert (found.first, found.last) == (date(2026, 11, 1), date(2026, 11, 3))
    assert found.costs == {
        ("2026-11-01", "gpt-4o"): 42_500_000,
        ("2026-11-03", "web-search-tool-calls"): 100,
    }


def test_anthropic_costs(tmp_path: Path) -> None:
    assert read(tmp_path, ANTHROPIC).costs == {("2026-11-04", "claude-haiku-4-5"): 70_000_000}


def test_any_other_file_by_its_columns(tmp_path: Path) -> None:
    text = 'Day,Cost (USD),Name\n2026-11-01,"$1,234.50",m\n\n1793491200,-0.5,m\n'
    found = read(tmp_path, text, date="Day", amount="Cost (USD)", model="Name")
    assert found.costs == {("2026-11-01", "m"): 1_234_000_000_000}
    assert read(tmp_path, "date,model,amount\n2026-11-01,m,1\n").costs == {("2026-11-01", "m"): 10**9}
    assert read(tmp_path, "date,model,usd\n2026-11-01,m,1\n", amount="usd").costs == {("2026-11-01", "m"): 10**9}


def test_a_time_with_a_zone_is_of_its_day_in_utc(tmp_path: Path) -> None:
    found = read(tmp_path, "date,model,amount\n2026-11-02T01:00:00+08:00,m,1\n")
    assert list(found.costs) == [("2026-11-01", "m")]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("claude-haiku-4-5-20251001", "Claude Haiku 4.5"),
        ("claude-3-5-sonnet-latest", "Claude Sonnet 3.5"),
        ("gpt-4o", "gpt-4o-2024-08-06, cached input"),
        ("gpt-4.1-mini", "GPT-4.1 mini"),
    ],
)
def test_names_of_the_same_model_are_the_same(ours: str, theirs: str) -> None:
    assert plain_model(ours) == plain_model(theirs)


def test_names_of_other_models_are_others() -> None:
    names = ["gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.5", "gpt-5.4", "claude-opus-4-1", "claude-opus-4", "o1", "o3"]
    assert len({plain_model(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: no layout that is known"),
        ("a,b\n1,2\n", "--map date=COLUMN"),
        ("date,model,amount\n", "no line charges anything"),
        ("date,model,amount\n2026-11-01,m,1\n2026-11-31,m,1\n", r"line 3, column 1 \(date\): '2026-11-31' is no date"),
        ("date,model,amount\n11/30/2026,m,1\n", r"line 2, column 1 \(date\)"),
        ("date,model,amount\n2026-11-01,m,one\n", r"line 2, column 3 \(amount\): 'one' is no amount"),
        ("date,model,amount\n2026-11-01,m,NaN\n", r"column 3 \(amount\)"),
        ("date,model,amount\n2026-11-01,m,1e999999\n", r"column 3 \(amount\)"),
        ("date,model,amount\n2026-11-01,m\n", "line 2: 2 cells, and column 3 is needed"),
        ("date,date,model,amount\n2026-11-01,x,m,1\n", "two columns are named 'date'"),
        ("date,model,amount,currency\n2026-11-01,m,1,EUR\n", "line 2, column 4: 'EUR'; only dollars"),
        ('date,model,amount\n2026-11-01,"m,1\n', "no CSV"),
        (b"date,model,amount\n\xff\xfe,m,1\n", "not UTF-8 at byte 18"),
        ("date,model,amount\n2026-11-01," + "m" * 200_000 + ",1\n", "line 2: no CSV: field larger"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(BadBill, match=words):
        read(tmp_path, text)


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadBill, match="no column 'cost'; there are 'date', 'model', 'amount'"):
        read(tmp_path, "date,model,amount\n2026-11-01,m,1\n", amount="cost")


def test_a_file_has_a_largest_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "date,model,amount\n2026-11-01,m,1\n"
    monkeypatch.setattr(bill, "MAX_BYTES", len(text))
    assert read(tmp_path, text).costs
    with pytest.raises(BadBill, match="larger than 0 MiB"):
        read(tmp_path, text + "\n")


def test_a_file_has_a_largest_number_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bill, "MAX_ROWS", 2)
    line = "2026-11-01,m,1\n"
    assert read(tmp_path, "date,model,amount\n" + line * 2).costs == {("2026-11-01", "m"): 2 * 10**9}
    with pytest.raises(BadBill, match="line 4: more than 2 rows"):
        read(tmp_path, "date,model,amount\n" + line * 3)


def test_a_directory_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BadBill, match="cannot be read"):
        read_bill(tmp_path, {})


def test_garbage_is_refused_and_never_crashes(tmp_path: Path) -> None:
    chance = random.Random(3)
    for _ in range(300):
        garbage = bytearray(OPENAI.encode())
        for _ in range(chance.randrange(1, 20)):
            garbage[chance.randrange(len(garbage))] = chance.randrange(256)
        try:
            read(tmp_path, bytes(garbage))
        except BadBill:
            continue
