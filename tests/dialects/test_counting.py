from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from tests.dialects.across import target

from dragoman.dialects.counting import COUNTING
from dragoman.dialects.dialect import Path
from dragoman.dialects.fields import Unreadable

ANTHROPIC = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
INVOKED = base64.b64encode(json.dumps({"max_tokens": 1, "messages": ANTHROPIC["messages"]}).encode()).decode()
REQUESTS: list[tuple[str, Any]] = [
    ("anthropic", ANTHROPIC),
    ("gemini", {"contents": [{"parts": [{"text": "Hi"}]}]}),
    ("gemini", {"generateContentRequest": {"model": "models/g", "contents": [{"parts": [{"text": "Hi"}]}]}}),
    ("bedrock", {"input": {"converse": {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}}}),
    ("bedrock", {"input": {"invokeModel": {"body": INVOKED}}}),
]


@pytest.mark.parametrize(("name", "body"), REQUESTS)
@pytest.mark.parametrize("provider", COUNTING)
def test_a_question_reaches_every_provider_that_can_answer(name: str, body: Any, provider: str) -> None:
    asked = COUNTING[name].read_request(json.dumps(body).encode(), Path(model="m"))
    outgoing = COUNTING[provider].write_request(asked, target(provider))
    assert "count" in outgoing.path
    sent = outgoing.body.decode()
    if provider == "bedrock":
        sent = base64.b64decode(json.loads(sent)["input"]["invokeModel"]["body"]).decode()
    assert "Hi" in sent


@pytest.mark.parametrize("name", COUNTING)
def test_numbers_are_written_and_read(name: str) -> None:
    assert COUNTING[name].read(COUNTING[name].write(7)) == 7


@pytest.mark.parametrize("body", [{}, {"input": {}}, {"input": {"invokeModel": {"body": "%"}}}])
def test_what_is_wrong_is_named(body: Any) -> None:
    with pytest.raises(Unreadable):
        COUNTING["bedrock"].read_request(json.dumps(body).encode(), Path(model="m"))
