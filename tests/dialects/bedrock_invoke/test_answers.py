"""Whole answers by InvokeModel: Anthropic's, with Bedrock's errors."""

from __future__ import annotations

import json

from tests.dialects.across import answer

from dragoman.dialects.table import DIALECTS

INVOKE = DIALECTS["bedrock_invoke"]


def test_an_answer_is_anthropic_s() -> None:
    told = {
        "output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3},
    }
    written = answer("bedrock", told, "bedrock_invoke")
    assert (written["type"], written["content"]) == ("message", [{"type": "text", "text": "Hi"}])
    assert (written["usage"]["input_tokens"], written["usage"]["output_tokens"]) == (1, 2)


def test_an_error_is_bedrock_s() -> None:
    report = INVOKE.read_error(429, {"x-amzn-errortype": "ThrottlingException"}, b'{"message":"no"}')
    assert report.trouble == "rate_limit"
    status, headers, body = INVOKE.write_error(report, "req_1")
    assert (status, dict(headers)["x-amzn-errortype"]) == (429, "ThrottlingException")
    assert json.loads(body)["message"] == "no"
