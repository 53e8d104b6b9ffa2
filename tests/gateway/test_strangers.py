"""What people get who should get nothing: those without a key in force, and those who look for what others hide.

Each test is named after its row in the catalogue of faults (N14, X1, X2, X6, X8, X9).
"""

from __future__ import annotations

import gc
import json
import math
import os
import random
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from tests.gateway.client import chat, post
from tests.gateway.gateway import SECRET, Gateway, config_for
from tests.gateway.test_faults_stores import dragoman
from tests.gateway.upstream import (
    DONE,
    LAST_CHUNK,
    Upstream,
    answer,
    chunk,
    event,
    expect,
    reset,
    role_event,
    send,
    stream,
    stream_head,
    until,
)
from tests.served import Protocol, Serve, Served, chat_body

from dragoman.access.secret import create_secret
from dragoman.access.stored import create_key, revoke_key, switch_key
from dragoman.config.schema import Key

NEVER_THE_SAME = ("x-request-id", "request-id", "x-dragoman-overhead-ms")


def told(answer: Protocol) -> tuple[int, dict[str, str], str]:
    """An answer without what tells one request from another."""
    request_id = answer.headers["x-request-id"]
    headers = {name: value for name, value in answer.headers.items() if name not in NEVER_THE_SAME}
    return answer.status, headers, answer.body.decode().replace(request_id, "*")


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


@pytest.fixture
def guarded(serve: Serve, upstream: Upstream) -> Served:
    """A gateway with keys, one of them in force."""
    upstream.reply(expect, answer())
    served = serve(config_for(upstream.base_url))
    create_key(served.gateway.store.engine, served.gateway.pepper, Key(name="good"), now_ms=1)
    served.gateway.keys.refresh()
    return served


def not_in_force(served: Served) -> dict[str, str]:
    """Secrets of every kind that open nothing."""
    engine, pepper = served.gateway.store.engine, served.gateway.pepper
    secrets = {"unknown": create_secret(), "no key at all": "sk-something", "damaged": create_secret()[:-1] + "!"}
    for name, fields in {
        "revoked": {},
        "disabled": {},
        "over": {"expires": "2020-01-01T00:00:00Z"},
        "from elsewhere": {"ip_ranges": ("203.0.113.0/24",)},
        "of another organisation": {"expires": "2020-01-01T00:00:00Z", "organisation": "other"},
    }.items():
        secrets[name] = create_key(engine, pepper, Key(name=name, **fields), now_ms=1).secret
    revoke_key(engine, "revoked", now_ms=2)
    switch_key(engine, "disabled", disabled_at_ms=2)
    served.gateway.keys.refresh()
    return secrets


@pytest.mark.skipif("DRAGOMAN_SAMPLES" not in os.environ, reason="measures: DRAGOMAN_SAMPLES=100000")
def test_x1_a_guess_takes_no_longer_for_being_near(guarded: Served, say: Callable[[str], None]) -> None:
    count, chance = int(os.environ["DRAGOMAN_SAMPLES"]), random.Random(1)
    engine, keys = guarded.gateway.store.engine, guarded.gateway.keys
    right = create_key(engine, guarded.gateway.pepper, Key(name="x1"), now_ms=1).secret
    keys.refresh()
    half = len(right) // 2
    begins = {"near": right[:half], "far": create_secret()[:half], "as far": create_secret()[:half]}
    kinds = list(begins) * count
    chance.shuffle(kinds)
    # All are made before, in the order in which they are looked up: what lies where in memory is no difference.
    guesses = [(kind, begins[kind] + create_secret()[half:]) for kind in kinds]
    took_ns: dict[str, list[int]] = {kind: [] for kind in begins}
    gc.disable()
    for kind, guess in guesses:
        began_ns = time.perf_counter_ns()
        found = keys.known(guess, "127.0.0.1:1")
        ended_ns = time.perf_counter_ns()
        took_ns[kind].append(ended_ns - began_ns)
        assert found is None
    gc.enable()
    near, noise = (same_by_chance(took_ns["far"], took_ns[kind]) for kind in ("near", "as far"))
    say(f"{count} guesses near a key and as many far from it: KS p = {near:.3f} (of others as far: {noise:.3f})")
    if noise < 0.05:
        pytest.skip("the machine is too busy to measure: what is alike differs")
    assert near > 0.01


def same_by_chance(one: list[int], other: list[int]) -> float:
    """How likely two samples of one size would differ so much if both were of one kind (Kolmogorov, Smirnov)."""
    steps = sorted([(value, 1) for value in one] + [(value, -1) for value in other])
    height = widest = 0
    for place, (value, step) in enumerate(steps):
        height += step
        if place + 1 == len(steps) or steps[place + 1][0] != value:
            widest = max(widest, abs(height))
    scaled = widest / len(one) * math.sqrt(len(one) / 2)
    return min(1.0, 2 * sum((-1) ** (k - 1) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, 101)))


def test_x1_samples_are_told_apart() -> None:
    chance = random.Random(2)
    one, like, other = ([round(chance.gauss(mean, 100)) for _ in range(5000)] for mean in (1000, 1000, 1010))
    assert same_by_chance(one, like) > 0.01 > same_by_chance(one, other)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/models", "/v1/usage", "/v1/nothing"])
def test_x2_keys_that_are_not_in_force_are_all_told_the_same(guarded: Served, path: str) -> None:
    method = "POST" if path.endswith(("completions", "messages")) else "GET"
    body = b'{"model": "chat"}' if method == "POST" else b""
    answers = {
        name: told(guarded.ask(method, path, body, **bearer(secret))) for name, secret in not_in_force(guarded).items()
    }
    status, headers, text = answers["unknown"]
    assert status == 401
    assert "not valid" in text
    assert {name: one for name, one in answers.items() if one != (status, headers, text)} == {}


def test_n14_a_stream_outlives_its_key_and_nothing_else_does(guarded: Served, upstream: Upstream) -> None:
    engine, gate = guarded.gateway.store.engine, threading.Event()
    secret = create_key(engine, guarded.gateway.pepper, Key(name="leaving"), now_ms=1).secret
    guarded.gateway.keys.refresh()
    begins = send(stream_head() + chunk(role_event() + event("Hi")))
    ends = send(chunk(event(finish_reason="stop") + DONE) + LAST_CHUNK)
    upstream._replies.clear()
    upstream.reply(expect, begins, until(gate), ends)
    body = b'{"model": "chat", "stream": true, "messages": [{"role": "user", "content": "Hello."}]}'
    streaming = guarded.begin("POST", "/v1/chat/completions", body, **bearer(secret))
    upstream.received()
    revoke_key(engine, "leaving", now_ms=2)
    guarded.gateway.keys.refresh()
    assert guarded.ask("POST", "/v1/chat/completions", body, **bearer(secret)).status == 401
    gate.set()
    assert streaming.wait().body.endswith(DONE)
    assert guarded.row(streaming).key_id != ""
    assert len(upstream.requests) == 1


FIELDS = {
    "api_base": "", "base_url": "", "endpoint": "", "url": "", "host": "", "proxy": "", "api_key": "", "provider": "",
    "organization": "", "custom_llm_provider": "", "azure_endpoint": "", "aws_bedrock_runtime_endpoint": "",
    "vertex_location": "", "deployment": "", "extra_headers": "host", "headers": "host", "extra_body": "api_base",
    "metadata": "api_base", "litellm_params": "api_base",
}  # fmt: skip
"""What other gateways and SDKs take for an address, and the field within it."""
HEADERS = (
    *("x-api-base", "x-base-url", "x-portkey-custom-host", "x-portkey-provider", "x-dragoman-base-url"),
    *("x-dragoman-provider", "x-forwarded-host", "x-original-host", "helicone-target-url", "cf-aig-custom-host"),
    *("proxy-authorization", "via"),
)
MODELS = ["{}/chat", "up0/{}", "openai/{}#", "chat@{}", "chat?api_base={}"]
TARGETS = ["{}/chat/completions", "/v1/{}/chat/completions", "/v1/chat/completions?url={}", "/{}"]


def test_x6_no_request_takes_the_provider_s_key_elsewhere(guarded: Served, upstream: Upstream) -> None:
    secret = create_key(guarded.gateway.store.engine, guarded.gateway.pepper, Key(name="x6"), now_ms=1).secret
    guarded.gateway.keys.refresh()
    with Upstream() as theirs:
        address = theirs.base_url
        for name, inner in FIELDS.items():
            value = {inner: address} if inner else address
            body = chat_body(**{name: value})
            guarded.ask("POST", "/v1/chat/completions", body, **bearer(secret))
        for name in HEADERS:
            guarded.chat(bearer(secret) | {name: address})
        for model in MODELS:
            guarded.chat(bearer(secret), model=model.format(address))
        for target in TARGETS:
            guarded.ask("POST", target.format(address), chat_body(), **bearer(secret))
        assert theirs.connections == []
    assert len(upstream.requests) >= len(HEADERS)
    assert {sent.headers["authorization"] for sent in upstream.requests} == {f"Bearer {SECRET}"}
    assert {sent.headers["host"] for sent in upstream.requests} == {f"127.0.0.1:{upstream.port}"}
    assert not any(secret.encode() in sent.body for sent in upstream.requests)


TEMPLATES = [
    "{{7*7}}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{% for x in range(9) %}{{ x }}{% endfor %}",
    "${7*7}",
    "${jndi:ldap://127.0.0.1:1/a}",
    "#{7*7}",
    "<%= 7*7 %>",
    "%(name)s %s %x %n",
    "{0} {name} {0.__class__}",
    "${DRAGOMAN_PEPPER} ${file:/etc/passwd}",
    "!!python/object/apply:os.system ['true']",
    "cos\nsystem\n(S'true'\ntR.",
    "*anchor &anchor <<: *x",
    "`id` $(id)",
    "__proto__",
]


@pytest.mark.parametrize("text", TEMPLATES)
def test_x8_templates_are_text_wherever_they_are_said(guarded: Served, upstream: Upstream, text: str) -> None:
    made = create_key(guarded.gateway.store.engine, guarded.gateway.pepper, Key(name="x8"), now_ms=1)
    guarded.gateway.keys.refresh()
    line = text.replace("\n", " ")
    said = bearer(made.secret) | {"x-dragoman-metadata": json.dumps({"note": line}), "x-dragoman-run": line[:60]}
    messages = [{"role": "system", "content": text}, {"role": "user", "content": text, "name": "u"}]
    tool = {"type": "function", "function": {"name": "f", "description": text, "parameters": {"title": text}}}
    answered = guarded.chat(said, messages=messages, tools=[tool], user=text, unknown={text: text})
    assert answered.status == 200, answered.body
    sent = upstream.requests[-1].json
    assert sent["messages"] == messages
    assert (sent["tools"], sent["user"], sent["unknown"]) == ([tool], text, {text: text})
    row = guarded.row(answered)
    assert (row.end_user, json.loads(row.metadata)["note"]) == (text, line)
    refused = guarded.chat(bearer(made.secret), model=text)
    assert refused.status in {400, 404}
    assert "49" not in refused.json["error"]["message"].replace(text, "")


# X9 -------------------------------------------------------------------------------------------------------------------

PEPPER = "5eed" * 16
PROMPT = "prompt-canary-8d02e7"
WINDOW = 8  # signs; what keys are known by, their first ten, is shown on purpose


def traces(secret: str) -> Iterator[bytes]:
    """What would show a secret, whole or in part, as it is and as it may be written."""
    for start in range(len(secret) - WINDOW + 1):
        yield secret[start : start + WINDOW].encode()
    for shift in range(3):  # as base64 of a longer text
        yield b64encode(b"x" * shift + secret.encode())[4 : 4 + WINDOW + 4]
    yield secret.encode().hex()[:32].encode()
    yield secret[::-1].encode()


def found_in(sinks: dict[str, bytes], secrets: dict[str, str]) -> list[tuple[str, str]]:
    return [
        (name, sink)
        for name, secret in secrets.items()
        for sink, content in sinks.items()
        if any(trace in content for trace in traces(secret))
    ]


def test_x9_what_is_written_otherwise_is_found() -> None:
    secret = create_secret()[10:]
    for written in (secret[5:20], b64encode(f"key: {secret}".encode()).decode(), secret.encode().hex(), quote(secret)):
        assert found_in({"here": f"<{written}>".encode()}, {"it": secret}) == [("it", "here")]
    assert found_in({"here": create_secret().encode()}, {"it": secret}) == []


def test_x9_no_secret_is_found_anywhere(
    gateway: Callable[[dict[str, Any]], Gateway], upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRAGOMAN_PEPPER", PEPPER)
    own, operator, hook = create_secret(), create_secret(), "whsec-canary-77aa10b2c3d4"
    keys = [{"name": "own", "secret": own}, {"name": "operator", "secret": operator, "admin": True}]
    running = gateway(
        config_for(
            upstream.base_url,
            keys=keys,
            server={"log_level": "debug"},
            limits={"pace": {"requests": 50, "per": "minute"}},
            ledger={"alerts": {"url": "http://127.0.0.1:9/", "secret": hook, "allow_private": True}},
            audit={"content": "off"},
        )
    )
    made = dragoman("keys", "create", "stored", "--config", running.config_path)
    stored = next(word for word in made.split() if word.startswith("dgk_"))
    secrets = {"own": own[10:], "operator": operator[10:], "stored": stored[10:], "hook": hook[6:]}
    secrets["prompt"] = PROMPT
    secrets |= {"provider": SECRET.removeprefix("sk-upstream-"), "pepper": PEPPER}
    sinks = {f"answer {number}": one for number, one in enumerate(answers(running, upstream, own, operator, stored))}
    for path in ("/metrics", "/readyz?verbose", "/healthz", "/v1/models", "/v1/usage"):
        response = running.get(path, authorization=f"Bearer {operator}")
        sinks[path] = response.body + repr(response.headers).encode()
    running.rows(10)
    sinks["check"] = dragoman("check", "--config", running.config_path).encode()
    for words in ("usage --csv", "keys list", "audit search", "limits list"):
        sinks[words] = dragoman(*words.split(), "--data-dir", running.directory / "data").encode()
    running.stop()
    sinks["log"] = running.output.encode()
    for path in (running.directory / "data").rglob("*"):
        if path.is_file():
            sinks[str(path.relative_to(running.directory))] = path.read_bytes()
    assert {"data/dragoman.db", "log"} < set(sinks)
    assert b"audit" in b" ".join(name.encode() for name in sinks)
    assert found_in(sinks, secrets) == []


def answers(running: Gateway, upstream: Upstream, *secrets: str) -> Iterator[bytes]:
    """What is answered where all goes well, and where anything goes wrong."""
    refusal = json.dumps({"error": {"message": f"Incorrect API key provided: {SECRET}", "code": "invalid_api_key"}})
    played = [answer(), stream(), answer(b"{}", 500), answer(b"<html>", 200), answer(refusal.encode(), 401), reset]
    for key in secrets:
        for steps in played:
            upstream._replies.clear()
            upstream.reply(expect, steps)
            said = [{"role": "user", "content": f"Keep it to yourself: {PROMPT}"}]
            response = chat(running.port, headers=bearer(key), stream=steps is played[1], messages=said)
            yield response.body + repr(response.headers).encode()
        wrong = key[:-3] + "abc"
        for headers in (bearer(wrong), {"x-api-key": wrong}, bearer(key) | {"x-api-key": wrong}):
            response = chat(running.port, headers=headers)
            yield response.body + repr(response.headers).encode()
        for body in (b"{", b"\xff", b'{"model": "none"}', json.dumps({"model": key}).encode()):
            response = post(running.port, "/v1/chat/completions", body, **bearer(key))
            if key.encode() not in body:
                yield response.body + repr(response.headers).encode()
