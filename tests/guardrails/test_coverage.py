from __future__ import annotations

import json
from typing import Any

import pytest
from tests.gateway.gateway import config_for
from tests.gateway.upstream import LAST_CHUNK, Upstream, answer, chunk, expect, send, stream_head
from tests.served import Protocol, Serve, Served

from dragoman.dialects.canonical import Message, Request, Text
from dragoman.dialects.dialect import Asked
from dragoman.dialects.losses import Losses
from dragoman.dialects.matrix import target_of
from dragoman.dialects.table import DIALECTS
from dragoman.guardrails import coverage

pytestmark = pytest.mark.fronted

OPENAI = DIALECTS["openai_chat"]
GUARDRAILS = {"hidden": {"mask": {}}, "poison": {"words": {"deny": [coverage.POISON]}}}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_dialect_has_a_hole(dialect: str) -> None:
    told = coverage.coverage()[dialect]
    assert [place for place, covered in told.items() if covered == "hole"] == []
    assert sum(covered == "covered" for covered in told.values()) >= 12


def test_a_hole_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage.passages, "of_request", lambda request: [])
    asked = Request(dialect="", model="m", messages=(Message(role="user", blocks=(Text(text=coverage.SAID),)),))
    assert coverage.asked(DIALECTS["openai_chat"], asked) == "hole"


def warm(serve: Serve, upstream: Upstream) -> Served:
    """A gateway on whose express way requests are."""
    upstream.reply(expect, answer())
    served = serve(config_for(upstream.base_url, guardrails=GUARDRAILS))
    assert served.chat().status == 200
    assert passes(served, "Hello once more.")
    return served


def passes(served: Served, text: str) -> bool:
    """Whether a request goes the express way to its end."""
    express = served.gateway.express
    before = express.served
    assert served.chat(messages=[{"role": "user", "content": text}]).status == 200
    express.settle()
    return express.served > before


def ask(served: Served, body: bytes, said: str, **fields: Any) -> Protocol:
    """A request of the same shape that says something else."""
    asked = body.replace(coverage.SAID.encode(), said.encode())
    return served.ask("POST", "/v1/chat/completions", json.dumps(json.loads(asked) | fields).encode())


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("place", coverage.REQUESTS)
def test_the_express_way_has_no_hole_for_requests(serve: Serve, upstream: Upstream, place: str, streamed: bool) -> None:
    served = warm(serve, upstream)
    body = OPENAI.write_request(coverage.REQUESTS[place], target_of("openai_chat"), Losses()).body
    fields = {"model": "chat", "stream": streamed}
    ask(served, body, "Nothing.", **fields)
    assert passes(served, "And again.")
    refused = ask(served, body, coverage.SAID, **fields)
    assert (refused.status, refused.code) == (400, "guardrail_blocked")
    assert not any(coverage.POISON.encode() in one.body for one in upstream.requests)
    sent = len(upstream.requests)
    ask(served, body, coverage.HIDDEN, **fields)
    assert len(upstream.requests) > sent
    assert not any(coverage.HIDDEN.encode() in one.body for one in upstream.requests)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("place", coverage.ANSWERS)
def test_the_express_way_has_no_hole_for_answers(serve: Serve, upstream: Upstream, place: str, streamed: bool) -> None:
    served = warm(serve, upstream)
    block = coverage.ANSWERS[place]
    about = Asked(request=coverage._ASKED, request_id="req_1", created_s=1)
    if streamed:
        writer = OPENAI.writer(about)
        said = writer.write(coverage._events(block)) + writer.finish()
        upstream.reply(expect, answer())  # as to the second of those before
        upstream.reply(expect, send(stream_head() + chunk(said) + LAST_CHUNK))
    else:
        said = OPENAI.write_answer(coverage._answer("", block), about)
        upstream.reply(expect, answer())
        upstream.reply(expect, answer(said))
    assert coverage.POISON.encode() in said
    refused = served.chat(stream=streamed)
    assert refused.status == 200
    assert coverage.POISON.encode() not in refused.body
    assert refused.headers["x-dragoman-guardrails"] == "hidden=allow, poison=" + ("allow" if streamed else "block")
