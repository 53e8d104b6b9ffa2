from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from dragoman.dialects.openai_chat import DIALECT
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
from dragoman.routing.classify import CLIENT_STATUSES, REJECTION_BYTES, error_of

JSON = [("content-type", "application/json")]


@dataclass
class Ended:
    """What is read of an outcome."""

    failure: str = ""
    status: int = 0
    detail: str = "because"
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=lambda: list(JSON))
    reported: tuple[int | None, str, str] | None = None
    written: str = ""

    def header(self, name: str) -> str | None:
        return dict(self.headers).get(name)


def classified(**fields: Any) -> RequestError:
    outcome: Any = Ended(**fields)
    error = error_of(outcome, "acme", DIALECT)
    assert error is not None
    return error


def told(message: str = "Slow down", kind: str = "requests", code: str | None = None) -> bytes:
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}}).encode()


def test_an_answer_is_no_error() -> None:
    outcome: Any = Ended()
    assert error_of(outcome, "acme", DIALECT) is None


FAILURES = [
    ("client_gone", ClientGone, "client_closed_request", 499),
    ("unreachable", UpstreamUnreachable, "upstream_unreachable", 502),
    ("refused", UpstreamUnreachable, "upstream_address_refused", 502),
    ("tls", UpstreamTls, "upstream_tls", 502),
    ("cut", UpstreamCut, "upstream_cut", 502),
    ("protocol", UpstreamProtocol, "upstream_protocol", 502),
    ("idle_timeout", UpstreamTimeout, "upstream_idle_timeout", 504),
    ("first_byte_timeout", UpstreamTimeout, "upstream_first_byte_timeout", 504),
    ("total_timeout", UpstreamTimeout, "upstream_timeout", 504),
]


@pytest.mark.parametrize(("failure", "kind", "code", "status"), FAILURES)
def test_what_happened_on_the_way(failure: str, kind: type[RequestError], code: str, status: int) -> None:
    error = classified(failure=failure)
    assert type(error) is kind
    assert (error.error_code, error.http_status) == (code, status)
    assert kind is ClientGone or "acme" in error.message


@pytest.mark.parametrize("status", [204, 205, 304])
def test_an_answer_without_a_body_says_so(status: int) -> None:
    assert classified(failure="protocol", status=status).error_code == "upstream_empty"


# Every status of 4xx and 5xx that the standards name, and some that they do not: what it is, and what the client sees.
AUTH = {401, 403}
MAY_PASS = {408, 409, 421, 423, 425, 426, 428, 429}
NAMED = {*range(400, 418), 418, 421, 422, 423, 424, 425, 426, 428, 429, 431, 451, 499}


@pytest.mark.parametrize("status", sorted(NAMED | {*range(500, 512), 520, 529, 599, 600, 300, 307}))
def test_every_status(status: int) -> None:
    error = classified(failure="status", status=status, body=told())
    if status in AUTH:
        assert (type(error), error.http_status, error.error_code) == (UpstreamAuth, 502, "upstream_auth")
    elif status in CLIENT_STATUSES:
        assert (type(error), error.http_status, error.retryable) == (UpstreamRejected, status, False)
    elif status == 429:
        assert (type(error), error.http_status, error.retryable) == (UpstreamLimited, 429, True)
    else:
        assert (type(error), error.http_status, error.retryable) == (UpstreamStatus, 502, True)
        assert error.message == f"acme answered with status {status}: Slow down"


def test_what_speaks_of_the_request_is_the_client_s() -> None:
    assert CLIENT_STATUSES.isdisjoint(AUTH | MAY_PASS)
    assert all(400 <= status < 500 for status in CLIENT_STATUSES)


def test_a_rejection_is_passed_on_byte_for_byte() -> None:
    body = b'{ "error": {"message": "too long", "code": "context_length_exceeded"} }\n'
    error = classified(failure="status", status=400, body=body)
    assert isinstance(error, UpstreamRejected)
    assert (error.body, error.content_type) == (body, "application/json")


@pytest.mark.parametrize(
    ("body", "headers"),
    [(b"<html>Sorry</html>", [("content-type", "text/html")]), (b"", JSON), (b"no type", []), (b"", [])],
)
def test_a_page_is_never_reflected(body: bytes, headers: list[tuple[str, str]]) -> None:
    error = classified(failure="status", status=404, body=body, headers=headers)
    assert isinstance(error, UpstreamRejected)
    said = json.loads(error.body)["error"]
    assert (said["code"], said["message"]) == ("upstream_rejected", "acme rejected the request with status 404.")
    assert error.content_type == "application/json"


def test_a_provider_s_odd_name_breaks_no_answer() -> None:
    outcome: Any = Ended(failure="status", status=404)
    error = error_of(outcome, 'a"b\\c', DIALECT)
    assert isinstance(error, UpstreamRejected)
    assert 'a"b\\c' in json.loads(error.body)["error"]["message"]


def test_a_rejection_has_a_largest_size() -> None:
    error = classified(failure="status", status=400, body=b"x" * (REJECTION_BYTES + 1))
    assert isinstance(error, UpstreamRejected)
    assert len(error.body) == REJECTION_BYTES


def test_words_of_a_provider_are_cut_short() -> None:
    assert len(classified(failure="status", status=500, body=told("x" * 10_000)).message) < 600
    assert len(classified(failure="reported", detail="x" * 10_000).message) < 600


@pytest.mark.parametrize("status", [429, 503, 500])
@pytest.mark.parametrize(("said", "wait_s"), [("7", 7), ("0.5", 0.5), ("0", 0), ("soon", None)])
def test_a_wait_is_understood(status: int, said: str, wait_s: float | None) -> None:
    error = classified(failure="status", status=status, headers=[*JSON, ("retry-after", said)])
    assert error.retry_after_s == wait_s


@pytest.mark.parametrize("code", ["insufficient_quota", "billing_hard_limit_reached"])
def test_an_exhausted_quota_is_told_from_a_rate(code: str) -> None:
    assert classified(failure="status", status=429, body=told(code=code)).error_code == code
    assert classified(failure="reported", reported=(429, "x", code)).error_code == code


def test_a_rate_is_a_rate_whatever_its_code() -> None:
    assert classified(failure="status", status=429, body=told(code="1302")).error_code == "rate_limit_exceeded"
    assert classified(failure="reported", reported=(429, "x", "1302")).error_code == "rate_limit_exceeded"


REPORTED = [
    ((429, "requests", ""), UpstreamLimited, 429, "rate_limit_exceeded"),
    ((401, "authentication_error", ""), UpstreamAuth, 502, "upstream_auth"),
    ((403, "", ""), UpstreamAuth, 502, "upstream_auth"),
    ((400, "invalid_request_error", "context_length_exceeded"), UpstreamRejected, 400, "upstream_rejected"),
    ((503, "overloaded_error", ""), UpstreamStatus, 502, "overloaded_error"),
    ((None, "server_error", ""), UpstreamStatus, 502, "server_error"),
    ((None, "", ""), UpstreamStatus, 502, "upstream_reported"),
    ((None, "", "Some Error!"), UpstreamStatus, 502, "upstream_reported"),
    ((None, "", "x" * 41), UpstreamStatus, 502, "upstream_reported"),
    ((1000, "a_kind", "a_code"), UpstreamStatus, 502, "a_code"),
]


@pytest.mark.parametrize(("reported", "kind", "status", "code"), REPORTED)
def test_an_error_inside_an_answer_counts_as_its_status(
    reported: tuple[int | None, str, str], kind: type[RequestError], status: int, code: str
) -> None:
    error = classified(failure="reported", status=200, reported=reported, body=told())
    assert (type(error), error.http_status, error.error_code) == (kind, status, code)


def test_after_the_answer_has_begun_nothing_is_passed_on_as_a_body() -> None:
    error = classified(failure="reported", reported=(400, "invalid_request_error", ""), written="partly")
    assert (type(error), error.error_code) == (UpstreamStatus, "invalid_request_error")
