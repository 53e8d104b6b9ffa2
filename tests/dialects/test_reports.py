from __future__ import annotations

import pytest

from dragoman.dialects.canonical import Report
from dragoman.dialects.reports import report_of
from dragoman.errors import (
    BodyTooLarge,
    DeadlineExceeded,
    Forbidden,
    Internal,
    InvalidRequest,
    NoDeployment,
    NotFound,
    Overloaded,
    RequestError,
    Unauthenticated,
    UpstreamCut,
    UpstreamLimited,
    UpstreamRejected,
    UpstreamTimeout,
)


@pytest.mark.parametrize(
    ("error", "trouble", "status"),
    [
        (InvalidRequest("m"), "invalid", 400),
        (Unauthenticated("m"), "auth", 401),
        (Forbidden("m"), "forbidden", 403),
        (NotFound("m"), "not_found", 404),
        (BodyTooLarge("m"), "too_large", 413),
        (UpstreamLimited("m"), "rate_limit", 429),
        (UpstreamLimited("m", code="insufficient_quota"), "quota", 429),
        (Internal("m"), "server", 500),
        (UpstreamCut("m"), "server", 502),
        (Overloaded("m"), "overloaded", 503),
        (NoDeployment("m"), "overloaded", 503),
        (UpstreamTimeout("m"), "timeout", 504),
        (DeadlineExceeded("m"), "timeout", 504),
    ],
)
def test_what_each_error_is_about(error: RequestError, trouble: str, status: int) -> None:
    report = report_of(error)
    assert (report.trouble, report.status, report.message) == (trouble, status, "m")
    assert (report.type, report.code) == (error.type, error.error_code)


def test_where_it_is_and_when_to_come_again() -> None:
    report = report_of(InvalidRequest("m", param="messages", retry_after_s=3.0))
    assert (report.param, report.retry_after_s) == ("messages", 3.0)


def test_a_provider_s_own_words_are_told_as_they_are() -> None:
    said = Report(trouble="context_length", message="too long", status=400)
    error = UpstreamRejected("p rejected the request.", status=400, body=b"{}", content_type="application/json")
    assert report_of(error).message == "p rejected the request."
    error.report = said
    assert report_of(error) is said
