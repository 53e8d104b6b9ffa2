from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream, answer, chat_answer, expect, stream
from tests.served import Protocol, Serve, Served

from dragoman.access.secret import create_secret

LAMP = "How do I change the bulb of a desk lamp?"
SAME = "How can I change a bulb of the desk lamps?"
OTHER = "How do I change the bulb of a car?"


def config(upstream: Upstream, **semantic: Any) -> dict[str, Any]:
    made = config_for(upstream.base_url, cache={"mode": "on"})
    made["routes"]["chat"]["semantic"] = {"check_share": 0.0} | semantic
    return made


@pytest.fixture
def served(serve: Serve, upstream: Upstream) -> Served:
    return serve(config(upstream))


def ask(served: Served, text: str, headers: dict[str, str] | None = None, **fields: Any) -> Protocol:
    messages = [{"role": "user", "content": text}]
    return served.chat(headers, **({"messages": messages, "temperature": 0} | fields))


def told(*answers: Protocol) -> list[str]:
    return [one.headers["x-dragoman-cache"].split(";")[0] for one in answers]


def test_a_question_in_other_words_gets_the_answer(served: Served, upstream: Upstream) -> None:
    first, second = ask(served, LAMP), ask(served, SAME)
    assert (told(first, second), len(upstream.requests)) == (["miss", "semantic"], 1)
    assert second.body == first.body
    name, score, id_ = second.headers["x-dragoman-cache"].split("; ")
    assert (name, id_) == ("semantic", f"id={first.headers['x-request-id']}")
    assert 0.88 <= float(score.removeprefix("score=")) <= 1
    row = served.row(second)
    assert (row.cache, row.cost_nanousd, row.usage_source) == ("semantic", 0, "cache")
    assert row.saved_nanousd > 0


def test_another_question_does_not(served: Served, upstream: Upstream) -> None:
    assert told(ask(served, LAMP), ask(served, OTHER)) == ["miss", "miss"]


def test_a_stream_is_given_as_a_stream(served: Served, upstream: Upstream) -> None:
    upstream.reply(expect, stream())
    first, second = ask(served, LAMP, stream=True), ask(served, SAME, stream=True)
    assert (told(second), second.body) == (["semantic"], first.body)
    assert second.headers["content-type"] == "text/event-stream"


# What has to be the same beside the question.
SYSTEM = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": SAME}]
BEFORE = [
    {"role": "user", "content": "Hi."},
    {"role": "assistant", "content": "Hello."},
    {"role": "user", "content": SAME},
]
APART: list[dict[str, Any]] = [
    {"messages": SYSTEM},
    {"messages": BEFORE},
    {"model": "up0"},
    {"max_tokens": 5},
    {"top_p": 0.5},
    {"stream": True},
    {"user": "ann"},
    {"response_format": {"type": "json_object"}},
]


@pytest.mark.parametrize("fields", APART)
def test_everything_else_is_the_same(served: Served, upstream: Upstream, fields: dict[str, Any]) -> None:
    """X20: near questions of other requests do not meet."""
    upstream.reply(expect, answer())
    upstream.reply(expect, stream() if "stream" in fields else answer())
    assert told(ask(served, LAMP), ask(served, SAME, **fields)) == ["miss", "miss"]


TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}
IMAGE = [{"type": "text", "text": SAME}, {"type": "image_url", "image_url": {"url": "https://e.com/x.png"}}]
CALLED = [
    {"role": "user", "content": LAMP},
    {
        "role": "assistant",
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "c", "content": "it is dark"},
    {"role": "user", "content": SAME},
]
LEFT_OUT: list[dict[str, Any]] = [
    {"temperature": 0.5},
    {"temperature": None},
    {"tools": [TOOL]},
    {"messages": [{"role": "user", "content": IMAGE}]},
    {"messages": CALLED},
    {"messages": [{"role": "user", "content": "word " * 1_000}]},
    {"messages": [{"role": "assistant", "content": SAME}]},
]


@pytest.mark.parametrize("fields", LEFT_OUT)
def test_what_is_left_out(served: Served, upstream: Upstream, fields: dict[str, Any]) -> None:
    assert ask(served, LAMP, **fields).status == 200
    assert len(served.gateway.answers.semantics.index) == 0
    assert told(ask(served, SAME, **fields)) == ["hit" if fields.get("messages") else "miss"]


def test_a_warm_temperature_where_the_route_says_so(serve: Serve, upstream: Upstream) -> None:
    served = serve(config(upstream, temperature="any"))
    assert told(ask(served, LAMP, temperature=0.7), ask(served, SAME, temperature=0.7)) == ["miss", "semantic"]


def test_two_tenants_do_not_meet(serve: Serve, upstream: Upstream) -> None:
    """X18: not even where their questions are as near as can be (CacheAttack)."""
    secrets = [create_secret(), create_secret()]
    made = config(upstream)
    made["keys"] = [{"name": f"k{place}", "secret": secret} for place, secret in enumerate(secrets)]
    served = serve(made)
    answers = [
        ask(served, text, {"authorization": f"Bearer {secret}"})
        for text, secret in ((LAMP, secrets[0]), (LAMP, secrets[1]), (SAME, secrets[1]), (SAME, secrets[0]))
    ]
    assert told(*answers) == ["miss", "miss", "semantic", "semantic"]
    assert answers[2].headers["x-dragoman-cache-id"] == answers[1].headers["x-request-id"]


def test_no_route_no_other_words(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url, cache={"mode": "on"}))
    assert told(ask(served, LAMP), ask(served, SAME)) == ["miss", "miss"]


def test_a_client_may_want_the_exact_one_alone(served: Served, upstream: Upstream) -> None:
    ask(served, LAMP)
    for header in ({"x_dragoman_cache": "exact"}, {"x_portkey_cache": "simple"}):
        assert told(ask(served, SAME, header)) != ["semantic"]
        served.gateway.answers.purge(["model:chat"])
        ask(served, LAMP)
    assert told(ask(served, SAME, {"x_portkey_cache": "semantic"})) == ["semantic"]


def test_what_is_purged_is_not_found_in_other_words(served: Served, upstream: Upstream) -> None:
    ask(served, LAMP, {"x_dragoman_end_user": "ann"})
    semantics = served.gateway.answers.semantics
    assert len(semantics.index) == 1
    served.gateway.answers.purge(["end_user:ann"])
    assert len(semantics.index) == 0, "the question itself is forgotten"
    assert told(ask(served, SAME)) == ["miss"]


def test_what_is_not_whole_is_not_found(served: Served, upstream: Upstream) -> None:
    cut = {"index": 0, "message": {"role": "assistant", "content": "Fir"}, "finish_reason": "length"}
    upstream.reply(expect, answer(chat_answer(choices=[cut])))
    assert told(ask(served, LAMP), ask(served, SAME)) == ["miss", "miss"]


def test_an_answer_of_other_guardrails_is_not_found(serve: Serve, upstream: Upstream) -> None:
    made = config(upstream)
    served = serve(made)
    ask(served, LAMP)
    made["guardrails"] = {"words": {"words": {"deny": ["hello"]}, "on": ["output"]}}
    served.gateway.replace(served.load(made))
    assert told(ask(served, SAME)) == ["miss"]


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/responses", "/v1beta/models/chat:generateContent"])
def test_in_every_dialect(serve: Serve, upstream: Upstream, path: str) -> None:
    made = config(upstream)
    made["providers"]["up0"]["dialects"] = ["openai_chat"]
    served = serve(made)

    def body(text: str) -> bytes:
        messages = [{"role": "user", "content": text}]
        if path.endswith("responses"):
            return json.dumps({"model": "chat", "input": text, "temperature": 0}).encode()
        if path.endswith("messages"):
            return json.dumps({"model": "chat", "max_tokens": 9, "messages": messages, "temperature": 0}).encode()
        contents = [{"role": "user", "parts": [{"text": text}]}]
        return json.dumps({"contents": contents, "generationConfig": {"temperature": 0}}).encode()

    first, second = (served.ask("POST", path, body(text)) for text in (LAMP, SAME))
    assert told(first, second) == ["miss", "semantic"]
    assert second.body == first.body


# Checks ---------------------------------------------------------------------------------------------------------------


def watch_of(served: Served) -> Any:
    (watch,) = served.gateway.answers.semantics.watches.known.values()
    return watch


def test_hits_are_checked_and_the_figures_told(serve: Serve, upstream: Upstream) -> None:
    upstream.reply(expect, answer(chat_answer("Unscrew it.")))
    upstream.reply(expect, answer(chat_answer("Unscrew  it.")))
    upstream.reply(expect, answer(chat_answer("Buy another house, far away from here.")))
    served = serve(config(upstream, check_share=1.0))
    ask(served, LAMP)
    assert told(ask(served, SAME)) == ["semantic"]
    upstream.received(2)
    wait_until(lambda: watch_of(served).checked == 1)
    assert (watch_of(served).wrong, watch_of(served).least_score) == (0, 0.88)
    assert told(ask(served, SAME)) == ["semantic"]
    wait_until(lambda: watch_of(served).checked == 2)
    assert (watch_of(served).wrong, watch_of(served).least_score) == (1, pytest.approx(0.9))
    (semantic,) = served.get("/v1/cache").json["semantic"]
    assert (semantic["model"], semantic["hits"], semantic["checked"], semantic["wrong_share"]) == ("chat", 2, 2, 0.5)
    metrics = served.get("/metrics").body
    assert b'dragoman_cache_semantic_wrong{model="chat"} 1' in metrics


def wait_until(ready: Any) -> None:
    for _ in range(2_000):
        if ready():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it did not come to that")


def test_rows_whose_answers_are_gone_are_swept(served: Served, upstream: Upstream) -> None:
    semantics = served.gateway.answers.semantics
    ask(served, LAMP)
    (row,) = semantics.index.rows()
    semantics.index.add(row[0], b"x" * 32, "What is this?")
    semantics.sweep(served.gateway.answers)
    assert len(semantics.index) == 2, "one more is no reason to look"
    semantics.sweep(served.gateway.answers, spare=0)
    assert [key for _, key, _ in semantics.index.rows()] == [row[1]]
