from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.gateway.upstream import Upstream
from tests.guardrails.called.services import serving
from tests.guardrails.called.test_round import ask, config
from tests.served import Serve

from dragoman.config.called import Moderation
from dragoman.guardrails.called.asked import CannotLook
from dragoman.guardrails.called.moderation import ModerationForm


def said(**scores: float) -> bytes:
    categories = {name: score > 0.5 for name, score in scores.items()}
    result = {"flagged": any(categories.values()), "categories": categories, "category_scores": scores}
    return msgspec.json.encode({"id": "m", "model": "m", "results": [result]})


def found(body: bytes, **config: Any) -> tuple[str, ...]:
    finding = ModerationForm(Moderation(**config)).read(body)
    return () if finding is None else finding.signals


def test_what_counts() -> None:
    body = said(violence=0.9, hate=0.7, self_harm=0.2)
    assert found(body) == ("hate", "violence")
    assert found(body, categories=("violence", "self_harm")) == ("violence",)
    assert found(body, threshold=0.8) == ("violence",)
    assert found(body, threshold=0.1, categories=("self_harm",)) == ("self_harm",)
    assert found(said(violence=0.1)) == ()
    assert found(b'{"results": [{"flagged": true}]}') == ("flagged",)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"results": []}', b'{"results": [{}]}', b'{"error": {"message": "x"}}'])
def test_what_nobody_understands(body: bytes) -> None:
    with pytest.raises(CannotLook):
        ModerationForm(Moderation()).read(body)


def test_it_is_asked_as_openai_is(serve: Serve, upstream: Upstream) -> None:
    with serving() as service:
        service.answer = lambda path, body: msgspec.json.decode(said(violence=0.9))
        made = config(upstream, service)
        made["guardrails"]["hook"] = {
            "openai_moderation": {"base_url": f"{service.url}/v1", "api_key": "sk-moderation", "allow_private": True}
        }
        refused = ask(serve(made), "A text.")
        ((path, headers, told),) = service.asked
    assert (refused.code, "violence" in refused.json["error"]["message"]) == ("guardrail_blocked", True)
    assert (path, headers["authorization"]) == ("/v1/moderations", "Bearer sk-moderation")
    assert told == {"model": "omni-moderation-latest", "input": ["A text."]}
