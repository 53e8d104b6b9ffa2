from __future__ import annotations

import json

import pytest

from dragoman.dialects.dialect import Path
from dragoman.dialects.table import DIALECTS
from dragoman.errors import InvalidRequest
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


def test_what_cannot_be_read_is_the_client_s_fault() -> None:
    with pytest.raises(InvalidRequest) as raised:
        _ = reading({"model": "m", "max_tokens": 9, "messages": 7}).request
    assert raised.value.param == "messages"
