from __future__ import annotations

import json
from typing import Any

import pytest
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream, answer, expect
from tests.served import Serve

from dragoman.dialects.canonical import Message, Request, Text, Tool
from dragoman.dialects.dialect import Target
from dragoman.guardrails.prompts.marks import marked

SONNET = Target(model="claude-sonnet-4-5")
LONG = "word " * 1_000  # 5,000 bytes: over 1,024 tokens' worth, under 4,096
SYSTEM = Message(role="system", blocks=(Text(text=LONG),), top=True)
USER = Message(role="user", blocks=(Text(text="Hi."),))
ASSISTANT = Message(role="assistant", blocks=(Text(text="Hello."),))


def request(*messages: Message, **fields: Any) -> Request:
    return Request(dialect="anthropic", model="m", messages=messages, **fields)


def marks(request: Request) -> list[str | None]:
    return [getattr(message.blocks[-1], "cache", None) for message in request.messages]


def test_long_instructions_are_marked() -> None:
    assert marks(marked(request(SYSTEM, USER), SONNET)) == ["", None]


def test_what_is_too_short_for_the_model_is_not() -> None:
    short = Message(role="system", blocks=(Text(text="Be brief."),), top=True)
    assert marks(marked(request(short, USER), SONNET)) == [None, None]
    assert marks(marked(request(SYSTEM, USER), Target(model="claude-haiku-4-5"))) == [None, None]
    assert marks(marked(request(SYSTEM, USER), Target(model="claude-opus-5-5"))) == ["", None]


def test_a_conversation_that_goes_on_is_marked_at_its_end() -> None:
    assert marks(marked(request(SYSTEM, USER, ASSISTANT, USER), SONNET)) == ["", None, None, ""]


def test_tools_are_marked_where_there_are_no_instructions() -> None:
    tool = Tool(name="f", description=LONG)
    told = marked(request(USER, tools=(tool, tool)), SONNET)
    assert [one.cache for one in told.tools] == [None, ""]
    assert marks(told) == [None]


def test_what_the_client_has_marked_is_left() -> None:
    own = Message(role="user", blocks=(Text(text="Hi.", cache="1h"),))
    assert marks(marked(request(SYSTEM, own), SONNET)) == [None, "1h"]
    automatic = request(SYSTEM, USER, extra={"cache_control": {"type": "ephemeral"}})
    assert marked(automatic, SONNET) is automatic


def test_other_models_are_not_told() -> None:
    asked = request(SYSTEM, USER)
    assert marked(asked, Target(model="amazon.nova-pro-v1:0")) is asked


@pytest.mark.parametrize("client", ["chat", "anthropic"])
def test_marks_reach_the_provider_whatever_the_client_speaks(serve: Serve, upstream: Upstream, client: str) -> None:
    config = config_for(upstream.base_url, prompts={"parameters": {"p": {"prompt_cache": True}}})
    config["providers"]["up0"]["dialects"] = ["anthropic"]
    config["deployments"]["claude"] = {"provider": "up0", "model": "claude-sonnet-4-5"}
    told = {"type": "message", "role": "assistant", "content": [], "stop_reason": "end_turn", "usage": {}}
    upstream.reply(expect, answer(json.dumps(told | {"id": "msg_1", "model": "m"}).encode()))
    body: dict[str, Any] = {"model": "claude", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi."}]}
    if client == "chat":
        body["messages"].insert(0, {"role": "system", "content": LONG})
    else:
        body["system"] = LONG
    path = "/v1/chat/completions" if client == "chat" else "/v1/messages"
    served = serve(config)
    assert served.ask("POST", path, json.dumps(body).encode()).status == 200
    (sent,) = upstream.received()
    assert sent.json["model"] == "claude-sonnet-4-5"
    assert sent.json["system"][-1]["cache_control"] == {"type": "ephemeral"}
    assert "cache_control" not in json.dumps(sent.json["messages"])
