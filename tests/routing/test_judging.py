"""Streams that wait for those who judge them: held whole, or shown window by window."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.gateway.gateway import config_for
from tests.gateway.upstream import (
    DONE,
    LAST_CHUNK,
    Upstream,
    answer,
    chat_answer,
    chunk,
    event,
    expect,
    finish,
    hold,
    pause,
    send,
    stream,
    stream_head,
    until,
)
from tests.guardrails.called.services import Service, deny, serving
from tests.guardrails.called.test_round import CLIENTS, FILTERED
from tests.guardrails.test_guarding import content, reasons
from tests.routing.claude import stream as stream_of
from tests.served import Protocol, Serve, Served, chat_body

CHAT = "/v1/chat/completions"
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
WORDS = [f"word {number} " for number in range(400)]


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as made:
        made.answer = deny("plutonium")
        yield made


def config(upstream: Upstream, guardrails: dict[str, Any], **limits: Any) -> dict[str, Any]:
    made = config_for(upstream.base_url, guardrails=guardrails, server={"limits": limits})
    made["providers"]["up0"]["dialects"] = ["openai_chat", "openai_completions"]
    made["defaults"] = {"retries": 0}
    return made


def hook(service: Service, **fields: Any) -> dict[str, Any]:
    return {"hook": {"webhook": {"url": f"{service.url}/judge", "allow_private": True}, "on": ["output"]} | fields}


def form(**fields: Any) -> dict[str, Any]:
    return {"form": {"json_schema": {"schema": SCHEMA} | fields}}


def told(service: Service) -> list[str]:
    return ["".join(one["text"] for one in body["texts"]) for _, _, body in service.asked]


def data(value: Any) -> bytes:
    """An event."""
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def wait_for(request: Protocol, text: bytes) -> None:
    """Until so much has reached the client."""
    while text not in b"".join(request.pieces):
        assert not request.ended.wait(0.01), request.body


# Held -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True])
def test_length_is_that_of_all_blocks(serve: Serve, upstream: Upstream, streamed: bool) -> None:
    thought = {"choices": [{"index": 0, "delta": {"reasoning_content": "x" * 60}}]}
    said = [
        b"data: " + json.dumps(thought).encode() + b"\n\n",
        event("y" * 60),
        event(finish_reason="stop"),
        DONE,
    ]
    message = {"role": "assistant", "content": "y" * 60, "reasoning_content": "x" * 60}
    whole = chat_answer(choices=[{"index": 0, "message": message, "finish_reason": "stop"}])
    upstream.reply(expect, stream_of(said) if streamed else answer(whole))
    served = serve(config(upstream, {"short": {"length": {"max_chars": 100}, "on": ["output"]}}))
    refused = served.chat(stream=streamed)
    assert refused.status == 200
    assert b"yyy" not in refused.body
    assert b"content_filter" in refused.body
    assert served.row(refused).guardrails == "short=block"


def test_nothing_of_it_leaves_before_it_is_whole(serve: Serve, upstream: Upstream) -> None:
    gate = threading.Event()
    upstream.reply(expect, send(stream_head() + chunk(event("{"))), until(gate), send(chunk(event('"n": 1}'))), rest)
    request = serve(config(upstream, form())).begin("POST", CHAT, chat_body(stream=True))
    assert upstream.received()
    assert not request.ended.wait(0.2)
    assert request.pieces == []
    gate.set()
    assert content(request.wait()) == '{"n": 1}'
    assert request.headers["x-dragoman-guardrails"] == "form=allow"


def rest(connection: Any) -> None:
    send(chunk(event(finish_reason="stop") + DONE) + LAST_CHUNK)(connection)


PINGS = {"chat": b": ping\n\n", "anthropic": b"event: ping\n", "responses": b": ping\n\n"}


@pytest.mark.parametrize("client", list(CLIENTS))
@pytest.mark.parametrize("good", [False, True])
def test_a_client_that_waits_is_given_signs_of_life(
    serve: Serve, upstream: Upstream, service: Service, client: str, good: bool
) -> None:
    service.gate.clear()
    text = "Hello." if good else "Plutonium."
    upstream.reply(expect, stream([text]))
    served = serve(config(upstream, hook(service), heartbeat_s=0.05))
    path, body = CLIENTS[client]
    request = served.begin("POST", path, json.dumps(body | {"stream": True}).encode())
    wait_for(request, PINGS[client])
    assert text.encode() not in request.body
    service.gate.set()
    request.wait()
    assert (text.encode() in request.body, FILTERED[client] in request.body) == (good, not good)
    assert served.row(request).guardrails == ("hook=allow" if good else "hook=block")


def test_a_silent_provider_whose_stream_is_held(serve: Serve, upstream: Upstream) -> None:
    gate = threading.Event()
    upstream.reply(expect, send(stream_head() + chunk(event("{"))), until(gate), send(chunk(event('"n": 1}'))), rest)
    request = serve(config(upstream, form(), heartbeat_s=0.05)).begin("POST", CHAT, chat_body(stream=True))
    wait_for(request, b": ping\n\n: ping\n\n")
    gate.set()
    assert b'\\"n\\": 1' in request.wait().body


@pytest.mark.parametrize("on_error", ["closed", "open"])
def test_no_more_is_held_than_may_be(serve: Serve, upstream: Upstream, on_error: str) -> None:
    upstream.reply(expect, stream(WORDS))
    guardrails = form()
    guardrails["form"]["on_error"] = on_error
    served = serve(config(upstream, guardrails, max_held_bytes=2000))
    response = served.chat(stream=True)
    assert (b"word 399" in response.body, b"content_filter" in response.body) == (
        on_error == "open",
        on_error == "closed",
    )
    assert (b"word" in response.body) == (on_error == "open")
    assert served.row(response).guardrails == "form=not_scanned"


def test_the_deadline_holds_for_what_is_held(serve: Serve, upstream: Upstream) -> None:
    upstream.reply(expect, send(stream_head() + chunk(event("{"))), hold)
    response = serve(config(upstream, form())).chat({"x_dragoman_timeout": "0.3"}, stream=True)
    assert (response.status, response.code) == (504, "deadline_exceeded")


def test_a_held_stream_that_breaks_off_before_anything_left_is_an_error(serve: Serve, upstream: Upstream) -> None:
    upstream.reply(expect, send(stream_head() + chunk(event("{"))), finish)
    response = serve(config(upstream, form())).chat(stream=True)
    assert response.status == 502


@pytest.mark.parametrize(
    "how", [{"mode": "shadow"}, {"mode": "shadow", "on_stream": "windows"}, {"action": "flag", "on_error": "open"}]
)
def test_who_only_tells_of_it_holds_nobody_up(
    serve: Serve, upstream: Upstream, service: Service, how: dict[str, str]
) -> None:
    gate = threading.Event()
    first = b"".join(chunk(event("plutonium ")) for _ in range(30))
    upstream.reply(expect, send(stream_head() + first), until(gate), rest)
    served = serve(config(upstream, hook(service, **how)))
    request = served.begin("POST", CHAT, chat_body(stream=True))
    wait_for(request, b"plutonium")
    assert service.asked == []
    gate.set()
    request.wait()
    assert content(request) == "plutonium " * 30
    assert (len(service.asked), told(service)) == (1, ["plutonium " * 30])
    assert served.row(request).guardrails == ("hook=block;shadow" if "mode" in how else "hook=flag")


def test_beside_one_who_only_tells_of_it_another_is_shown_windows(
    serve: Serve, upstream: Upstream, service: Service
) -> None:
    upstream.reply(expect, stream([*WORDS, "plutonium"]))
    shadow = hook(service, mode="shadow")["hook"]
    served = serve(config(upstream, hook(service, on_stream="windows") | {"shadow": shadow}))
    response = served.chat(stream=True)
    assert b"plutonium" not in response.body
    assert reasons(response) == {"content_filter"}


# Windows --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", list(CLIENTS))
def test_windows_overlap(serve: Serve, upstream: Upstream, service: Service, client: str) -> None:
    upstream.reply(expect, stream(WORDS))
    served = serve(config(upstream, hook(service, on_stream="windows")))
    path, body = CLIENTS[client]
    response = served.ask("POST", path, json.dumps(body | {"stream": True}).encode())
    assert b"399" in response.body
    windows, whole = told(service), "".join(WORDS)
    joined = windows[0]
    for window in windows[1:]:
        assert window[:256] == joined[-256:]
        joined += window[256:]
    assert joined == whole
    assert served.row(response).guardrails == "hook=allow"


@pytest.mark.parametrize("client", list(CLIENTS))
@pytest.mark.parametrize("pieces", [["".join(WORDS), "pluto", "nium"], [*WORDS, "pluto", "nium", *WORDS]])
def test_a_window_that_is_refused_ends_the_stream(
    serve: Serve, upstream: Upstream, service: Service, client: str, pieces: list[str]
) -> None:
    upstream.reply(expect, stream(pieces, gap_s=0.0))
    served = serve(config(upstream, hook(service, on_stream="windows")))
    path, body = CLIENTS[client]
    response = served.ask("POST", path, json.dumps(body | {"stream": True}).encode())
    assert response.status == 200
    assert b"pluto" not in response.body and b"nium" not in response.body
    assert FILTERED[client] in response.body
    assert served.row(response).guardrails == "hook=block"


@pytest.mark.parametrize("client", list(CLIENTS))
def test_what_comes_while_a_window_is_refused_does_not_leave(
    serve: Serve, upstream: Upstream, service: Service, client: str
) -> None:
    service.gate.clear()
    gate, sent = threading.Event(), threading.Event()
    upstream.reply(
        expect,
        send(stream_head() + chunk(event("plutonium " * 100))),
        until(gate),
        rest,
        lambda connection: sent.set(),
    )
    served = serve(config(upstream, hook(service, on_stream="windows")))
    path, body = CLIENTS[client]
    request = served.begin("POST", path, json.dumps(body | {"stream": True}).encode())
    while not service.asked:
        assert not request.ended.wait(0.01)
    gate.set()
    assert sent.wait(20)
    assert not request.ended.wait(0.1), "what has come since waits to be read"
    service.gate.set()
    request.wait()
    assert FILTERED[client] in request.body
    assert b'"stop"' not in request.body and b"end_turn" not in request.body and b"completed" not in request.body


def test_what_a_window_showed_leaves_before_the_next_has_come(
    serve: Serve, upstream: Upstream, service: Service
) -> None:
    gate = threading.Event()
    upstream.reply(
        expect,
        send(stream_head() + b"".join(chunk(event(word)) for word in WORDS[:300])),
        until(gate),
        send(b"".join(chunk(event(word)) for word in WORDS[300:])),
        rest,
    )
    served = serve(config(upstream, hook(service, on_stream="windows")))
    request = served.begin("POST", CHAT, chat_body(stream=True))
    wait_for(request, b"word 80 ")
    gate.set()
    assert content(request.wait()) == "".join(WORDS)
    first, *_, last = told(service)
    assert first == "".join(WORDS)[: len(first)]
    assert last == "".join(WORDS)[-len(last) :]
    assert sum(map(len, told(service))) == len("".join(WORDS)) + 256 * (len(told(service)) - 1)


def test_a_quiet_stream_s_words_are_shown_without_waiting_for_more(
    serve: Serve, upstream: Upstream, service: Service
) -> None:
    gate = threading.Event()
    first = WORDS[:30]
    said = b"".join(chunk(event(word)) for word in first)
    upstream.reply(expect, send(stream_head() + said), until(gate), send(chunk(event("more"))), rest)
    served = serve(config(upstream, hook(service, on_stream="windows"), heartbeat_s=0.05))
    request = served.begin("POST", CHAT, chat_body(stream=True))
    wait_for(request, b": ping")
    gate.set()
    assert content(request.wait()) == "".join(first) + "more"
    assert "".join(first).startswith(told(service)[0])


def calls(*pieces: str) -> list[bytes]:
    begun = {"index": 0, "id": "c", "type": "function", "function": {"name": "buy", "arguments": ""}}
    made = [begun, *({"index": 0, "function": {"arguments": piece}} for piece in pieces)]
    said = [{"choices": [{"index": 0, "delta": {"tool_calls": [one]}}]} for one in made]
    return [data(one) for one in said]


@pytest.mark.parametrize("on_stream", ["windows", "hold"])
def test_a_call_is_held_until_it_is_judged(serve: Serve, upstream: Upstream, service: Service, on_stream: str) -> None:
    parts = [
        event("Well. "),
        *calls('{"what": "', "x" * 2000, " pluto", 'nium"}'),
        event(finish_reason="tool_calls"),
    ]
    upstream.reply(expect, stream_of([*parts, DONE]))
    served = serve(config(upstream, hook(service, on_stream=on_stream, on=["tool_arguments"])))
    response = served.chat(stream=True)
    assert b"xxx" not in response.body and b"buy" not in response.body
    assert reasons(response) == {"content_filter"}
    assert served.row(response).guardrails == "hook=block"


@pytest.mark.parametrize("on_stream", ["windows", "hold"])
@pytest.mark.parametrize("client", list(CLIENTS))
@pytest.mark.parametrize("masked", [False, True])
def test_what_one_cuts_off_another_has_not_judged(
    serve: Serve, upstream: Upstream, service: Service, on_stream: str, client: str, masked: bool
) -> None:
    first = b"".join(chunk(event("plutonium ")) for _ in range(30))
    upstream.reply(expect, send(stream_head() + first), pause(0.1), send(chunk(event("bluebird"))), rest)
    made = hook(service, on_stream=on_stream) | {"topics": {"words": {"deny": ["bluebird"]}, "on": ["output"]}}
    served = serve(config(upstream, made | ({"pii": {"mask": {}}} if masked else {})))
    path, body = CLIENTS[client]
    raw = json.dumps(body | {"stream": True}).replace("Hi", "I am ann@example.org." if masked else "Hi").encode()
    response = served.ask("POST", path, raw)
    assert FILTERED[client] in response.body
    assert b"plutonium" not in response.body


def test_a_stream_that_is_not_held_any_more_is_not_remembered(serve: Serve, upstream: Upstream) -> None:
    upstream.reply(expect, stream(WORDS))
    served = serve(config(upstream, form() | {"form": {"json_schema": {}, "on_error": "open"}}, max_held_bytes=2000))
    assert b"word 399" in served.chat(stream=True).body


def test_a_stream_that_fails_after_signs_of_life_says_so(serve: Serve, upstream: Upstream) -> None:
    gate = threading.Event()
    upstream.reply(expect, send(stream_head() + chunk(event("{"))), until(gate), finish)
    served = serve(config(upstream, form(), heartbeat_s=0.05))
    request = served.begin("POST", CHAT, chat_body(stream=True))
    wait_for(request, b": ping")
    gate.set()
    request.wait()
    assert b"upstream_cut" in request.body
    assert b'"content": "{"' not in request.body


# Skipped --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True])
def test_a_stream_that_is_skipped_says_so(serve: Serve, upstream: Upstream, service: Service, streamed: bool) -> None:
    upstream.reply(expect, stream(["Plutonium."]) if streamed else answer(chat_answer("Plutonium.")))
    topics = {"topics": {"words": {"deny": ["plutonium"]}, "on": ["output"], "on_stream": "skip"}}
    served = serve(config(upstream, hook(service, on_stream="skip") | topics))
    response = served.chat(stream=streamed)
    assert (b"Plutonium" in response.body) == streamed
    said = "topics=not_scanned, hook=not_scanned" if streamed else "topics=block"
    assert served.row(response).guardrails == said
    if streamed:
        assert response.headers["x-dragoman-guardrails"] == said
        assert service.asked == []


def test_completions_may_be_streamed_where_that_is_skipped(serve: Serve, upstream: Upstream) -> None:
    upstream.reply(expect, stream(["Hi"]))
    topics = {"topics": {"words": {"deny": ["plutonium"]}, "on": ["output"], "on_stream": "skip"}}
    served = serve(config(upstream, topics))
    response = served.ask("POST", "/v1/completions", b'{"model": "chat", "prompt": "Hi", "stream": true}')
    assert (response.status, response.headers["x-dragoman-guardrails"]) == (200, "topics=not_scanned")


# Repaired -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", list(CLIENTS))
@pytest.mark.parametrize("masked", [False, True])
def test_a_stream_is_repaired_and_told_as_one(serve: Serve, upstream: Upstream, client: str, masked: bool) -> None:
    upstream.reply(expect, stream(['{"n": ', '"three"}']))
    upstream.reply(expect, answer(chat_answer('{"n": 3}')))
    served = serve(config(upstream, form(repair=True) | ({"pii": {"mask": {}}} if masked else {})))
    path, body = CLIENTS[client]
    raw = json.dumps(body | {"stream": True}).replace("Hi", "Count, ann@example.org." if masked else "Count.").encode()
    response = served.ask("POST", path, raw)
    assert response.status == 200, response.body
    assert b"three" not in response.body
    assert b'\\"n\\": 3' in response.body
    assert FILTERED[client] not in response.body
    assert served.row(response).guardrails.endswith("form=repaired")
    assert "n: type" in str(upstream.received(2)[1].json["messages"][-1]["content"])
    assert upstream.received(2)[1].json.get("stream") in (None, False)


def test_what_is_not_repaired_is_filtered(serve: Serve, upstream: Upstream) -> None:
    upstream.reply(expect, stream(["I cannot."]))
    upstream.reply(expect, answer(chat_answer("No.")))
    served = serve(config(upstream, form(repair=True)))
    response = served.chat(stream=True)
    assert (content(response), reasons(response), len(upstream.requests)) == ("", {"content_filter"}, 2)
    assert response.headers["x-dragoman-guardrails"] == "form=block"


def test_others_judge_what_is_repaired(serve: Serve, upstream: Upstream, service: Service) -> None:
    upstream.reply(expect, stream(["no"]))
    upstream.reply(expect, answer(chat_answer('{"n": 3, "m": "plutonium"}')))
    served = serve(config(upstream, form(repair=True) | hook(service)))
    response = served.chat(stream=True)
    assert (content(response), reasons(response)) == ("", {"content_filter"})
    assert served.row(response).guardrails == "form=repaired, hook=block"


def test_the_cost_is_told_of_what_is_repaired(serve: Serve, upstream: Upstream) -> None:
    upstream.reply(expect, stream(["no"]))
    upstream.reply(expect, answer(chat_answer('{"n": 3}')))
    response = serve(config(upstream, form(repair=True))).chat({"x_dragoman_include_cost": "true"}, stream=True)
    assert content(response) == '{"n": 3}'
    assert response.body.count(b"[DONE]") == 1
    assert response.body.count(b'"cost_nanousd"') == 1


def test_both_answers_are_paid_for(serve: Serve, upstream: Upstream) -> None:
    upstream.reply(expect, stream(["no"]))
    upstream.reply(expect, answer(chat_answer('{"n": 3}')))
    served: Served = serve(config(upstream, form(repair=True)))
    response = served.chat(stream=True)
    assert served.row(response).cost_nanousd
