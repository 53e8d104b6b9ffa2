from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream
from tests.guardrails.called.services import serving
from tests.served import Serve

from dragoman.routing.elsewhere import place_of, post, signed, target_of


@pytest.mark.parametrize(
    ("url", "base_url", "path"),
    [
        ("https://a.example", "https://a.example", "/"),
        ("http://a.example:8080/x/y", "http://a.example:8080", "/x/y"),
        ("https://a.example/x?b=c&d", "https://a.example", "/x?b=c&d"),
    ],
)
def test_the_parts_of_a_url(url: str, base_url: str, path: str) -> None:
    assert place_of(url) == (base_url, path)


def test_what_is_signed() -> None:
    assert signed("", b"body") == []
    ((name, value),) = signed("secret", b"body")
    moment, signature = value.removeprefix("t=").split(",v1=")
    assert name == "x-dragoman-signature"
    assert signature == hmac.new(b"secret", moment.encode() + b".body", hashlib.sha256).hexdigest()


@pytest.mark.parametrize(("private", "failure"), [(True, ""), (False, "refused")])
def test_json_is_sent(serve: Serve, upstream: Upstream, private: bool, failure: str) -> None:
    served = serve(config_for(upstream.base_url))
    with serving() as service:
        service.answer = lambda path, body: {"got": body}

        async def sent() -> Any:
            target = target_of(served.gateway.upstream, service.url, [("x-a", "b")], private=private)
            return await post(target, "/hook", b'{"a": 1}', [("content-type", "application/json")], 5.0)

        outcome = served.run(sent())
        assert outcome.failure == failure
        assert [(path, headers["x-a"], body) for path, headers, body in service.asked] == (
            [("/hook", "b", {"a": 1})] if private else []
        )
