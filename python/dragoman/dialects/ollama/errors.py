"""Errors: a text, with the status."""

from __future__ import annotations

from typing import Any

import msgspec

from dragoman.dialects.canonical import Report, Trouble
from dragoman.dialects.cohere.errors import MESSAGE_CHARS, STATUSES, TOO_LONG
from dragoman.dialects.dialect import Headers

TROUBLES: dict[int, Trouble] = {
    401: "auth",
    403: "forbidden",
    404: "not_found",
    413: "too_large",
    429: "rate_limit",
    503: "overloaded",
    504: "timeout",
}


def read_error(status: int, headers: dict[str, str], body: bytes) -> Report:
    """The error of an answer."""
    try:
        value: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        value = body.decode("utf-8", "replace")
    told = value.get("error") if type(value) is dict else value
    message = told[:MESSAGE_CHARS] if type(told) is str else ""
    trouble = TROUBLES.get(status) or ("server" if status >= 500 else "invalid")
    if trouble == "invalid" and any(words in message.lower() for words in TOO_LONG):
        trouble = "context_length"
    return Report(trouble=trouble, message=message, status=status)


def write_error(report: Report, request_id: str) -> tuple[int, Headers, bytes]:
    """An error's answer."""
    return report.status or STATUSES[report.trouble], [], msgspec.json.encode({"error": report.message})
