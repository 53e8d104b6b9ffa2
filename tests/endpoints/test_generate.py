from __future__ import annotations

import json
from typing import Any

import pytest
from tests.gateway.gateway import config_for
from tests.gateway.upstream import (
    LAST_CHUNK,
    Upstream,
    answer,
    chat_answer,
    chunk,
    event,
    expect,
    finish,
    send,
    stream,
    stream_head,
)
from tests.served import Serve, Served, chat_body

from dragoman.endpoints.surfaces import FIXED

PATHS = {path: surface.endpoint for path, surface in FIXED.items() if surface.dialect == "openai_chat"}

LISTED = ("GET", "/v1/chat/completions")  # passed through
METHODS = ("GET", "PUT", "DELETE", "HEAD", "OPTIONS")
OTHER_METHODS = [(method, path) for path in PATHS for method in METHODS if (method, path) != LISTED]


@pytest.mark.parametrize("path", PATHS)
def test_each_path_goes_to_the_provider_s_own(served: Served, upstream: Upstream, path: str) -> None:
    upstream.reply(expect, answer())
    response = served.ask("POST", path, chat_body())
    assert (response.status, response.body) == (200, chat_answer())
    (sent,) = upstream.received()
    assert (sent.method, sent.path) == ("POST", path)
    assert json.loads(sent.body)["model"] == "gpt-4o-mini"
    assert served.row(response).endpoint == PATHS[path]


@pytest.mark.parametrize(("method", "path"), OTHER_METHODS)
def test_nothing_but_post_is_taken(served: Served, upstream: Upstream, path: str, method: str) -> None:
    assert served.ask(method, path).status == 405
    assert upstream.requests == []


ARRAY_PATH = "/v1beta/models/chat:streamGenerateContent"
HI = json.dumps({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}).encode()


def said_in(chunks: list[dict[str, Any]]) -> str:
    parts = [part for chunk in chunks for one in chunk["candidates"] for part in one["content"]["parts"]]
    return "".join(part.get("text", "") for part in parts)


def test_a_stream_of_gemini_s_is_an_array_unless_events_are_asked_for(served: Served, upstream: Upstream) -> None:
    upstream.reply(expect, stream(["Hel", "lo."]))
    response = served.ask("POST", ARRAY_PATH, HI)
    assert response.headers["content-type"] == "application/json"
    assert said_in(response.json) == "Hello."
    assert response.json[-1]["candidates"][0]["finishReason"] == "STOP"
    assert served.ask("POST", f"{ARRAY_PATH}?alt=sse", HI).headers["content-type"] == "text/event-stream"


def test_gemini_is_asked_for_events_all_the_same(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url, provider={"kind": "gemini"}))
    candidate = {"content": {"role": "model", "parts": [{"text": "Hello."}]}, "finishReason": "STOP", "index": 0}
    event = f"data: {json.dumps({'candidates': [candidate], 'modelVersion': 'm'})}\r\n\r\n".encode()
    upstream.reply(expect, send(stream_head() + chunk(event) + LAST_CHUNK))
    response = served.ask("POST", ARRAY_PATH, HI)
    assert said_in(response.json) == "Hello."
    assert upstream.requests[-1].path.endswith("?alt=sse")


def test_a_stream_that_breaks_is_an_array_all_the_same(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url, route={"retries": 0}))
    upstream.reply(expect, send(stream_head() + chunk(event("Hel"))), finish)
    told = served.ask("POST", ARRAY_PATH, HI).json
    assert said_in(told[:1]) == "Hel"
    assert told[-1]["error"]["code"] >= 500
