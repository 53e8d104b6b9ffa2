from __future__ import annotations

import json

import pytest
from tests.gateway.upstream import Upstream, answer, chat_answer, expect
from tests.served import Served, chat_body

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
