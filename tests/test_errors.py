"""Every error that a client may be answered with: its status, whose fault, how an SDK sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from dragoman import errors
from dragoman.dialects.canonical import Report
from dragoman.dialects.openai_errors import error_body
from dragoman.errors import (
    ConfigError,
    DragomanError,
    GuardrailBlocked,
    Repeated,
    RequestError,
    StoreError,
    UpstreamRejected,
)

# Class: status, fault, type, code, retryable.
TABLE: dict[str, tuple[int, str, str, str, bool]] = {
    "ClientError": (400, "client", "invalid_request_error", "invalid_request", False),
    "InvalidRequest": (400, "client", "invalid_request_error", "invalid_request", False),
    "Untranslatable": (400, "client", "invalid_request_error", "lossy_translation", True),
    "GuardrailBlocked": (400, "client", "invalid_request_error", "guardrail_blocked", False),
    "Unauthenticated": (401, "client", "authentication_error", "invalid_api_key", False),
    "Forbidden": (403, "client", "permission_error", "forbidden", False),
    "LimitExceeded": (429, "client", "rate_limit_error", "rate_limit_exceeded", True),
    "BudgetExceeded": (429, "client", "insufficient_quota", "budget_exceeded", False),
    "NotFound": (404, "client", "invalid_request_error", "not_found", False),
    "MethodNotAllowed": (405, "client", "invalid_request_error", "method_not_allowed", False),
    "RequestTimeout": (408, "client", "invalid_request_error", "request_timeout", False),
    "Conflict": (409, "client", "invalid_request_error", "conflict", False),
    "PreconditionFailed": (412, "client", "invalid_request_error", "precondition_failed", False),
    "BodyTooLarge": (413, "client", "invalid_request_error", "body_too_large", False),
    "UnsupportedMedia": (415, "client", "invalid_request_error", "unsupported_media_type", False),
    "Quarantined": (422, "client", "invalid_request_error", "request_quarantined", False),
    "KeyReused": (422, "client", "invalid_request_error", "idempotency_key_reused", False),
    "HeadersTooLarge": (431, "client", "invalid_request_error", "headers_too_large", False),
    "ClientGone": (499, "client", "invalid_request_error", "client_closed_request", False),
    "NotCached": (504, "client", "invalid_request_error", "not_cached", False),
    "GatewayError": (500, "gateway", "server_error", "internal_error", False),
    "Internal": (500, "gateway", "server_error", "internal_error", False),
    "Overloaded": (503, "gateway", "overloaded_error", "overloaded", True),
    "ShuttingDown": (503, "gateway", "overloaded_error", "shutting_down", True),
    "UpstreamError": (502, "upstream", "upstream_error", "upstream_error", True),
    "UpstreamUnreachable": (502, "upstream", "upstream_error", "upstream_unreachable", True),
    "UpstreamTls": (502, "upstream", "upstream_error", "upstream_tls", True),
    "UpstreamProtocol": (502, "upstream", "upstream_error", "upstream_protocol", True),
    "UpstreamAuth": (502, "upstream", "upstream_error", "upstream_auth", True),
    "UpstreamStatus": (502, "upstream", "upstream_error", "upstream_status", True),
    "UpstreamCut": (502, "upstream", "upstream_error", "upstream_cut", True),
    "UpstreamRejected": (400, "client", "invalid_request_error", "upstream_rejected", False),
    "UpstreamLimited": (429, "upstream", "rate_limit_error", "rate_limit_exceeded", True),
    "UpstreamTimeout": (504, "upstream", "timeout_error", "upstream_timeout", True),
    "DeadlineExceeded": (504, "upstream", "timeout_error", "deadline_exceeded", False),
    "Repeated": (502, "upstream", "upstream_error", "upstream_error", False),
    "NoDeployment": (503, "upstream", "overloaded_error", "no_deployment_available", True),
}


def below(error: type[RequestError]) -> Iterator[type[RequestError]]:
    for child in error.__subclasses__():
        yield child
        yield from below(child)


def made(error: type[RequestError]) -> RequestError:
    if issubclass(error, UpstreamRejected):
        return error("m", status=error.status, body=b"", content_type="")
    if issubclass(error, Repeated):
        return error(Report(trouble="server", message="m", status=error.status, type=error.type, code=error.code))
    if issubclass(error, GuardrailBlocked):
        return error("g", "m")
    return error("m")


def test_every_error_is_in_the_table() -> None:
    assert {error.__name__ for error in below(RequestError)} == TABLE.keys()


@pytest.mark.parametrize("name", TABLE)
def test_each_is_what_the_table_says(name: str) -> None:
    error = made(getattr(errors, name))
    assert (error.http_status, error.fault, error.type, error.error_code, error.retryable) == TABLE[name]
    assert str(error) == error.message
    assert error.message.removesuffix(".").endswith("m")


def test_every_error_is_drawn_in_the_tree() -> None:
    drawn = dict(re.findall(r"[├└]── (\w+)(?: +([0-9x]+|[a-z].*))?", errors.__doc__ or ""))
    branches = {"ClientError", "GatewayError", "UpstreamError"}
    assert drawn.keys() == TABLE.keys() | {
        "ConfigError",
        "StoreError",
        "DatabaseAway",
        "NameTaken",
        "NotThere",
        "StillUsed",
        "RequestError",
    }
    for name in TABLE.keys() - branches - {"UpstreamRejected", "Repeated"}:
        assert drawn[name].startswith(str(TABLE[name][0])), name


def test_the_table_s_statuses_fit_the_fault() -> None:
    """But for one that RFC 9111 (5.2.1.7) says."""
    for name, (status, fault, *_) in TABLE.items():
        assert (status < 500) == (fault == "client" or status == 429) or name == "NotCached"


def test_what_an_operator_sees_never_reaches_a_client() -> None:
    assert {error.__name__ for error in DragomanError.__subclasses__()} == {"ConfigError", "StoreError", "RequestError"}
    assert str(ConfigError(["one", "two"])) == "one\ntwo"
    assert issubclass(StoreError, DragomanError)
    assert {error.__name__ for error in StoreError.__subclasses__()} == {
        "DatabaseAway",
        "NameTaken",
        "NotThere",
        "StillUsed",
        "Uncertain",
    }


def test_a_rejection_keeps_the_provider_s_words() -> None:
    error = UpstreamRejected("m", status=422, body=b"{}", content_type="application/json")
    assert (error.http_status, error.body, error.content_type) == (422, b"{}", "application/json")


def test_a_code_and_a_parameter_may_be_said() -> None:
    error = errors.InvalidRequest("m", code="too_deep", param="messages[0]", retry_after_s=2.5)
    assert (error.error_code, error.param, error.retry_after_s) == ("too_deep", "messages[0]", 2.5)
    assert errors.InvalidRequest.code == "invalid_request"
    assert b'"code":"too_deep"' in error_body(error, "req_1")
