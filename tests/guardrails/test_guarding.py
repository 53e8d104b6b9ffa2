"""Guardrails in the way of requests, in a gateway within this process; its provider says back what it is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Connection, Upstream, answer, expect, stream
from tests.served import Serve, Served

from dragoman.access.principal import ANONYMOUS
from dragoman.config.guards import Guardrail, Mask, Words
from dragoman.config.schema import Config
from dragoman.guardrails.build import build_guardrails

MAIL = "ann.lee@example.com"
USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}


def said_back(connection: Connection) -> None:
    """An answer of the user's own words, streamed where that is wanted."""
    request = connection.request
    assert request is not None
    body = json.loads(request.body)
    text = body["messages"][-1]["content"] if "messages" in body else json.dumps(body)
    if body.get("stream"):
        stream([text[at : at + 5] for at in range(0, len(text), 5)])(connection)
        return
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}, "text": text}
    whole = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": USAGE}
    answer(json.dumps(whole).encode())(connection)


@pytest.fixture
def begin(serve: Serve, upstream: Upstream) -> Any:
    upstream.reply(expect, said_back)

    def started(**guardrails: Any) -> Served:
        return serve(config_for(upstream.base_url, guardrails=guardrails))

    return started


def content(answer: Any) -> str:
    if not answer.body.startswith(b"data:"):
        return str(answer.json["choices"][0]["message"]["content"])
    events = [json.loads(line[6:]) for line in answer.body.split(b"\n\n") if line.startswith(b"data: {")]
    return "".join(event["choices"][0]["delta"].get("content") or "" for event in events if event["choices"])


def reasons(answer: Any) -> set[str]:
    events = [json.loads(line[6:]) for line in answer.body.split(b"\n\n") if line.startswith(b"data: {")]
    return {event["choices"][0]["finish_reason"] for event in events if event["choices"]} - {None}


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize("streamed", [False, True])
def test_hidden_on_the_way_and_shown_on_the_way_back(begin: Any, upstream: Upstream, streamed: bool) -> None:
    served = begin(pii={"mask": {}})
    answer = served.chat(messages=user(f"I am {MAIL}."), user=MAIL, stream=streamed)
    assert content(answer) == f"I am {MAIL}."
    assert MAIL.encode() not in upstream.requests[-1].body
    assert answer.headers["x-dragoman-guardrails"] == "pii=mask"
    row = served.row(answer)
    assert (row.guardrails, row.input_tokens, row.end_user) == ("pii=mask", 9, MAIL)


@pytest.mark.parametrize("streamed", [False, True])
def test_what_is_clean_is_passed_on_byte_by_byte(begin: Any, upstream: Upstream, streamed: bool) -> None:
    served = begin(pii={"mask": {}}, inj={"injection": {}})
    answer = served.chat(messages=user("Hello  there"), stream=streamed, unheard_of={"a": 1.50})
    assert content(answer) == "Hello  there"
    assert b'"unheard_of": {"a": 1.5}' in upstream.requests[-1].body
    assert answer.headers["x-dragoman-guardrails"] == "pii=allow, inj=allow"


@pytest.mark.parametrize(
    ("message", "reason", "told"),
    [
        ({"content": "Fine."}, "stop", "topics=allow"),
        ({"content": "Plutonium."}, "content_filter", "topics=block"),
        ({"content": None, "tool_calls": [{"type": "function", "id": "c"}]}, "tool_calls", "topics=allow"),
        ({"content": None, "tool_calls": [{"type": "function", "id": "p"}]}, "content_filter", "topics=block"),
    ],
)
@pytest.mark.parametrize("priced", [False, True])
def test_answers_to_harmless_requests(
    serve: Serve, upstream: Upstream, message: dict[str, Any], reason: str, told: str, priced: bool
) -> None:
    for call in message.get("tool_calls", ()):
        call["function"] = {
            "name": "find",
            "arguments": json.dumps({"what": "plutonium" if call["id"] == "p" else "x"}),
        }
    stop = "tool_calls" if "tool_calls" in message else "stop"
    choice = {"index": 0, "finish_reason": stop, "message": {"role": "assistant", **message}}
    whole = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    upstream.reply(expect, answer(json.dumps(whole | {"usage": USAGE}).encode()))
    served = serve(config_for(upstream.base_url, guardrails={"topics": {"words": {"deny": ["plutonium"]}}}))
    got = served.chat(messages=user("Hello"), headers={"x-dragoman-include-cost": "true"} if priced else {})
    assert got.json["choices"][0]["finish_reason"] == reason
    assert got.headers["x-dragoman-guardrails"] == told
    assert got.headers["content-type"] == "application/json"
    assert ("cost" in got.json["usage"]) is priced
    row = served.row(got)
    assert (row.guardrails, row.input_tokens, row.output_tokens, row.status) == (told, 9, 3, 200)


def test_refused_on_the_way_in(begin: Any, upstream: Upstream) -> None:
    served = begin(topics={"words": {"deny": ["plutonium"]}})
    answer = served.chat(messages=user("Where is plutonium?"))
    assert (answer.status, answer.code) == (400, "guardrail_blocked")
    assert answer.headers["x-dragoman-guardrails"] == "topics=block"
    assert upstream.requests == []
    assert served.row(answer).guardrails == "topics=block"


@pytest.mark.parametrize("streamed", [False, True])
def test_refused_on_the_way_out(begin: Any, streamed: bool) -> None:
    served = begin(topics={"words": {"deny": ["plutonium"]}, "on": ["output"]})
    answer = served.chat(messages=user("x" * 200 + " plutonium " + "y" * 200), stream=streamed)
    assert answer.status == 200
    if streamed:
        assert set(content(answer)) <= {"x", " "}
        assert reasons(answer) == {"content_filter"}
        assert answer.body.endswith(b"data: [DONE]\n\n")
    else:
        choice = answer.json["choices"][0]
        assert (choice["finish_reason"], choice["message"]["content"]) == ("content_filter", None)
        assert answer.json["usage"]["completion_tokens"] == 3
    row = served.row(answer)
    assert (row.guardrails, row.status) == ("topics=block", 200)
    assert row.output_tokens > 0


def test_flagged_and_in_shadow(begin: Any) -> None:
    served = begin(
        flagged={"words": {"deny": ["plutonium"]}, "action": "flag"},
        shadow={"words": {"deny": ["plutonium"]}, "mode": "shadow"},
    )
    answer = served.chat(messages=user("plutonium"))
    assert content(answer) == "plutonium"
    assert answer.headers["x-dragoman-guardrails"] == "flagged=flag, shadow=block;shadow"


def test_completions(begin: Any, upstream: Upstream) -> None:
    served = begin(pii={"mask": {}}, topics={"words": {"deny": ["plutonium"]}})
    body = json.dumps({"model": "chat", "prompt": f"I am {MAIL}"}).encode()
    answer = served.ask("POST", "/v1/completions", body)
    assert MAIL in answer.json["choices"][0]["text"]
    assert MAIL.encode() not in upstream.requests[-1].body
    streamed = json.dumps({"model": "chat", "prompt": f"I am {MAIL}", "stream": True}).encode()
    refused = served.ask("POST", "/v1/completions", streamed)
    assert (refused.status, refused.code) == (400, "unguarded_stream")


def test_passed_through(begin: Any, upstream: Upstream) -> None:
    served = begin(pii={"mask": {}}, topics={"words": {"deny": ["plutonium"]}})
    json_type = {"content_type": "application/json"}
    body = json.dumps({"model": "up0/x", "prompt": f"A picture of {MAIL}"}).encode()
    answer = served.ask("POST", "/v1/images/generations", body, **json_type)
    assert MAIL.encode() not in upstream.requests[-1].body
    assert MAIL in answer.body.decode()
    refused = served.ask("POST", "/v1/images/generations", body.replace(b"picture", b"plutonium"), **json_type)
    assert (refused.status, refused.code) == (400, "guardrail_blocked")
    form = b'--x\r\ncontent-disposition: form-data; name="model"\r\n\r\nup0/x\r\n--x--\r\n'
    form_type = {"content_type": "multipart/form-data; boundary=x"}
    unread = served.ask("POST", "/v1/audio/transcriptions", form, **form_type)
    assert (unread.status, unread.code) == (400, "guardrail_blocked")
    assert "on_error: open" in unread.json["error"]["message"]
    assert unread.headers["x-dragoman-guardrails"] == "pii=not_scanned, topics=not_scanned"


LINES = b'{"custom_id": "a", "text": "fine"}\n{"custom_id": "b", "text": "\\u0070lutonium"}\n'
EVENTS = b'event: x\ndata: {"delta": "plutonium"}\n\ndata: [DONE]\n\n'


@pytest.mark.parametrize("body", [LINES, EVENTS, b"some plutonium", b'["plutonium"]', "plutonium \u00e9".encode()])
def test_answers_that_are_passed_through_are_looked_at_whatever_they_are(
    serve: Serve, upstream: Upstream, body: bytes
) -> None:
    topics = {"words": {"deny": ["plutonium"]}, "on": ["output"]}
    served = serve(config_for(upstream.base_url, guardrails={"topics": topics}))
    upstream.reply(expect, answer(body, content_type="application/octet-stream"))
    refused = served.get("/v1/files/f1/content", x_dragoman_deployment="up0")
    assert (refused.status, refused.code) == (400, "guardrail_blocked")
    assert b"plutonium" not in refused.body
    upstream.reply(expect, answer(body.replace(b"lutonium", b"olonium"), content_type="text/plain"))
    assert served.get("/v1/files/f1/content", x_dragoman_deployment="up0").status == 200


@pytest.mark.parametrize("on_error", ["closed", "open"])
def test_answers_that_are_no_text_cannot_be_looked_at(serve: Serve, upstream: Upstream, on_error: str) -> None:
    topics = {"words": {"deny": ["plutonium"]}, "on": ["output"], "on_error": on_error}
    served = serve(config_for(upstream.base_url, guardrails={"topics": topics}))
    upstream.reply(expect, answer(b"\xff\xfb\x90plutonium", content_type="audio/mpeg"))
    told = served.get("/v1/files/f1/content", x_dragoman_deployment="up0")
    assert told.status == (200 if on_error == "open" else 400)
    assert served.row(told).guardrails == "topics=not_scanned"


def test_what_cannot_be_looked_at_may_pass_where_that_is_said(serve: Serve, upstream: Upstream) -> None:
    upstream.reply(expect, answer(b'{"text": "hello"}'))
    served = serve(config_for(upstream.base_url, guardrails={"pii": {"mask": {}, "on_error": "open"}}))
    form = b'--x\r\ncontent-disposition: form-data; name="model"\r\n\r\nup0/x\r\n--x--\r\n'
    told = served.ask("POST", "/v1/audio/transcriptions", form, content_type="multipart/form-data; boundary=x")
    assert (told.status, told.json) == (200, {"text": "hello"})
    assert told.headers["x-dragoman-guardrails"] == "pii=not_scanned"


def test_a_value_that_stands_in_an_id_does_not_leave(begin: Any, upstream: Upstream) -> None:
    served = begin(pii={"mask": {}})
    call = {"id": MAIL, "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        *user(f"I am {MAIL}"),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": MAIL, "content": "x"},
    ]
    refused = served.chat(messages=messages)
    assert (refused.status, refused.code) == (400, "guardrail_blocked")
    assert upstream.requests == []


def test_who_cannot_hear_lets_nothing_pass_unseen_unless_it_may() -> None:
    config = Config(
        guardrails={
            "pii": Guardrail(mask=Mask()),
            "said": Guardrail(words=Words(deny=("x",)), on=("output",), on_error="open"),
            "never": Guardrail(words=Words(deny=("x",)), on=("output",), on_stream="skip"),
            "calls": Guardrail(words=Words(deny=("x",)), on=("tool_arguments",)),
        }
    )
    guarding = build_guardrails(config).begin(ANONYMOUS, "m", b"pepper")
    assert guarding is not None
    assert guarding.cannot_hear("output", "sound") is None
    assert guarding.told == "said=not_scanned"
    refused = guarding.cannot_hear("input", "sound")
    assert refused is not None
    assert (refused.guardrail, guarding.told) == ("pii", "said=not_scanned, pii=not_scanned")
