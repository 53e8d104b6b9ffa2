from __future__ import annotations

import json

import pytest
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream, answer, expect
from tests.served import Serve

from dragoman.dialects.dialect import Path
from dragoman.dialects.table import DIALECTS
from dragoman.errors import InvalidRequest
from dragoman.pipeline import COUNT_BYTES
from dragoman.routing.reading import Reading, texts_of


def reading(body: object) -> Reading:
    return Reading(DIALECTS["anthropic"], json.dumps(body).encode(), Path())


def test_a_request_is_read_once() -> None:
    one = reading({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]})
    assert one.request is one.request


def test_all_that_the_model_reads_is_counted() -> None:
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": "ok"}
    body = {
        "model": "m",
        "max_tokens": 9,
        "system": "S",
        "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}}],
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [result]},
        ],
    }
    assert {"S", "Hi", "f", '{"a":1}', "ok", "d"} <= set(texts_of(reading(body).request))


def test_a_chat_is_counted_alike_in_whatever_dialect_it_comes(serve: Serve, upstream: Upstream) -> None:
    """Of which the whole history is remembered, however long it is."""
    upstream.reply(expect, answer())
    config = config_for(upstream.base_url)
    config["deployments"]["up0"] |= {"model": "gpt-4o", "price": {"input_usd_mtok": 1.0, "output_usd_mtok": 10.0}}
    served = serve(config)
    said = [f"Turn {number}: " + "the mountains of the west " * 60 for number in range(9)]
    messages = [{"role": ("user", "assistant")[turn % 2], "content": text} for turn, text in enumerate(said)]
    for many in range(1, 10, 2):
        body = json.dumps({"model": "chat", "max_tokens": 9, "messages": messages[:many]}).encode()
        paths = ("/v1/chat/completions", "/v1/messages")
        ours, theirs = (served.ask("POST", path, body).headers["x-dragoman-cost-estimate"] for path in paths)
        assert ours == theirs, many
    assert len(body) > COUNT_BYTES


def test_what_cannot_be_read_is_the_client_s_fault() -> None:
    with pytest.raises(InvalidRequest) as raised:
        _ = reading({"model": "m", "max_tokens": 9, "messages": 7}).request
    assert raised.value.param == "messages"
