"""Errors in Anthropic's shape."""

from __future__ import annotations

from typing import Any

import msgspec

from dragoman.dialects.canonical import Json, Report, Trouble
from dragoman.dialects.dialect import Headers
from dragoman.dialects.lenient import text_of

# What an error is about -> its status and type here.
KINDS: dict[Trouble, tuple[int, str]] = {
    "invalid": (400, "invalid_request_error"),
    "context_length": (400, "invalid_request_error"),
    "auth": (401, "authentication_error"),
    "forbidden": (403, "permission_error"),
    "not_found": (404, "not_found_error"),
    "too_large": (413, "request_too_large"),
    "rate_limit": (429, "rate_limit_error"),
    "quota": (429, "billing_error"),
    "filter": (400, "invalid_request_error"),
    "server": (502, "api_error"),
    "overloaded": (529, "overloaded_error"),
    "timeout": (504, "timeout_error"),
}
TROUBLES: dict[str, tuple[Trouble, int]] = {
    "invalid_request_error": ("invalid", 400),
    "authentication_error": ("auth", 401),
    "billing_error": ("quota", 402),
    "permission_error": ("forbidden", 403),
    "not_found_error": ("not_found", 404),
    "conflict_error": ("invalid", 409),
    "request_too_large": ("too_large", 413),
    "rate_limit_error": ("rate_limit", 429),
    "api_error": ("server", 500),
    "timeout_error": ("timeout", 504),
    "overloaded_error": ("overloaded", 529),
}
TOO_LONG = ("prompt is too long", "input is too long", "exceed context limit", "context window")
MESSAGE_CHARS = 2048


def read_error(status: int, headers: dict[str, str], body: bytes) -> Report:
    """The error of an answer."""
    try:
        value: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        value = {"error": {"message": body[:MESSAGE_CHARS].decode("utf-8", "replace")}}
    return report_of(value, status)


def report_of(value: Any, status: int = 0) -> Report:
    """An error's JSON; without a status, an event's, which has the one that its type stands for."""
    found: Any = value.get("error") if type(value) is dict else None
    if type(found) is not dict:
        found = value if type(value) is dict else {}
    kind, message = text_of(found, "type"), text_of(found, "message")[:MESSAGE_CHARS]
    trouble, usual = TROUBLES.get(kind, (_by_status(status), 500))
    if trouble == "invalid" and any(words in message.lower() for words in TOO_LONG):
        trouble = "context_length"
    return Report(trouble=trouble, message=message, status=status or usual, type=kind)


def _by_status(status: int) -> Trouble:
    known = next((trouble for trouble, usual in TROUBLES.values() if usual == status), None)
    return known or ("invalid" if 400 <= status < 500 else "server")


def error_json(report: Report, request_id: str) -> Json:
    """The error as a client of this dialect reads it."""
    known = TROUBLES.get(report.type)  # another dialect may mean something else by it
    kind = report.type if known is not None and known[0] == report.trouble else KINDS[report.trouble][1]
    return {"type": "error", "error": {"type": kind, "message": report.message}, "request_id": request_id}


def write_error(report: Report, request_id: str) -> tuple[int, Headers, bytes]:
    """An error's answer."""
    usual = KINDS[report.trouble][0]
    status = usual if report.trouble in ("overloaded", "auth", "rate_limit") else report.status or usual
    return status, [("request-id", request_id)], msgspec.json.encode(error_json(report, request_id))
