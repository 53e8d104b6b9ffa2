"""Errors: by HTTP as chat has them, in a stream as a response that has failed."""

from __future__ import annotations

from typing import Any

from dragoman.dialects.canonical import Json, Report, Trouble
from dragoman.dialects.openai_chat import errors as chat

read_error = chat.read_error
write_error = chat.write_error

# Words that clients of a failed response understand; they tell from them whether to try again.
CODES: dict[Trouble, str] = {
    "context_length": "context_length_exceeded",
    "rate_limit": "rate_limit_exceeded",
    "quota": "insufficient_quota",
    "invalid": "invalid_prompt",
    "filter": "invalid_prompt",
}


def failure_of(response: Any) -> Report | None:
    """What has gone wrong with a response; ``None``: nothing has."""
    if type(response) is not dict or response.get("status") != "failed":
        return None
    return report_of(response.get("error"))


def report_of(error: Any) -> Report:
    """The error of a failed response, or of an ``error`` event; its status is the one that its code stands for."""
    told: Json = error if type(error) is dict else {}
    report = chat.report_of({"error": told})
    status = chat.KINDS[report.trouble][0]
    return Report(trouble=report.trouble, message=report.message, status=status, type=report.type, code=report.code)


def error_of(report: Report) -> Json:
    """The error of a failed response."""
    return {"code": CODES.get(report.trouble, "server_error"), "message": report.message}
