"""What an attempt's outcome means: which error it is, and so whether another attempt may help, and where.

The table of reliability: what a provider says of the request itself (400, 404, 413, 422) is the client's to read; what
it says of our credential (401, 403) never reaches the client as such; everything else is the provider's, and another
deployment may do better.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import msgspec

from dragoman.core import read_error, retry_after_s
from dragoman.errors import (
    ClientGone,
    RequestError,
    UpstreamAuth,
    UpstreamCut,
    UpstreamLimited,
    UpstreamProtocol,
    UpstreamRejected,
    UpstreamStatus,
    UpstreamTimeout,
    UpstreamTls,
    UpstreamUnreachable,
)

if TYPE_CHECKING:
    from dragoman.core import Outcome

# Statuses that speak of the request; of the rest of 4xx, 408, 409, 425 and 429 may pass.
CLIENT_STATUSES = frozenset({400, 402, 404, 405, 406, 410, 411, 413, 414, 415, 416, 417, 418, 422, 424, 431, 451})
AUTH_STATUSES = frozenset({401, 403})
# The provider's own words are passed on up to this size.
REJECTION_BYTES = 64 * 1024
# A provider's own code is passed on where it looks like one; it ends up in rows and figures.
_CODE = re.compile(r"[a-z][a-z0-9_]{1,39}")
QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "enforced_spend_limit_reached"})


def error_of(outcome: Outcome, provider: str) -> RequestError | None:
    """The error of an outcome; ``None`` where the answer reached the client whole."""
    kind = outcome.failure
    if not kind:
        return None
    if kind == "status":
        return _of_status(outcome, provider)
    if kind == "reported":
        return _of_report(outcome, provider)
    detail = outcome.detail
    match kind:
        case "client_gone":
            return ClientGone(detail)
        case "unreachable":
            return UpstreamUnreachable(f"{provider} cannot be reached: {detail}")
        case "refused":
            return UpstreamUnreachable(f"{provider} may not be connected to: {detail}", code="upstream_address_refused")
        case "tls":
            return UpstreamTls(f"The connection to {provider} is not secure: {detail}")
        case "cut":
            return UpstreamCut(f"The answer of {provider} ended early: {detail}")
        case "protocol":
            code = "upstream_empty" if outcome.status in {204, 205, 304} else None
            return UpstreamProtocol(f"{provider} gave no proper answer: {detail}", code=code)
        case "idle_timeout":
            return UpstreamTimeout(f"{provider} fell silent in the middle of its answer.", code="upstream_idle_timeout")
        case "first_byte_timeout":
            return UpstreamTimeout(f"{provider} did not begin to answer in time.", code="upstream_first_byte_timeout")
        case _:
            return UpstreamTimeout(f"{provider} did not finish its answer in time.")


def _of_status(outcome: Outcome, provider: str) -> RequestError:
    status = outcome.status
    if status in AUTH_STATUSES:
        return UpstreamAuth(f"{provider} refuses the gateway's credential (status {status}).")
    body = outcome.body
    content_type = outcome.header("content-type") or ""
    if status in CLIENT_STATUSES:
        if "json" not in content_type:
            body = b""
        return _rejected(status, body[:REJECTION_BYTES], content_type, provider)
    said = read_error(body)
    message = f"{provider} answered with status {status}" + (f": {said.message[:512]}" if said else ".")
    wait_s = retry_after_s(outcome.headers, body[:REJECTION_BYTES], time.time())
    if status == 429:
        code = said.code if said and said.code in QUOTA_CODES else None
        return UpstreamLimited(message, code=code, retry_after_s=wait_s)
    return UpstreamStatus(message, retry_after_s=wait_s)


def _rejected(status: int, body: bytes, content_type: str, provider: str) -> RequestError:
    if not body:
        body = _worded(f"{provider} rejected the request with status {status}.")
        content_type = "application/json"
    return UpstreamRejected(f"{provider} rejected the request.", status=status, body=body, content_type=content_type)


def _worded(message: str, kind: str = "", code: str = "") -> bytes:
    """A rejection in OpenAI's shape, for a provider that did not give one."""
    said = {"message": message, "type": kind or UpstreamRejected.type, "param": None}
    return msgspec.json.encode({"error": said | {"code": code or UpstreamRejected.code}})


def _of_report(outcome: Outcome, provider: str) -> RequestError:
    """An error object inside a 200: the status it names, or the one its type stands for, counts."""
    reported = outcome.reported
    status, kind, code = reported if reported is not None else (None, "", "")
    message = f"{provider} reported an error: {outcome.detail[:512]}"
    if status == 429:
        return UpstreamLimited(message, code=code if code in QUOTA_CODES else None)
    if status in AUTH_STATUSES:
        return UpstreamAuth(message)
    if status in CLIENT_STATUSES and not outcome.written:
        body = outcome.body or _worded(outcome.detail, kind, code)  # a stream has no body
        return _rejected(status or 400, body, "application/json", provider)
    said = code or kind
    return UpstreamStatus(message, code=said if _CODE.fullmatch(said) else "upstream_reported")
