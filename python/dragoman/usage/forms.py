"""The forms in which usage is told: JSON, CSV, and the columns of FOCUS, the FinOps Foundation's standard for costs.

FOCUS 1.2: every mandatory column, and those conditional ones that there is something to say in. A line is one day of
one model for one key. Nobody is invoiced by a gateway, so the four costs are the same: what the requests cost at the
prices that are known. Columns of our own begin with ``x_``, as the standard asks.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple, get_args

import msgspec
from msgspec.structs import replace
from sqlalchemy import Engine

from dragoman.usage.question import Question
from dragoman.usage.report import report_usage
from dragoman.usage.sums import Group, Report, dollars

Form = Literal["json", "csv", "focus"]
FORMS: tuple[str, ...] = get_args(Form)
CONTENT_TYPES = {"json": "application/json", "csv": "text/csv; charset=utf-8", "focus": "text/csv; charset=utf-8"}
FOCUS_BY = ("day", "organisation", "team", "user", "app", "key_id", "key", "alias", "provider", "model")
# What a spreadsheet takes for the beginning of a formula, and what it skips before one.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\n", "＝", "＋", "－", "＠")


class Told(NamedTuple):
    """A report in one of its forms."""

    content_type: str
    text: str


def tell_usage(engine: Engine, question: Question, form: Form) -> Told:
    """Add usage up and tell it. ``focus`` has its own dimensions in place of the question's. Raises ``StoreError``."""
    if form == "focus":
        question = replace(question, by=FOCUS_BY, with_times=False)
    report = report_usage(engine, question)
    if form == "json":
        text = msgspec.json.encode(document(question.by, report)).decode()
    else:
        text = focus(report) if form == "focus" else table(question.by, report)
    return Told(CONTENT_TYPES[form], text)


def document(by: Sequence[str], report: Report) -> dict[str, Any]:
    """A report for JSON: the groups, if any were asked for, and the whole."""
    groups = [{**dict(zip(by, group.values, strict=True)), **group.sums.told()} for group in report.groups]
    return {"by": by, "groups": groups, "whole": report.whole.told()}


def table(by: Sequence[str], report: Report) -> str:
    """A report as CSV: the groups; the whole, where there are none."""
    groups = report.groups if by else [Group((), report.whole)]
    rows = ((*map(csv_cell, group.values), *group.sums.told().values()) for group in groups)
    return _csv((*by, *report.whole.told()), rows)


def focus(report: Report) -> str:
    """A report by ``FOCUS_BY`` as CSV in FOCUS's columns. What used and cost nothing is no charge."""
    lines = [
        _charge(group)
        for group in report.groups
        if group.sums.input_tokens or group.sums.output_tokens or group.sums.cost_nanousd
    ]
    return _csv(tuple(FOCUS_COLUMNS), ([csv_cell(line[name]) for name in FOCUS_COLUMNS] for line in lines))


def csv_cell(text: str) -> str:
    """The text, with an apostrophe before what a spreadsheet would take for a formula."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")  # which the writer would leave bare, and readers stumble over
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA_STARTS) else text


FOCUS_COLUMNS = (
    *("BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd"),
    *("BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency", "ChargePeriodEnd"),
    *("ChargePeriodStart", "ConsumedQuantity", "ConsumedUnit", "ContractedCost", "EffectiveCost", "InvoiceIssuerName"),
    *("ListCost", "PricingCategory", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName", "ResourceId"),
    *("ResourceName", "ResourceType", "ServiceCategory", "ServiceName", "SkuId", "SubAccountId", "SubAccountName"),
    *("Tags", "x_Requests", "x_UnpricedRequests", "x_InputTokens", "x_CachedInputTokens", "x_OutputTokens"),
    "x_SavedCost",
)


def _charge(group: Group) -> dict[str, str]:
    day, organisation, team, user, app, key_id, key, alias, provider, model = group.values
    sums = group.sums
    begin = datetime.fromisoformat(day).replace(tzinfo=UTC)
    month = begin.replace(day=1)
    account = organisation or "default"
    by = provider or "none"
    cost, tokens = dollars(sums.cost_nanousd), str(sums.input_tokens + sums.output_tokens)
    tags = {"user": user, "app": app, "alias": alias}
    return {
        **dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), cost),
        **dict.fromkeys(("BillingAccountId", "BillingAccountName"), account),
        "BillingCurrency": "USD",
        "BillingPeriodStart": _moment(month),
        "BillingPeriodEnd": _moment((month + timedelta(days=31)).replace(day=1)),
        "ChargeCategory": "Usage",
        "ChargeClass": "",  # no correction of an earlier charge
        "ChargeDescription": f"{sums.requests} requests to {model or alias or 'no model'} at {by}",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodStart": _moment(begin),
        "ChargePeriodEnd": _moment(begin + timedelta(days=1)),
        **dict.fromkeys(("ConsumedQuantity", "PricingQuantity"), tokens),
        **dict.fromkeys(("ConsumedUnit", "PricingUnit"), "Tokens"),
        "PricingCategory": "Standard",
        **dict.fromkeys(("InvoiceIssuerName", "ProviderName", "PublisherName"), by),
        "ResourceId": key_id,
        "ResourceName": key,
        "ResourceType": "Virtual key" if key_id else "",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": by,
        "SkuId": f"{by}/{model}",
        **dict.fromkeys(("SubAccountId", "SubAccountName"), team),
        "Tags": msgspec.json.encode({name: value for name, value in tags.items() if value}).decode(),
        "x_Requests": str(sums.requests),
        "x_UnpricedRequests": str(sums.unpriced),
        "x_InputTokens": str(sums.input_tokens),
        "x_CachedInputTokens": str(sums.cached_input_tokens),
        "x_OutputTokens": str(sums.output_tokens),
        "x_SavedCost": dollars(sums.saved_nanousd),
    }


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
