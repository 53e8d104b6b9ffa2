"""Requests to Claude by InvokeModel: Anthropic's, in an envelope."""

from __future__ import annotations

from typing import Any

from tests.dialects.across import Written, read, target, write

BODY: dict[str, Any] = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "Hi"}],
}


def test_the_model_and_the_kind_stand_in_the_path() -> None:
    request = read("bedrock_invoke", BODY, model="anthropic.claude", stream=True)
    assert (request.model, request.stream) == ("anthropic.claude", True)
    written = Written(request, "bedrock_invoke", target("bedrock_invoke"))
    assert written.path == "/model/anthropic.claude-sonnet-4-5-v1%3A0/invoke-with-response-stream"
    assert {"model", "stream"}.isdisjoint(written.body)
    assert written.body["anthropic_version"] == "bedrock-2023-05-31"


def test_it_reaches_another_dialect() -> None:
    written = Written(read("bedrock_invoke", BODY, model="m"), "openai_chat", target("openai_chat"))
    assert written.body["messages"] == [{"role": "user", "content": "Hi"}]
    assert written.lossy == ""


def test_edge_33_betas_that_bedrock_does_not_have_are_taken_off() -> None:
    body = BODY | {"model": "m", "service_tier": "auto", "container": "c_1"}
    body.pop("anthropic_version")
    written = write("anthropic", body, "bedrock_invoke")
    assert {"service_tier", "container"}.isdisjoint(written.body)
    assert "container" in written.lossy
