from __future__ import annotations

import json
from typing import Any

import pytest
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream, answer, expect
from tests.served import Serve


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "plutonium"}]}),
        ("/v1/completions", {"prompt": "plutonium"}),
        ("/v1/embeddings", {"input": ["fine", "plutonium"]}),
        ("/v1/rerank", {"query": "fine", "documents": ["plutonium"]}),
        ("/v1/responses", {"input": "plutonium"}),
        ("/v1/messages", {"max_tokens": 9, "messages": [{"role": "user", "content": "plutonium"}]}),
        ("/v2/chat", {"messages": [{"role": "user", "content": "plutonium"}]}),
        ("/api/chat", {"messages": [{"role": "user", "content": "plutonium"}]}),
        ("/v1/moderations", {"input": "plutonium"}),
    ],
)
def test_every_path_is_looked_into(serve: Serve, upstream: Upstream, path: str, body: dict[str, Any]) -> None:
    upstream.reply(expect, answer())
    served = serve(config_for(upstream.base_url, guardrails={"topics": {"words": {"deny": ["plutonium"]}}}))
    told = served.ask("POST", path, json.dumps({"model": "chat", **body}).encode(), content_type="application/json")
    assert told.status == 400
    assert b"topics" in told.body
    assert told.headers["x-dragoman-guardrails"] == "topics=block"
    assert upstream.requests == []


def test_the_schema_that_a_request_asks_for(serve: Serve, upstream: Upstream) -> None:
    upstream.reply(expect, answer())
    guardrails = {"schema": {"json_schema": {}}}
    served = serve(config_for(upstream.base_url, guardrails=guardrails))
    schema = {"name": "n", "schema": {"type": "object"}}
    told = served.chat(response_format={"type": "json_schema", "json_schema": schema})
    assert told.json["choices"][0]["finish_reason"] == "content_filter"
    assert served.chat().json["choices"][0]["finish_reason"] == "stop"
