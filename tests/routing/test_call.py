from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from dragoman.access.knobs import Knobs
from dragoman.core import RequestBody
from dragoman.routing.call import Call


def deployment(model: str = "theirs", *, streams_usage: bool = True) -> Any:
    return SimpleNamespace(model=model, streams_usage=streams_usage)


def call(raw: bytes, endpoint: str = "chat", **fields: Any) -> Call:
    usual: dict[str, Any] = {
        "path": "/x",
        "body": None if endpoint == "form" else RequestBody(raw),
        "knobs": Knobs(),
        "deadline_s": 1.0,
        "session": "",
        "headers": [],
    }
    return Call(endpoint=endpoint, raw=raw, **usual | fields)


def chat(**fields: Any) -> bytes:
    return json.dumps({"model": "ours", "messages": []} | fields).encode()


def test_only_the_model_changes() -> None:
    raw = b'{ "x":[1.10e300 ,"\\u00e9"],"model" : "ours",\n"messages":[] }'
    assert call(raw).outgoing(deployment()) == raw.replace(b'"ours"', b'"theirs"')


def test_nothing_changes_where_any_model_is_served() -> None:
    raw = chat()
    assert call(raw).outgoing(deployment("*")) == raw


def test_what_speaks_to_the_gateway_is_taken_out() -> None:
    assert json.loads(call(chat(fallbacks=["a"])).outgoing(deployment("*"))) == {"model": "ours", "messages": []}


def test_what_is_not_json_is_sent_as_it_is() -> None:
    assert call(b"--b\r\n", "form").outgoing(deployment()) == b"--b\r\n"
    assert call(b"--b\r\n", "form").stream is False


def test_usage_of_a_stream_is_asked_for() -> None:
    sent = json.loads(call(chat(stream=True, stream_options={"x": 1})).outgoing(deployment()))
    assert sent["stream_options"] == {"x": 1, "include_usage": True}


LANES = [
    ("chat", {"stream": True}, True, "stream_without_usage"),
    ("completions", {"stream": True}, True, "stream_without_usage"),
    ("chat", {"stream": True}, False, "stream"),
    ("chat", {"stream": True, "stream_options": {"include_usage": True}}, True, "stream"),
    ("chat", {"stream": True, "stream_options": {"include_usage": False}}, True, "stream_without_usage"),
    ("chat", {}, True, "whole"),
    ("chat", {"stream": False}, True, "whole"),
    ("embeddings", {"stream": True}, True, "whole"),
]


@pytest.mark.parametrize(("endpoint", "fields", "takes_option", "lane"), LANES)
def test_how_the_answer_is_followed(endpoint: str, fields: dict[str, Any], takes_option: bool, lane: str) -> None:
    made = call(chat(**fields), endpoint)
    to = deployment(streams_usage=takes_option)
    assert made.lane(to) == lane
    assert made.asks_usage(to) == (lane == "stream_without_usage")
    asked = json.loads(made.outgoing(to)).get("stream_options", {}).get("include_usage")
    assert bool(asked) == (made.asks_usage(to) or fields.get("stream_options", {}).get("include_usage", False))


def test_what_is_passed_through_is_followed_as_it_comes() -> None:
    assert call(chat(stream=True), passed_through=True).lane(deployment()) == "raw"


def test_a_client_that_wants_the_cost_gets_it_instead_of_the_usage() -> None:
    made = call(chat(stream=True, stream_options={"include_usage": True}), knobs=Knobs(include_cost=True))
    assert made.lane(deployment()) == "stream_without_usage"
    assert not made.asks_usage(deployment())
