"""Limits and budgets as types."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from dragoman.config.guards import AppliesTo
from dragoman.config.part import Part

PositiveInt = Annotated[int, Meta(ge=1)]
# A million dollars: a ten-thousandth of what 64 bits of nano-dollars hold.
Dollars = Annotated[float, Meta(gt=0, le=1_000_000)]
Level = Annotated[float, Meta(gt=0, le=1)]
Dimension = Literal["organisation", "team", "user", "app", "key", "alias", "tag", "end_user", "run"]
Per = Literal["minute", "hour", "day", "week", "month", "year", "ever"]
SECONDS: dict[str, int] = {"minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800, "month": 2_592_000}
"""Of a sliding window; a month's is 30 days."""
MEASURES = ("requests", "tokens", "concurrent", "cost_usd")


class Limit(Part, frozen=True, kw_only=True):
    """How much may be used in a while."""

    of: Annotated[
        tuple[Dimension, ...], "each of them has as much; several: each combination; empty: all together"
    ] = ()
    applies_to: Annotated[AppliesTo, "whose use counts; all lists must agree"] = AppliesTo()
    requests: Annotated[PositiveInt | None, "null: no limit"] = None
    tokens: Annotated[PositiveInt | None, "of prompts and answers; null: no limit"] = None
    cost_usd: Annotated[Dollars | None, "null: no limit"] = None
    concurrent: Annotated[PositiveInt | None, "requests at once; null: no limit"] = None
    per: Annotated[Per, "of the calendar, in UTC; a minute and an hour are always the last"] = "month"
    sliding: Annotated[bool, "the last so many days, in place of the calendar's"] = False
    mode: Annotated[Literal["enforce", "shadow"], "shadow: tells what it would refuse, and refuses nobody"] = "enforce"
    alert_at: Annotated[tuple[Level, ...], "shares whose crossing is told of, such as 0.8"] = ()


class Alerts(Part, frozen=True, kw_only=True):
    """Whom to tell of levels that are crossed, beside the log."""

    url: Annotated[str, "gets a POST with JSON"]
    secret: Annotated[str, "signs it: x-dragoman-signature"] = ""
    allow_private: Annotated[bool, "may be a loopback, private or link-local address"] = False


class Accounting(Part, frozen=True, kw_only=True):
    """How the ledger that limits are counted in deals with what is not known."""

    unpriced: Annotated[
        Literal["block", "ceiling", "allow"], "models without a price, where money is limited; allow: they count 0"
    ] = "block"
    ceiling_usd_mtok: Annotated[Dollars, "what a million tokens of a model without a price count, if ceiling"] = 100.0
    output_tokens: Annotated[PositiveInt, "held for an answer of which neither request nor model says how long"] = (
        16_384
    )
    alerts: Annotated[Alerts | None, "null: the log alone"] = None


def problems_of(limit: Limit) -> list[str]:
    """What is wrong with a limit."""
    problems = []
    if all(getattr(limit, measure) is None for measure in MEASURES):
        problems.append(f"limits nothing: give one of {', '.join(MEASURES)}")
    if len(set(limit.of)) < len(limit.of):
        problems.append("of: names something twice")
    if limit.sliding and limit.per not in SECONDS:
        problems.append(f"sliding: the last {limit.per} is none; give a calendar {limit.per}")
    return problems
