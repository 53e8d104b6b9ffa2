"""Answers that the gateway writes itself: JSON, and errors in the client's dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dragoman.dialects.reports import report_of
from dragoman.dialects.table import DIALECTS
from dragoman.endpoints.surfaces import dialect_of
from dragoman.errors import LimitExceeded, RequestError, UpstreamRejected

if TYPE_CHECKING:
    from dragoman.server.request import Request

Headers = list[tuple[str, str]]
JSON = "application/json"


def json_answer(request: Request, payload: Any, *, status: int = 200, snapshot: int = 0) -> None:
    """Answer with ``payload`` as JSON."""
    headers = own_headers(request, snapshot)
    request.stage = "answered"
    request.proto.response_bytes(status, headers, msgspec.json.encode(payload))


def own_headers(request: Request, snapshot: int) -> Headers:
    """The headers of every answer that no provider was asked for."""
    overhead_ms, upstream_ms = request.reply.times_ms()
    return [
        ("content-type", JSON),
        ("x-request-id", request.id),
        ("x-dragoman-snapshot", str(snapshot)),
        ("x-dragoman-overhead-ms", f"{overhead_ms:.3f}"),
        ("x-dragoman-upstream-ms", f"{upstream_ms:.3f}"),
    ]


def error_answer(error: RequestError, request: Request, snapshot: int) -> tuple[int, Headers, bytes]:
    """Status, headers and body of an error's answer."""
    request.stage = "answered"
    headers = own_headers(request, snapshot) + error.headers
    if error.retry_after_s is not None:
        headers.append(("retry-after", str(max(0, round(error.retry_after_s + 0.499)))))
        headers.append(("retry-after-ms", str(max(0, round(error.retry_after_s * 1000)))))
    if (error.fault != "client" or isinstance(error, LimitExceeded)) and (error.exhausted or not error.retryable):
        headers.append(("x-should-retry", "false"))
    dialect = dialect_of(request.path)
    if isinstance(error, UpstreamRejected) and error.dialect in ("", dialect):
        headers[0] = ("content-type", error.content_type or JSON)
        return error.http_status, headers, error.body
    status, own, body = DIALECTS[dialect].write_error(report_of(error), request.id)
    return status, headers + own, body
