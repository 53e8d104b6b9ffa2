"""What was used and spent, within the organisation of whoever asks: as JSON, CSV, or the columns of FOCUS."""

from __future__ import annotations

import time
from typing import Any, Literal

import msgspec
from msgspec import Struct

from dragoman.endpoints.admin.operation import Answer, Call, Operation
from dragoman.errors import InvalidRequest
from dragoman.usage.forms import tell_usage
from dragoman.usage.question import FILTERS, BadQuestion, Scope, read_question

SINCE = "30d"
Asked = msgspec.defstruct(
    "UsageAsked",
    [
        ("by", str, ""),
        ("since", str, SINCE),
        ("until", str, ""),
        ("format", Literal["json", "csv", "focus"], "json"),
        *((name, str | None, None) for name in FILTERS),
    ],
    kw_only=True,
    frozen=True,
    forbid_unknown_fields=True,
    namespace={"__doc__": "What to add up; each filter is a value that counts."},
)


class Usage(Struct, frozen=True, kw_only=True):
    """Sums, by what was asked for, and of all of it."""

    by: list[str]
    groups: list[dict[str, Any]]
    whole: dict[str, Any]


def _usage(call: Call) -> Answer:
    query: Any = call.query
    asked = {name: [value] for name in FILTERS if (value := getattr(query, name)) is not None}
    asked |= {name: [getattr(query, name)] for name in ("by", "since", "until")}
    try:
        question = read_question(asked, _scope(call), time.time_ns() // 1_000_000)
    except BadQuestion as error:
        raise InvalidRequest(f"{error}.", param=error.name) from None
    call.gateway.writer.catch_up()
    told = tell_usage(call.gateway.store.engine, question, query.format)
    return Answer(told.text.encode(), content_type=told.content_type)


def _scope(call: Call) -> Scope:
    principal, named = call.principal, getattr(call.query, "organisation", None)
    if principal.admin:
        return Scope()
    return Scope(organisation=call.organisation(named), team=principal.team or None)


OPERATIONS = [
    Operation(
        id="get_usage",
        method="GET",
        path="/usage",
        summary="Say what was used and what it cost",
        permissions=("usage.read",),
        run=_usage,
        query=Asked,
        answer=Usage,
        other_types=("text/csv",),
        tag="usage",
    )
]
