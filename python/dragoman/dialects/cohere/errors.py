"""Errors: words, and an id."""

from __future__ import annotations

from typing import Any

import msgspec

from dragoman.dialects.canonical import Report, Trouble
from dragoman.dialects.dialect import Headers
from dragoman.dialects.lenient import text_of

STATUSES: dict[Trouble, int] = {
    "invalid": 400,
    "context_length": 400,
    "auth": 401,
    "forbidden": 403,
    "not_found": 404,
    "too_large": 413,
    "rate_limit": 429,
    "quota": 402,
    "filter": 400,
    "server": 500,
    "overloaded": 503,
    "timeout": 504,
}
TROUBLES: dict[int, Trouble] = {
    401: "auth",
    402: "quota",
    403: "forbidden",
    404: "not_found",
    413: "too_large",
    429: "rate_limit",
    498: "auth",
    503: "overloaded",
    504: "timeout",
}
TOO_LONG = ("too many tokens", "context length", "maximum context", "too long")
MESSAGE_CHARS = 2048


def read_error(status: int, headers: dict[str, str], body: bytes) -> Report:
    """The error of an answer."""
    try:
        value: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        value = {"message": body[:MESSAGE_CHARS].decode("utf-8", "replace")}
    message = text_of(value, "message")[:MESSAGE_CHARS] if type(value) is dict else ""
    trouble = TROUBLES.get(status) or ("server" if status >= 500 else "invalid")
    if trouble == "invalid" and any(words in message.lower() for words in TOO_LONG):
        trouble = "context_length"
    return Report(trouble=trouble, message=message, status=status)


def write_error(report: Report, request_id: str) -> tuple[int, Headers, bytes]:
    """An error's answer."""
    status = report.status or STATUSES[report.trouble]
    return status, [], msgspec.json.encode({"id": request_id, "message": report.message})
