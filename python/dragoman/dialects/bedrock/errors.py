"""Errors as AWS tells them: the kind in a header or in the body, the words in the body."""

from __future__ import annotations

from typing import Any

import msgspec

from dragoman.dialects.canonical import Report, Trouble
from dragoman.dialects.dialect import Headers
from dragoman.dialects.lenient import text_of

# What an error is about -> its status and exception here.
KINDS: dict[Trouble, tuple[int, str]] = {
    "invalid": (400, "ValidationException"),
    "context_length": (400, "ValidationException"),
    "auth": (403, "UnrecognizedClientException"),
    "forbidden": (403, "AccessDeniedException"),
    "not_found": (404, "ResourceNotFoundException"),
    "too_large": (413, "ValidationException"),
    "rate_limit": (429, "ThrottlingException"),
    "quota": (400, "ServiceQuotaExceededException"),
    "filter": (400, "ValidationException"),
    "server": (500, "InternalServerException"),
    "overloaded": (503, "ServiceUnavailableException"),
    "timeout": (408, "ModelTimeoutException"),
}
TROUBLES: dict[str, tuple[Trouble, int]] = {
    "validationexception": ("invalid", 400),
    "conflictexception": ("invalid", 400),
    "accessdeniedexception": ("forbidden", 403),
    "unrecognizedclientexception": ("auth", 403),
    "invalidsignatureexception": ("auth", 403),
    "expiredtokenexception": ("auth", 403),
    "missingauthenticationtokenexception": ("auth", 403),
    "resourcenotfoundexception": ("not_found", 404),
    "modeltimeoutexception": ("timeout", 408),
    "throttlingexception": ("rate_limit", 429),
    "modelnotreadyexception": ("overloaded", 429),
    "servicequotaexceededexception": ("quota", 400),
    "modelerrorexception": ("server", 424),
    "modelstreamerrorexception": ("server", 424),
    "internalserverexception": ("server", 500),
    "serviceunavailableexception": ("overloaded", 503),
}
TOO_LONG = ("input is too long", "too many input tokens", "maximum context", "prompt is too long")
MESSAGE_CHARS = 2048


def read_error(status: int, headers: dict[str, str], body: bytes) -> Report:
    """The error of an answer."""
    try:
        value: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        value = {"message": body[:MESSAGE_CHARS].decode("utf-8", "replace")}
    told = value if type(value) is dict else {}
    kind = headers.get("x-amzn-errortype", "") or text_of(told, "__type")
    return report_of(kind.partition(":")[0].rpartition("#")[2], told, status)


def report_of(kind: str, told: Any, status: int = 0) -> Report:
    """An exception; one in a stream has the status that it would have as an answer."""
    raw = told if type(told) is dict else {}
    message = (text_of(raw, "message") or text_of(raw, "Message"))[:MESSAGE_CHARS]
    known = TROUBLES.get(kind.lower())
    if known is None:
        known = (next((about for about, usual in TROUBLES.values() if usual == status), "server"), status or 500)
        if 400 <= status < 500 and known[0] == "server":
            known = ("invalid", status)
    trouble, usual = known
    if trouble == "invalid" and any(words in message.lower() for words in TOO_LONG):
        trouble = "context_length"
    return Report(trouble=trouble, message=message, status=status or usual, type=kind)


def write_error(report: Report, request_id: str) -> tuple[int, Headers, bytes]:
    """An error's answer: SDKs know its class from the header."""
    status, kind = KINDS[report.trouble]
    headers = [("x-amzn-errortype", kind), ("x-amzn-requestid", request_id)]
    return status, headers, msgspec.json.encode({"message": report.message})
