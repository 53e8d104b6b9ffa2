from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from tests.usage.traffic import write

from dragoman.store.engine import Store
from dragoman.usage.forms import FOCUS_COLUMNS, FORMS, csv_cell, tell_usage
from dragoman.usage.question import Question, Scope
from dragoman.usage.row import UsageRow

MakeRow = Callable[..., UsageRow]
# FOCUS 1.2, "Mandatory".
MANDATORY = (
    *("BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd"),
    *("BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd"),
    *("ChargePeriodStart", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity"),
    *("PricingUnit", "ProviderName", "PublisherName", "ServiceCategory", "ServiceName"),
)
NOT_NULL = [name for name in MANDATORY if name != "ChargeClass"]
AT_MS = int(datetime(2026, 11, 30, 23, 59, tzinfo=UTC).timestamp() * 1000)


def lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_json_has_groups_and_the_whole(store: Store, make_row: MakeRow) -> None:
    write(store.engine, [make_row(team="a", cost_nanousd=3)])
    told = tell_usage(store.engine, Question(by=("team",)), "json")
    document = json.loads(told.text)
    assert told.content_type == "application/json"
    assert [(group["team"], group["cost_usd"]) for group in document["groups"]] == [("a", "0.000000003")]
    assert document["whole"]["requests"] == 1


def test_csv_has_a_line_a_group_or_the_whole(store: Store, make_row: MakeRow) -> None:
    write(store.engine, [make_row(team=team, input_tokens=1) for team in "aab"])
    groups = lines(tell_usage(store.engine, Question(by=("team",)), "csv").text)
    assert [(line["team"], line["requests"]) for line in groups] == [("a", "2"), ("b", "1")]
    assert [line["input_tokens"] for line in lines(tell_usage(store.engine, Question(), "csv").text)] == ["3"]


def test_focus_has_its_columns_and_its_sums(store: Store, make_row: MakeRow) -> None:
    common: dict[str, object] = {
        "provider": "openai",
        "organisation": "acme",
        "team": "t",
        "key_id": "k",
        "alias": "fast",
    }
    rows = [
        make_row(started_at_ms=AT_MS, model="gpt", cost_nanousd=5, input_tokens=7, output_tokens=1, user="u", **common),
        make_row(started_at_ms=AT_MS, model="gpt", cost_nanousd=2, input_tokens=2, user="u", **common),
        make_row(started_at_ms=AT_MS, model="new", input_tokens=4, **common),
        make_row(started_at_ms=AT_MS, status=401),
    ]
    write(store.engine, rows)
    told = tell_usage(store.engine, Question(by=("team",)), "focus")
    second, first = lines(told.text)  # by day, and then by name
    assert tuple(first) == FOCUS_COLUMNS
    assert set(MANDATORY) <= set(FOCUS_COLUMNS)
    assert all(line[name] for line in (first, second) for name in NOT_NULL)
    assert {first[name] for name in ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")} == {"0.000000007"}
    assert (first["ConsumedQuantity"], first["ConsumedUnit"], first["x_Requests"]) == ("10", "Tokens", "2")
    assert (first["ChargePeriodStart"], first["ChargePeriodEnd"]) == ("2026-11-30T00:00:00Z", "2026-12-01T00:00:00Z")
    assert (first["BillingPeriodStart"], first["BillingPeriodEnd"]) == ("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z")
    assert (first["SkuId"], first["ResourceId"], first["SubAccountId"]) == ("openai/gpt", "k", "t")
    assert json.loads(first["Tags"]) == {"user": "u", "alias": "fast"}
    assert (second["BilledCost"], second["x_UnpricedRequests"]) == ("0.000000000", "1")
    assert all(name.startswith("x_") or name[0].isupper() for name in FOCUS_COLUMNS)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_keeps_to_the_scope(store: Store, make_row: MakeRow, form: str) -> None:
    write(store.engine, [make_row(organisation=name, team=f"of-{name}", input_tokens=9) for name in ("acme", "rival")])
    asked = Question(by=("team",), scope=Scope(organisation="acme"))
    text = tell_usage(store.engine, asked, form).text  # type: ignore[arg-type]
    assert "of-acme" in text and "rival" not in text


@pytest.mark.parametrize(
    "text", ["=cmd|'/c calc'!A1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1", "＋1", "－1", "＠x"]
)
def test_formulas_are_disarmed(store: Store, make_row: MakeRow, text: str) -> None:
    write(store.engine, [make_row(alias=text, model=text, provider=text, team=text, key_id=text, input_tokens=1)])
    assert csv_cell(text) == f"'{text}".replace("\r", "\n")
    for form in ("csv", "focus"):
        told = tell_usage(store.engine, Question(by=("alias", "team")), form)  # type: ignore[arg-type]
        for row in csv.reader(io.StringIO(told.text)):
            assert not any(cell.lstrip(" ").startswith((text.lstrip(" ")[0], "\n")) for cell in row), row


def test_other_text_is_left_as_it_is() -> None:
    for text in ("", "a=b", "1-2", "é", "a\n=b", "'=1"):
        assert csv_cell(text) == text
