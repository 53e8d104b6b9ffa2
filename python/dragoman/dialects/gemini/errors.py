"""Errors in the shape of google.rpc.Status."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from dragoman.dialects.canonical import Json, Report, Trouble
from dragoman.dialects.dialect import Headers
from dragoman.dialects.lenient import objects_of, text_of

# What an error is about -> its HTTP status and name here.
KINDS: dict[Trouble, tuple[int, str]] = {
    "invalid": (400, "INVALID_ARGUMENT"),
    "context_length": (400, "INVALID_ARGUMENT"),
    "auth": (401, "UNAUTHENTICATED"),
    "forbidden": (403, "PERMISSION_DENIED"),
    "not_found": (404, "NOT_FOUND"),
    "too_large": (413, "INVALID_ARGUMENT"),
    "rate_limit": (429, "RESOURCE_EXHAUSTED"),
    "quota": (429, "RESOURCE_EXHAUSTED"),
    "filter": (400, "INVALID_ARGUMENT"),
    "server": (500, "INTERNAL"),
    "overloaded": (503, "UNAVAILABLE"),
    "timeout": (504, "DEADLINE_EXCEEDED"),
}
TROUBLES: dict[str, Trouble] = {
    "INVALID_ARGUMENT": "invalid",
    "FAILED_PRECONDITION": "invalid",
    "OUT_OF_RANGE": "invalid",
    "UNAUTHENTICATED": "auth",
    "PERMISSION_DENIED": "forbidden",
    "NOT_FOUND": "not_found",
    "RESOURCE_EXHAUSTED": "rate_limit",
    "INTERNAL": "server",
    "UNKNOWN": "server",
    "UNAVAILABLE": "overloaded",
    "DEADLINE_EXCEEDED": "timeout",
    "CANCELLED": "timeout",
}
TOO_LONG = ("exceeds the maximum number of tokens", "input token count", "context length")
_DELAY = re.compile(r"([0-9]+(?:\.[0-9]+)?)s")
MESSAGE_CHARS = 2048


def read_error(status: int, headers: dict[str, str], body: bytes) -> Report:
    """The error of an answer."""
    try:
        value: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        value = {"error": {"message": body[:MESSAGE_CHARS].decode("utf-8", "replace")}}
    return report_of(value, status)


def report_of(value: Any, status: int = 0) -> Report:
    """An error's JSON, which some paths put into a list."""
    if type(value) is list and value:
        value = value[0]
    found: Any = value.get("error", value) if type(value) is dict else {}
    if type(found) is not dict:
        found = {"message": found if type(found) is str else ""}
    name, message = text_of(found, "status"), text_of(found, "message")[:MESSAGE_CHARS]
    code = found.get("code")
    status = status or (code if type(code) is int and 400 <= code < 600 else 500)
    trouble = TROUBLES.get(name) or _by_status(status)
    details = objects_of(found, "details")
    if any(one.get("reason") == "API_KEY_INVALID" for one in details):
        trouble = "auth"
    elif trouble == "invalid" and any(words in message.lower() for words in TOO_LONG):
        trouble = "context_length"
    return Report(
        trouble=trouble,
        message=message,
        status=status,
        type=name,
        retry_after_s=_retry_after_s(details),
        extra={"details": details} if details else {},
    )


def _by_status(status: int) -> Trouble:
    known = next((trouble for trouble, (usual, _) in KINDS.items() if usual == status), None)
    return known or ("invalid" if 400 <= status < 500 else "server")


def _retry_after_s(details: list[Json]) -> float | None:
    for detail in details:
        found = _DELAY.fullmatch(text_of(detail, "retryDelay"))
        if found is not None:
            return float(found[1])
    return None


def error_json(report: Report) -> Json:
    """The error as a client of this dialect reads it."""
    usual, name = KINDS[report.trouble]
    error: Json = {"code": report.status or usual, "message": report.message, "status": name}
    details = report.extra.get("details")
    if details:
        error["details"] = details
    elif report.retry_after_s is not None:
        delay = f"{report.retry_after_s:g}s"
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]
    return {"error": error}


def write_error(report: Report, request_id: str) -> tuple[int, Headers, bytes]:
    """An error's answer."""
    del request_id  # the shape has no place for it; a header says it
    return report.status or KINDS[report.trouble][0], [], msgspec.json.encode(error_json(report))
