"""Answers and errors of watsonx.ai."""

from __future__ import annotations

import json

from tests.dialects.across import answer

from dragoman.dialects.table import DIALECTS

WATSONX = DIALECTS["watsonx"]
ANSWER = {
    "id": "cmpl-1",
    "model_id": "ibm/granite-3-8b-instruct",
    "created": 1,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
}


def test_an_answer_is_openai_s() -> None:
    told = answer("watsonx", ANSWER, "anthropic")
    assert (told["content"][0]["text"], told["stop_reason"], told["usage"]["output_tokens"]) == (
        "Hello.",
        "end_turn",
        3,
    )


def test_the_first_of_its_errors_is_told() -> None:
    body = {"errors": [{"code": "model_not_supported", "message": "No such model."}], "trace": "t", "status_code": 404}
    report = WATSONX.read_error(404, {}, json.dumps(body).encode())
    assert (report.trouble, report.message, report.code) == ("not_found", "No such model.", "model_not_supported")
    assert WATSONX.read_error(500, {}, b"<html>").trouble == "server"
    assert WATSONX.read_error(429, {}, b'{"errors":[7]}').trouble == "rate_limit"
