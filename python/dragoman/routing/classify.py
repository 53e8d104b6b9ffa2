"""What an attempt's outcome means: which error it is, and so whether another attempt may help, and where.

The table of reliability: what a provider says of the request itself (400, 404, 413, 422) is the client's to read; what
it says of our credential (401, 403) never reaches the client as such; everything else is the provider's, and another
deployment may do better.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from dragoman.core import retry_after_s
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
    from dragoman.dialects.canonical import Report
    from dragoman.dialects.dialect import Dialect

# Statuses that speak of the request; of the rest of 4xx, 408, 409, 425 and 429 may pass.
CLIENT_STATUSES = frozenset({400, 402, 404, 405, 406, 410, 411, 413, 414, 415, 416, 417, 418, 422, 424, 431, 451})
AUTH_STATUSES = frozenset({401, 403})
# The provider's own words are passed on up to this size.
REJECTION_BYTES = 64 * 1024
# A provider's own code is passed on where it looks like one; it ends up in rows and figures.
_CODE = re.compile(r"[a-z][a-z0-9_]{1,39}")
# Of an error told with such a status, what it is about says more: it may pass.
PASSING = frozenset({"rate_limit", "overloaded", "server", "timeout"})
QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "enforced_spend_limit_reached"})


def error_of(outcome: Outcome, provider: str, spoken: Dialect) -> RequestError | None:
    """The error of an outcome; ``None`` where the answer came whole. ``spoken``: the provider's dialect."""
    kind = outcome.failure
    if not kind:
        return None
    if kind == "status":
        return _of_status(outcome, provider, spoken)
    if kind == "reported":
        return _of_report(outcome, provider, spoken)
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


def _of_status(outcome: Outcome, provider: str, spoken: Dialect) -> RequestError:
    status = outcome.status
    body, content_type = outcome.body, outcome.header("content-type") or ""
    said = spoken.read_error(status, dict(outcome.headers), body[:REJECTION_BYTES])
    if "json" not in content_type or said.message.lstrip().startswith("<"):  # a page is never reflected
        body, said = b"", replace(said, message="")
    if status in AUTH_STATUSES or said.trouble == "auth":
        return UpstreamAuth(f"{provider} refuses the gateway's credential (status {status}).")
    if status in CLIENT_STATUSES and said.trouble not in PASSING:
        if not body:
            words = f"{provider} rejected the request with status {status}."
            said = replace(said, message=words, type=UpstreamRejected.type, code=UpstreamRejected.code, param=None)
        return _rejected(said, body[:REJECTION_BYTES], provider, spoken, content_type)
    wait_s = said.retry_after_s or retry_after_s(outcome.headers, body[:REJECTION_BYTES], time.time())
    return _passing(said, f"{provider} answered with status {status}", wait_s)


def error_of_report(said: Report, provider: str, spoken: Dialect, *, begun: bool) -> RequestError:
    """The error of what a provider reported in the middle of an answer that is translated."""
    if said.trouble in ("auth", "forbidden"):
        return UpstreamAuth(f"{provider} reported an error: {said.message[:512]}")
    if said.status in CLIENT_STATUSES and said.trouble not in PASSING and not begun:
        return _rejected(said, b"", provider, spoken)
    return _passing(said, f"{provider} reported an error", said.retry_after_s)


def _passing(said: Report, what: str, wait_s: float | None) -> RequestError:
    """An error that another deployment may not have, or this one not for long."""
    message = f"{what}: {said.message[:512]}" if said.message else f"{what}."
    if said.trouble in ("rate_limit", "quota"):
        code = said.code if said.code in QUOTA_CODES else "insufficient_quota" if said.trouble == "quota" else None
        return UpstreamLimited(message, code=code, retry_after_s=wait_s)
    return UpstreamStatus(message, retry_after_s=wait_s)


def _rejected(said: Report, body: bytes, provider: str, spoken: Dialect, content_type: str = "") -> RequestError:
    """The provider's words for what is wrong with the request, for the client to read."""
    if not body:
        _, _, body = spoken.write_error(said, "")
        content_type = ""
    error = UpstreamRejected(
        f"{provider} rejected the request.",
        status=said.status,
        body=body,
        content_type=content_type or "application/json",
    )
    error.dialect, error.report = spoken.name, said
    return error


def _of_report(outcome: Outcome, provider: str, spoken: Dialect) -> RequestError:
    """An error object inside a 200: the status it names, or the one its type stands for, counts."""
    reported = outcome.reported
    status, kind, code = reported if reported is not None else (None, "", "")
    message = f"{provider} reported an error: {outcome.detail[:512]}"
    if status == 429:
        return UpstreamLimited(message, code=code if code in QUOTA_CODES else None)
    if status in AUTH_STATUSES:
        return UpstreamAuth(message)
    if status in CLIENT_STATUSES and not outcome.written:
        said = spoken.read_error(status or 400, {}, outcome.body)
        if not outcome.body:  # a stream has none
            said = replace(said, message=outcome.detail, type=kind, code=code)
        return _rejected(said, outcome.body, provider, spoken)
    named = code or kind
    return UpstreamStatus(message, code=named if _CODE.fullmatch(named) else "upstream_reported")
