from __future__ import annotations

import hashlib
import hmac
import time

import pytest
from tests.gateway.upstream import Upstream
from tests.guardrails.called.services import deny, serving
from tests.guardrails.called.test_round import ask, config
from tests.served import Serve

from dragoman.config.called import Webhook
from dragoman.guardrails.called.asked import CannotLook
from dragoman.guardrails.called.webhook import WebhookForm


def test_requests_are_signed(serve: Serve, upstream: Upstream) -> None:
    with serving() as service:
        service.answer = deny()
        made = config(upstream, service)
        made["guardrails"]["hook"]["webhook"] |= {"secret": "s3cret", "headers": {"x-team": "a"}}
        ask(serve(made))
        ((_, headers, _),) = service.asked
        (raw,) = service.raw
    moment, signature = headers["x-dragoman-signature"].split(",")
    told = moment.removeprefix("t=")
    assert abs(int(told) - time.time()) < 30
    expected = hmac.new(b"s3cret", told.encode() + b"." + raw, hashlib.sha256).hexdigest()
    assert signature == f"v1={expected}"
    assert headers["x-team"] == "a"


def test_what_it_says() -> None:
    form = WebhookForm(Webhook(url="https://example.com"))
    assert form.read(b'{"verdict": "allow", "more": 1}') is None
    refused = form.read(b'{"verdict": "block"}')
    assert refused is not None
    assert (refused.reason, refused.only_flagged) == ("refused", False)
    flagged = form.read('{"verdict": "flag", "reason": "a\\u0000\\nb%s"}'.replace("%s", "c" * 500).encode())
    assert flagged is not None
    assert (flagged.only_flagged, flagged.reason[:4], len(flagged.reason)) == (True, "abcc", 200)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b'{"verdict": 1}', b'{"verdict": "mask"}'])
def test_what_nobody_understands(body: bytes) -> None:
    with pytest.raises(CannotLook):
        WebhookForm(Webhook(url="https://example.com")).read(body)


def test_a_private_address_has_to_be_allowed(serve: Serve, upstream: Upstream) -> None:
    """X4."""
    with serving() as service:
        made = config(upstream, service)
        made["guardrails"]["hook"]["webhook"]["allow_private"] = False
        assert ask(serve(made)).code == "guardrail_blocked"
        assert service.asked == []
