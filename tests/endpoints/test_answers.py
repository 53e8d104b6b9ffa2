from __future__ import annotations

import json
from typing import Any

import pytest

from dragoman.core import Reply
from dragoman.endpoints.answers import error_answer, json_answer, own_headers
from dragoman.errors import (
    DeadlineExceeded,
    Internal,
    InvalidRequest,
    NotFound,
    Overloaded,
    RequestError,
    Unauthenticated,
    UpstreamLimited,
    UpstreamRejected,
    UpstreamStatus,
)
from dragoman.server.request import Request


class Answers:
    """A protocol that keeps the answer."""

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def request_(answers: Any) -> Request:
    return Request("req_1", answers, Reply(answers, "127.0.0.1:1"))


def answered(error: RequestError, request: Request) -> tuple[int, dict[str, str], Any]:
    status, headers, body = error_answer(error, request, 7)
    assert len(dict(headers)) == len(headers)
    return status, dict(headers), json.loads(body)


def test_json_is_answered_with_our_headers(request_: Request, answers: Answers) -> None:
    json_answer(request_, {"a": 1}, status=201, snapshot=3)
    headers = dict(answers.headers)
    assert (answers.status, answers.body) == (201, b'{"a":1}')
    assert (headers["content-type"], headers["x-request-id"]) == ("application/json", "req_1")
    assert headers["x-dragoman-snapshot"] == "3"
    assert float(headers["x-dragoman-overhead-ms"]) >= 0 == float(headers["x-dragoman-upstream-ms"])
    assert request_.stage == "answered"


def test_an_error_is_told_in_openai_s_shape(request_: Request) -> None:
    status, headers, body = answered(InvalidRequest("no", code="too_deep", param="messages"), request_)
    assert status == 400
    assert (body["error"]["code"], body["error"]["request_id"]) == ("too_deep", "req_1")
    assert headers["x-dragoman-snapshot"] == "7"
    assert request_.stage == "answered"


@pytest.mark.parametrize(
    ("wait_s", "seconds", "millis"), [(0, "0", "0"), (0.2, "1", "200"), (1, "1", "1000"), (2.5, "3", "2500")]
)
def test_a_wait_is_told_in_both_spellings_and_never_too_short(
    request_: Request, wait_s: float, seconds: str, millis: str
) -> None:
    _, headers, _ = answered(Overloaded("full", retry_after_s=wait_s), request_)
    assert (headers["retry-after"], headers["retry-after-ms"]) == (seconds, millis)


def test_no_wait_is_told_where_none_is_known(request_: Request) -> None:
    _, headers, _ = answered(Overloaded("full"), request_)
    assert "retry-after" not in headers


@pytest.mark.parametrize(
    ("error", "forbidden"),
    [
        (Internal("m"), True),
        (DeadlineExceeded("m"), True),
        (UpstreamStatus("m"), False),
        (UpstreamLimited("m"), False),
        (NotFound("m"), False),
        (Unauthenticated("m"), False),
    ],
)
def test_an_sdk_is_told_not_to_retry_what_will_not_pass(
    request_: Request, error: RequestError, forbidden: bool
) -> None:
    _, headers, _ = answered(error, request_)
    assert headers.get("x-should-retry") == ("false" if forbidden else None)


def test_an_sdk_is_told_not_to_repeat_what_the_gateway_has(request_: Request) -> None:
    error = UpstreamStatus("m")
    error.exhausted = True
    _, headers, _ = answered(error, request_)
    assert headers["x-should-retry"] == "false"


def test_the_way_that_was_taken_is_told(request_: Request) -> None:
    error = UpstreamStatus("m")
    error.headers = [("x-dragoman-attempts", "2")]
    assert answered(error, request_)[1]["x-dragoman-attempts"] == "2"


def test_a_rejection_is_passed_on_as_it_came(request_: Request) -> None:
    error = UpstreamRejected("m", status=422, body=b"theirs", content_type="application/problem+json")
    status, headers, body = error_answer(error, request_, 7)
    assert (status, body) == (422, b"theirs")
    assert dict(headers)["content-type"] == "application/problem+json"
    bare = UpstreamRejected("m", status=400, body=b"{}", content_type="")
    assert dict(error_answer(bare, request_, 7)[1])["content-type"] == "application/json"


def test_our_headers_are_of_one_kind_each(request_: Request) -> None:
    names = [name for name, _ in own_headers(request_, 1)]
    assert len(set(names)) == len(names)
    assert names[0] == "content-type"
