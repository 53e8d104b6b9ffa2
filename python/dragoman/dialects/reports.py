"""The gateway's own errors, told in a client's dialect."""

from __future__ import annotations

from dragoman.dialects.canonical import Report, Trouble
from dragoman.errors import (
    BodyTooLarge,
    BudgetExceeded,
    DeadlineExceeded,
    Forbidden,
    GuardrailBlocked,
    LimitExceeded,
    NoDeployment,
    NotFound,
    Overloaded,
    Repeated,
    RequestError,
    RequestTimeout,
    ShuttingDown,
    Unauthenticated,
    UpstreamLimited,
    UpstreamRejected,
    UpstreamTimeout,
)

# The first class that an error is of.
TROUBLES: tuple[tuple[type[RequestError], Trouble], ...] = (
    (GuardrailBlocked, "filter"),
    (Unauthenticated, "auth"),
    (Forbidden, "forbidden"),
    (NotFound, "not_found"),
    (RequestTimeout, "timeout"),
    (BodyTooLarge, "too_large"),
    (Overloaded, "overloaded"),
    (ShuttingDown, "overloaded"),
    (NoDeployment, "overloaded"),
    (BudgetExceeded, "quota"),
    (LimitExceeded, "rate_limit"),
    (UpstreamLimited, "rate_limit"),
    (UpstreamTimeout, "timeout"),
    (DeadlineExceeded, "timeout"),
)


def report_of(error: RequestError) -> Report:
    """An error of the gateway's, or a provider's that the gateway passes on, as any dialect can tell it."""
    if isinstance(error, UpstreamRejected | Repeated) and error.report is not None:
        return error.report
    trouble: Trouble = "server" if error.http_status >= 500 else "invalid"
    for kind, known in TROUBLES:
        if isinstance(error, kind):
            trouble = known
            break
    if trouble == "rate_limit" and error.error_code == "insufficient_quota":
        trouble = "quota"
    return Report(
        trouble=trouble,
        message=error.message,
        status=error.http_status,
        type=error.type,
        code=error.error_code,
        param=error.param,
        retry_after_s=error.retry_after_s,
    )
