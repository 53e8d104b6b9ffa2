from __future__ import annotations

from typing import Any

import pytest
from tests.gateway.gateway import SECRET, config_for
from tests.gateway.upstream import Upstream
from tests.served import Protocol, Serve, Served, chat_body

from dragoman.access.secret import create_secret


def explain(served: Served, headers: dict[str, str] | None = None, **fields: Any) -> Protocol:
    return served.ask("POST", "/v1/explain", chat_body(**fields), **headers or {})


def test_the_plan_is_told_and_nothing_is_sent(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url, "http://127.0.0.1:9/v1", route={"retries": 1, "timeout_s": 30}))
    answer = explain(served, max_tokens=10)
    assert answer.status == 200
    told = answer.json
    assert (told["object"], told["alias"], told["snapshot"]) == ("explanation", "chat", 1)
    assert (told["retries"], told["deadline_s"]) == (1, 30)
    assert told["input_tokens"] > 5
    assert told["input_tokens_exact"] is True
    assert float(told["cost_estimate_usd"]) > 0
    assert [[step["deployment"] for step in tier] for tier in told["tiers"]] == [["up0"], ["up1"]]
    assert all(step["why"] for tier in told["tiers"] for step in tier)
    assert SECRET not in answer.body.decode()
    assert upstream.connections == []
    assert served.gateway.writer.queued == served.gateway.writer.written == 0


def test_the_request_s_own_wishes_count(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url, "http://127.0.0.1:9/v1"))
    told = explain(served, {"x-dragoman-timeout": "5", "x-dragoman-retries": "0"}, fallbacks=["up1"]).json
    assert (told["retries"], told["deadline_s"]) == (0, 5)
    assert [[step["deployment"] for step in tier] for tier in told["tiers"]] == [["up0"], ["up1"], ["up1"]]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "invalid_json"),
        (b"{}", 400, "missing_model"),
        (chat_body(model="none"), 404, "model_not_found"),
        (chat_body(fallbacks=[1]), 400, "invalid_request"),
    ],
)
def test_what_would_be_refused_is_refused(
    serve: Serve, upstream: Upstream, body: bytes, status: int, code: str
) -> None:
    answer = serve(config_for(upstream.base_url)).ask("POST", "/v1/explain", body)
    assert (answer.status, answer.code) == (status, code)


def test_it_is_for_operators(serve: Serve, upstream: Upstream) -> None:
    admin, plain = create_secret(), create_secret()
    keys = [{"name": "a", "secret": admin, "admin": True}, {"name": "p", "secret": plain}]
    served = serve(config_for(upstream.base_url, keys=keys))
    assert explain(served).status == 401
    answer = explain(served, {"x-api-key": plain})
    assert (answer.status, answer.code) == (403, "admin_only")
    assert explain(served, {"x-api-key": admin}).status == 200
