from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.gateway.upstream import Upstream, answer, expect
from tests.guardrails.called.services import serving
from tests.guardrails.called.test_round import ask, config
from tests.served import Serve

from dragoman.config.called import BedrockGuardrail
from dragoman.guardrails.called.asked import CannotLook
from dragoman.guardrails.called.bedrock import BedrockForm
from dragoman.identity.sigv4 import is_genuine, read_authorization

INTERVENED = {"action": "GUARDRAIL_INTERVENED", "outputs": [{"text": "no"}], "assessments": [{"topicPolicy": {}}]}


def test_it_is_asked_and_signed_as_aws_says(serve: Serve, upstream: Upstream) -> None:
    upstream.reply(expect, answer())
    with serving() as service:
        service.answer = lambda path, body: INTERVENED if body["source"] == "OUTPUT" else {"action": "NONE"}
        made = config(upstream, service)
        part: dict[str, Any] = {
            "identifier": "arn:aws:bedrock:eu-west-1:1:guardrail/g1",
            "version": "2",
            "region": "eu-west-1",
            "base_url": service.url,
            "allow_private": True,
            "aws": {"access_key_id": "AKIA0", "secret_access_key": "s3cret"},
        }
        made["guardrails"]["hook"] = {"bedrock_guardrail": part}
        blocked = ask(serve(made), "A text.")
        (path, headers, told), (_, _, shown) = service.asked
        raw = service.raw[0]
    assert blocked.json["choices"][0]["finish_reason"] == "content_filter"
    assert path == "/guardrail/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Aguardrail%2Fg1/version/2/apply"
    assert told == {"source": "INPUT", "content": [{"text": {"text": "A text."}}]}
    assert shown["content"] == [{"text": {"text": "Hello."}}]
    signed = read_authorization(headers["authorization"])
    assert signed is not None
    assert (signed.region, signed.service, signed.key_id) == ("eu-west-1", "bedrock", "AKIA0")
    headers["host"] = urlsplit(service.url).netloc
    assert is_genuine("s3cret", signed, ("POST", path, ""), headers, raw, time.time())


def test_what_it_says() -> None:
    form = BedrockForm(BedrockGuardrail(identifier="g", region="r"))
    assert form.read(b'{"action": "NONE", "assessments": []}') is None
    finding = form.read(
        b'{"action": "GUARDRAIL_INTERVENED", "assessments": [{"wordPolicy": {}, "invocationMetrics": {}}]}'
    )
    assert finding is not None
    assert finding.signals == ("wordPolicy",)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"action": "MAYBE"}', b"[]"])
def test_what_nobody_understands(body: bytes) -> None:
    with pytest.raises(CannotLook):
        BedrockForm(BedrockGuardrail(identifier="g", region="r")).read(body)
