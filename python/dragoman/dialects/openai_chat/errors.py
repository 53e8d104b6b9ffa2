"""Errors in OpenAI's shape, as its providers write them and as its clients read them.

OpenAI's SDKs raise by status, read ``error.code``, and raise in the middle of a stream on an event whose data has a
truthy top-level ``error``; no ``[DONE]`` follows it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from dragoman.dialects.canonical import Json, Report, Trouble
from dragoman.dialects.dialect import Headers

# What an error is about -> its status, type and code here.
KINDS: dict[Trouble, tuple[int, str, str]] = {
    "invalid": (400, "invalid_request_error", "invalid_request"),
    "context_length": (400, "invalid_request_error", "context_length_exceeded"),
    "auth": (401, "authentication_error", "invalid_api_key"),
    "forbidden": (403, "permission_error", "permission_denied"),
    "not_found": (404, "invalid_request_error", "model_not_found"),
    "too_large": (413, "invalid_request_error", "request_too_large"),
    "rate_limit": (429, "rate_limit_error", "rate_limit_exceeded"),
    "quota": (429, "insufficient_quota", "insufficient_quota"),
    "filter": (400, "invalid_request_error", "content_filter"),
    "server": (502, "upstream_error", "upstream_error"),
    "overloaded": (503, "overloaded_error", "overloaded"),
    "timeout": (504, "timeout_error", "upstream_timeout"),
}
BY_CODE: dict[str, Trouble] = {
    "context_length_exceeded": "context_length",
    "string_above_max_length": "context_length",
    "insufficient_quota": "quota",
    "billing_hard_limit_reached": "quota",
    "content_filter": "filter",
    "content_policy_violation": "filter",
    "invalid_api_key": "auth",
    "model_not_found": "not_found",
    "rate_limit_exceeded": "rate_limit",
    "rate_limit_error": "rate_limit",
    "server_error": "server",
    "overloaded_error": "overloaded",
    "timeout": "timeout",
}
BY_STATUS: dict[int, Trouble] = {
    401: "auth",
    402: "quota",
    403: "forbidden",
    404: "not_found",
    408: "timeout",
    413: "too_large",
    429: "rate_limit",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}
# Words by which hosts without codes say that a request is too long.
TOO_LONG = ("context length", "context window", "maximum context", "too many tokens", "prompt is too long")
MESSAGE_CHARS = 2048


def trouble_of(status: int, code: str, message: str) -> Trouble:
    """What an error is about, by its code, its status and its words."""
    known, by_status = BY_CODE.get(code), BY_STATUS.get(status)
    if known is not None and not (known == "server" and by_status is not None):  # a word for anything
        return known
    if status in (400, 413, 422) and any(words in message.lower() for words in TOO_LONG):
        return "context_length"
    return by_status or ("server" if status >= 500 else "invalid")


def read_error(status: int, headers: dict[str, str], body: bytes) -> Report:
    """The error of an answer, in any of the shapes that hosts have for it."""
    try:
        value: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        value = body[:MESSAGE_CHARS].decode("utf-8", "replace")
    return report_of(value, status)


def report_of(value: Any, status: int = 500) -> Report:
    """An error's JSON: ``{"error": {...}}``, ``{"error": "text"}``, ``{"message": ...}``, ``{"detail": ...}``."""
    if type(value) is list and value:
        value = value[0]
    found: Any = value.get("error", value) if type(value) is dict else value
    if type(found) is not dict:
        message = found if type(found) is str else ""
        return Report(trouble=trouble_of(status, "", message), message=message[:MESSAGE_CHARS], status=status)
    message = next((found[name] for name in ("message", "detail", "msg") if type(found.get(name)) is str), "")
    unreadable = found.get("failed_generation")
    if type(unreadable) is str and unreadable:  # of a call that its host could not read (edge case 47)
        message = f"{message} The model wrote: {unreadable}"
    code = found.get("code")
    if type(code) is int and 400 <= code < 600:
        status = code
    kind = found.get("type")
    kind = kind if type(kind) is str else ""
    said = code if type(code) is str else ""
    param = found.get("param")
    return Report(
        trouble=trouble_of(status, said or kind, message),
        message=message[:MESSAGE_CHARS],
        status=status,
        type=kind,
        code=said,
        param=param if type(param) is str else None,
    )


def error_json(report: Report, request_id: str) -> Json:
    """The error as a client of this dialect reads it."""
    _, kind, code = KINDS[report.trouble]
    error = {
        "message": report.message,
        "type": report.type or kind,
        "param": report.param,
        "code": report.code or code,
    }
    if request_id:
        error["request_id"] = request_id
    return {"error": error}


def write_error(report: Report, request_id: str) -> tuple[int, Headers, bytes]:
    """An error's answer."""
    status = report.status or KINDS[report.trouble][0]
    return status, [], msgspec.json.encode(error_json(report, request_id))
