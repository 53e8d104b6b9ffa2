from __future__ import annotations

import json

import pytest

from dragoman.core import read_error
from dragoman.dialects.openai_errors import error_body, error_event
from dragoman.errors import InvalidRequest, RequestError, UpstreamStatus


def test_a_body_has_all_five_fields() -> None:
    error = InvalidRequest("no", code="too_deep", param="messages")
    assert json.loads(error_body(error, "req_1")) == {
        "error": {
            "message": "no",
            "type": "invalid_request_error",
            "param": "messages",
            "code": "too_deep",
            "request_id": "req_1",
        }
    }


@pytest.mark.parametrize("message", ["line\nbreak", "\r\n\r\ndata: [DONE]", '"', "é \ud7ff", "\0"])
def test_an_event_is_one_line_whatever_is_said(message: str) -> None:
    error = UpstreamStatus(message)
    event = error_event(error, "req_1")
    assert event == b"data: " + error_body(error, "req_1") + b"\n\n"
    assert event.count(b"\n") == 2
    assert b"\r" not in event
    assert json.loads(event[6:])["error"]["message"] == message


@pytest.mark.parametrize("error", [InvalidRequest("m"), UpstreamStatus("m", code="overloaded")])
def test_it_is_read_as_a_provider_s_would_be(error: RequestError) -> None:
    said = read_error(error_body(error, "req_1"))
    assert said is not None
    assert (said.message, said.kind, said.code) == ("m", error.type, error.error_code)
