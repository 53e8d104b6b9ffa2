from __future__ import annotations

import json
import threading
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
    role_event,
    send,
    stream,
    stream_head,
    until,
    usage_event,
)
from tests.served import Protocol, Serve, Served, chat_body

from dragoman.access.secret import create_secret

CHAT = "/v1/chat/completions"


@pytest.fixture
def served(serve: Serve, upstream: Upstream) -> Served:
    return serve(config_for(upstream.base_url, cache={"mode": "on"}))


def asked(upstream: Upstream) -> int:
    return len(upstream.requests)


# What an answer that was kept says of itself, first.
TOLD = (
    "content-type",
    "x-request-id",
    "x-dragoman-snapshot",
    "x-dragoman-attempts",
    "x-dragoman-fallback-index",
    "x-dragoman-provider",
    "x-dragoman-model",
    "x-dragoman-deployment",
    "x-dragoman-cache",
    "x-dragoman-cache-id",
)


def test_the_same_is_answered_again(served: Served, upstream: Upstream) -> None:
    first, second = served.chat(), served.chat()
    assert asked(upstream) == 1
    assert (second.status, second.body) == (200, first.body)
    assert (first.headers["x-dragoman-cache"], second.headers["x-dragoman-cache"]) == ("miss", "hit")
    assert "age" not in first.headers
    assert second.headers["age"] == "0"
    assert second.headers["content-type"] == "application/json"
    assert tuple(second.headers)[: len(TOLD)] == TOLD
    assert second.headers["x-dragoman-attempts"] == "0"
    assert float(second.headers["x-dragoman-cost"]) == 0
    for name in ("x-dragoman-provider", "x-dragoman-model", "x-dragoman-deployment"):
        assert second.headers[name] == first.headers[name]
    assert second.headers["x-request-id"] != first.headers["x-request-id"]


def test_a_hit_costs_nothing_and_says_what_it_saved(served: Served, upstream: Upstream) -> None:
    first, second = served.row(served.chat()), served.row(served.chat())
    assert (first.cache, first.saved_nanousd, first.usage_source) == ("miss", 0, "provider")
    assert first.cost_nanousd
    assert (second.cache, second.saved_nanousd) == ("hit", first.cost_nanousd)
    assert (second.cost_nanousd, second.usage_source, second.attempts) == (0, "cache", 0)
    assert (second.input_tokens, second.output_tokens) == (9, 3)
    assert (second.status, second.finish_reason, second.provider) == (200, "stop", first.provider)
    assert second.model == first.model


def test_a_stream_is_replayed_byte_by_byte(served: Served, upstream: Upstream) -> None:
    upstream.reply(expect, stream())
    first, second = served.chat(stream=True), served.chat(stream=True)
    assert (asked(upstream), second.headers["x-dragoman-cache"]) == (1, "hit")
    assert second.headers["content-type"] == first.headers["content-type"] == "text/event-stream"
    assert second.body == first.body
    assert second.body.endswith(DONE)
    assert b'"usage"' not in second.body, "the first did not ask for it"
    assert served.row(second).stream is True


def test_a_stream_is_kept_whole_where_the_audit_log_keeps_it_too(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url, cache={"mode": "on"}, audit={"content": "full"}))
    upstream.reply(expect, stream())
    first, second = served.chat(stream=True), served.chat(stream=True)
    assert (asked(upstream), second.headers["x-dragoman-cache"]) == (1, "hit")
    assert second.body == first.body
    assert second.body.endswith(DONE)


def test_what_it_costs_is_said_in_the_answer_too(served: Served, upstream: Upstream) -> None:
    asks = {"x_dragoman_include_cost": "true"}
    upstream.reply(expect, answer())
    upstream.reply(expect, stream())
    first, second = served.chat(asks), served.chat(asks)
    assert first.json["usage"]["cost_nanousd"] > 0
    assert second.json["usage"]["cost_nanousd"] == 0
    assert second.json["usage"]["prompt_tokens"] == 9
    streamed, again = served.chat(asks, stream=True), served.chat(asks, stream=True)
    assert asked(upstream) == 2
    last = [json.loads(one[6:]) for one in again.body.split(b"\n\n") if one.startswith(b"data: {")][-1]
    assert last["usage"]["cost_nanousd"] == 0
    assert last["usage"]["prompt_tokens"] == 9
    assert (again.body.count(DONE), streamed.body.count(DONE)) == (1, 1)


OTHERS: list[dict[str, Any]] = [
    {"temperature": 0.5},
    {"messages": [{"role": "user", "content": "Hello there!"}]},
    {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello there."}]},
    {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]},
    {"stream": True},
    {"max_tokens": 5},
    {"seed": 1},
    {"user": "ann"},
    {"model": "up0"},
]


@pytest.mark.parametrize("fields", OTHERS)
def test_anything_else_is_something_else(served: Served, upstream: Upstream, fields: dict[str, Any]) -> None:
    upstream.reply(expect, answer())
    if "stream" in fields:
        upstream.reply(expect, stream())
    served.chat()
    other = served.chat(**fields)
    assert (other.status, other.headers["x-dragoman-cache"], asked(upstream)) == (200, "miss", 2)


def test_another_key_finds_nothing(serve: Serve, upstream: Upstream) -> None:
    """X19, X20: what one tenant has asked cannot be told from what none has."""
    ann, bob = create_secret(), create_secret()
    keys = [{"name": "ann", "secret": ann, "team": "t"}, {"name": "bob", "secret": bob, "team": "t"}]
    served = serve(config_for(upstream.base_url, cache={"mode": "on"}, keys=keys))
    for secret, found in ((ann, "miss"), (bob, "miss"), (ann, "hit"), (bob, "hit")):
        assert served.chat({"authorization": f"Bearer {secret}"}).headers["x-dragoman-cache"] == found
    assert asked(upstream) == 2


def test_a_team_may_share(serve: Serve, upstream: Upstream) -> None:
    secrets = {name: create_secret() for name in ("ann", "bob", "eve", "sam")}
    teams = {"ann": "t", "bob": "t", "eve": "", "sam": "other"}
    keys = [{"name": name, "secret": secret, "team": teams[name]} for name, secret in secrets.items()]
    served = serve(config_for(upstream.base_url, cache={"mode": "on", "scope": "team"}, keys=keys))
    told = [
        served.chat({"authorization": f"Bearer {secret}"}).headers["x-dragoman-cache"] for secret in secrets.values()
    ]
    assert told == ["miss", "hit", "miss", "miss"]


def test_left_to_the_client_it_has_to_be_asked_for(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url))
    for _ in range(2):
        assert "x-dragoman-cache" not in served.chat().headers
    assert asked(upstream) == 2
    assert served.chat({"x_dragoman_cache": "on"}).headers["x-dragoman-cache"] == "miss"
    assert served.chat({"cache_control": "max-age=60"}).headers["x-dragoman-cache"] == "hit"
    assert served.chat({"cf_aig_cache_ttl": "60"}).headers["x-dragoman-cache"] == "hit"
    assert served.chat(cache={"ttl": 60}).headers["x-dragoman-cache"] == "hit"
    assert asked(upstream) == 3


def test_switched_off_it_cannot_be_asked_for(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url, cache={"mode": "off"}))
    for _ in range(2):
        assert "x-dragoman-cache" not in served.chat({"x_dragoman_cache": "on"}).headers
    assert asked(upstream) == 2


def test_a_route_says_for_itself(serve: Serve, upstream: Upstream) -> None:
    config = config_for(upstream.base_url, cache={"mode": "off"})
    config["routes"]["chat"]["cache"] = "on"
    served = serve(config)
    assert [served.chat().headers["x-dragoman-cache"] for _ in range(2)] == ["miss", "hit"]
    assert "x-dragoman-cache" not in served.chat(model="up0").headers


def test_a_key_may_be_denied_a_say(serve: Serve, upstream: Upstream) -> None:
    secret = create_secret()
    keys = [{"name": "k", "secret": secret, "allow_cache_knobs": False}]
    served = serve(config_for(upstream.base_url, cache={"mode": "on"}, keys=keys))
    served.chat({"authorization": f"Bearer {secret}"})
    again = served.chat({"authorization": f"Bearer {secret}", "x_dragoman_cache": "off"}, cache={"no-cache": True})
    assert again.headers["x-dragoman-cache"] == "hit"


def test_the_body_s_own_words_for_it_are_not_for_the_provider(served: Served, upstream: Upstream) -> None:
    served.chat(cache={"ttl": 5, "namespace": "n"})
    served.chat(**{"tensorzero::cache_options": {"enabled": "on"}})
    served.chat(cache={"something": "of the provider's"})
    told = [request.json for request in upstream.received(3)]
    assert [sorted(one) for one in told] == [["messages", "model"]] * 2 + [["cache", "messages", "model"]]


def test_refreshed_is_asked_anew_and_kept(served: Served, upstream: Upstream) -> None:
    upstream.reply(expect, answer(chat_answer("one")))
    upstream.reply(expect, answer(chat_answer("two")))
    served.chat()
    refreshed = served.chat({"cache_control": "no-cache"})
    assert (refreshed.headers["x-dragoman-cache"], b"two" in refreshed.body) == ("refresh", True)
    again = served.chat()
    assert (again.headers["x-dragoman-cache"], b"two" in again.body) == ("hit", True)
    assert served.chat({"x_portkey_cache_force_refresh": "true"}).headers["x-dragoman-cache"] == "refresh"


def test_what_is_not_to_be_kept_is_not(served: Served, upstream: Upstream) -> None:
    assert served.chat({"cache_control": "no-store"}).headers["x-dragoman-cache"] == "miss"
    assert served.chat().headers["x-dragoman-cache"] == "miss"
    assert served.chat({"cache_control": "no-store"}).headers["x-dragoman-cache"] == "hit"


def test_only_what_is_kept(served: Served, upstream: Upstream) -> None:
    refused = served.chat({"cache_control": "only-if-cached"})
    assert (refused.status, refused.code, asked(upstream)) == (504, "not_cached", 0)
    assert refused.headers["x-dragoman-cache"] == "miss"
    served.chat()
    assert served.chat({"cache_control": "only-if-cached"}).status == 200


def test_a_namespace_divides(served: Served, upstream: Upstream) -> None:
    told = [
        served.chat({"x_dragoman_cache_namespace": name}).headers["x-dragoman-cache"] for name in ("a", "b", "a", "")
    ]
    assert told == ["miss", "miss", "hit", "miss"]


def test_nothing_older_than_is_wanted(served: Served, upstream: Upstream) -> None:
    served.chat()
    assert served.chat({"cache_control": "max-age=0"}).headers["x-dragoman-cache"] == "miss"
    assert served.chat({"cache_control": "max-age=100"}).headers["x-dragoman-cache"] == "hit"


@pytest.mark.parametrize(
    "headers",
    [
        {"x_dragoman_cache": "perhaps"},
        {"x_dragoman_cache_ttl": "-1"},
        {"cf_aig_cache_ttl": "soon"},
        {"cache_control": "max-age=never"},
        {"helicone_cache_enabled": "2"},
        {"x_dragoman_cache_namespace": "n" * 300},
    ],
)
def test_what_cannot_be_read_names_its_header(served: Served, headers: dict[str, str]) -> None:
    refused = served.chat(headers)
    (name,) = headers
    assert (refused.status, refused.json["error"]["param"]) == (400, name.replace("_", "-"))


def test_a_namespace_in_the_body_has_its_limit_too(served: Served) -> None:
    refused = served.chat(cache={"namespace": "n" * 300})
    assert (refused.status, refused.json["error"]["param"]) == (400, "cache")
    assert served.chat(cache={"ttl": -1}).status == 400


def of(finish_reason: str) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hel"}, "finish_reason": finish_reason}
    return chat_answer(choices=[choice])


BAD = {
    "truncated": (expect, answer(of("length"))),
    "filtered": (expect, answer(of("content_filter"))),
    "refused": (expect, answer(b'{"error": {"message": "no"}}', 400)),
    "cut": (expect, send(stream_head()), send(chunk(role_event() + event("Hel"))), finish),
    "without its end": (
        expect,
        send(stream_head()),
        send(chunk(role_event() + event("Hel", finish_reason="stop")) + LAST_CHUNK),
    ),
    "reported": (
        expect,
        send(stream_head()),
        send(chunk(role_event() + event("Hel") + b'data: {"error": {"message": "broke"}}\n\n') + LAST_CHUNK),
    ),
}


@pytest.mark.parametrize("how", list(BAD))
def test_what_is_not_whole_is_not_kept(served: Served, upstream: Upstream, how: str) -> None:
    """X20."""
    upstream.reply(*BAD[how])
    streams = b"text/event-stream" in repr(BAD[how]).encode() or how in ("cut", "without its end", "reported")
    headers = {"x_dragoman_retries": "0"}
    served.chat(headers, stream=streams)
    served.chat(headers, stream=streams)
    assert asked(upstream) == 2


def test_several_answers_are_not_kept(served: Served, upstream: Upstream) -> None:
    told = [served.chat(n=2).headers["x-dragoman-cache"] for _ in range(2)]
    assert (told, asked(upstream)) == (["bypass", "bypass"], 2)
    assert served.chat(n=1).headers["x-dragoman-cache"] == "miss"


def guarded(upstream: Upstream, **guardrails: Any) -> dict[str, Any]:
    return config_for(upstream.base_url, cache={"mode": "on"}, guardrails=guardrails)


def test_what_a_guardrail_refuses_is_not_kept(serve: Serve, upstream: Upstream) -> None:
    """X20, X22."""
    served = serve(guarded(upstream, words={"words": {"deny": ["hello"]}, "on": ["output"]}))
    for _ in range(2):
        blocked = served.chat()
        assert (blocked.status, blocked.json["choices"][0]["finish_reason"]) == (200, "content_filter")
    assert asked(upstream) == 2


def test_what_passed_other_guardrails_is_not_given(serve: Serve, upstream: Upstream) -> None:
    """A hit has passed the guardrails that are in force."""
    config = guarded(upstream, words={"words": {"deny": ["bye"]}, "on": ["output"]})
    served = serve(config)
    assert [served.chat().headers["x-dragoman-cache"] for _ in range(2)] == ["miss", "hit"]
    config["guardrails"]["words"]["words"]["deny"] = ["hello"]
    served.gateway.replace(served.load(config))
    blocked = served.chat()
    assert (blocked.headers["x-dragoman-cache"], asked(upstream)) == ("miss", 2)
    assert blocked.json["choices"][0]["finish_reason"] == "content_filter"


def test_input_is_looked_at_before_anything_is_given(serve: Serve, upstream: Upstream) -> None:
    config = guarded(upstream, words={"words": {"deny": ["hello"]}, "on": ["input"], "mode": "shadow"})
    served = serve(config)
    assert [served.chat().headers["x-dragoman-cache"] for _ in range(2)] == ["miss", "hit"]
    config["guardrails"]["words"]["mode"] = "enforce"
    served.gateway.replace(served.load(config))
    assert served.chat().code == "guardrail_blocked"


def test_what_was_hidden_is_shown_again(serve: Serve, upstream: Upstream) -> None:
    served = serve(guarded(upstream, pii={"mask": {}}))
    messages = [{"role": "user", "content": "Write to ann@example.org."}]
    served.chat(messages=messages)
    hidden = upstream.received()[0].json["messages"][0]["content"]
    assert "ann@" not in hidden
    upstream.reply(expect, answer(chat_answer(hidden)))
    upstream.reply(expect, answer(chat_answer(hidden)))
    served.chat({"cache_control": "no-cache"}, messages=messages)
    hit = served.chat(messages=messages)
    assert hit.headers["x-dragoman-cache"] == "hit"
    assert hit.json["choices"][0]["message"]["content"] == "Write to ann@example.org."


def test_another_model_behind_the_alias_is_another(served: Served, upstream: Upstream) -> None:
    served.chat()
    config = config_for(upstream.base_url, cache={"mode": "on"})
    for deployment in config["deployments"].values():
        deployment["model"] = "gpt-4.1"
    served.gateway.replace(served.load(config))
    assert served.chat().headers["x-dragoman-cache"] == "miss"


def test_a_reload_that_changes_nothing_forgets_nothing(served: Served, upstream: Upstream) -> None:
    served.chat()
    served.gateway.replace(served.load(config_for(upstream.base_url, cache={"mode": "on"})))
    assert served.chat().headers["x-dragoman-cache"] == "hit"


def test_an_answer_that_is_too_large_is_not_kept(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url, cache={"mode": "on", "max_entry_bytes": 100}))
    upstream.reply(expect, answer())
    upstream.reply(expect, stream())
    for streams in (False, True):
        assert [served.chat(stream=streams).headers["x-dragoman-cache"] for _ in range(2)] == ["miss", "miss"]


def test_an_answer_that_has_grown_too_large_is_asked_for_again_at_once(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url, cache={"mode": "on", "max_entry_bytes": 100}))
    gate = threading.Event()
    begun = (send(stream_head() + chunk(role_event() + event("Hel" * 40))), until(gate))
    upstream.reply(expect, *begun, send(chunk(event(finish_reason="stop") + DONE) + LAST_CHUNK))
    upstream.reply(expect, stream())
    first = served.begin("POST", CHAT, chat_body(stream=True))
    wait_for(first, b"HelHel")
    second = served.chat(stream=True)
    assert (second.status, second.headers["x-dragoman-cache"], asked(upstream)) == (200, "miss", 2)
    gate.set()
    assert first.wait().body.endswith(DONE)


def test_vectors_are_kept_too(served: Served, upstream: Upstream) -> None:
    vectors = {
        "object": "list",
        "model": "m",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 1.0]}],
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    }
    upstream.reply(expect, answer(json.dumps(vectors).encode()))
    body = chat_body(input="some text")
    told = [served.ask("POST", "/v1/embeddings", body) for _ in range(2)]
    assert [one.headers["x-dragoman-cache"] for one in told] == ["miss", "hit"]
    assert told[1].json == vectors


def test_another_dialect_gets_its_own(served: Served, upstream: Upstream) -> None:
    body = {"model": "chat", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello there."}]}
    told = [served.ask("POST", "/v1/messages", json.dumps(body).encode()) for _ in range(2)]
    assert [one.headers["x-dragoman-cache"] for one in told] == ["miss", "hit"]
    assert told[1].body == told[0].body
    assert told[1].json["type"] == "message"


# Calls under way ------------------------------------------------------------------------------------------------------


def together(served: Served, gate: threading.Event, count: int, **fields: Any) -> list[Protocol]:
    """Requests that have all come before the provider answers."""
    begun = [served.begin("POST", CHAT, chat_body(**fields), x_dragoman_retries="0") for _ in range(count)]
    gate.set()
    return [one.wait() for one in begun]


@pytest.mark.parametrize("streams", [False, True])
def test_many_who_ask_the_same_share_one_call(served: Served, upstream: Upstream, streams: bool) -> None:
    """N10."""
    gate = threading.Event()
    upstream.reply(expect, until(gate), stream() if streams else answer())
    answers = together(served, gate, 500, stream=streams)
    assert asked(upstream) == 1
    assert {one.body for one in answers} == {answers[0].body}
    assert {one.status for one in answers} == {200}
    assert [one.headers["x-dragoman-cache"] for one in answers] == ["miss"] + ["shared"] * 499
    rows = [served.row(one) for one in answers]
    assert rows[0].cost_nanousd
    assert {(row.cost_nanousd, row.saved_nanousd, row.cache) for row in rows[1:]} == {
        (0, rows[0].cost_nanousd, "shared")
    }


def test_two_tenants_share_nothing(serve: Serve, upstream: Upstream) -> None:
    """N11."""
    gate = threading.Event()
    upstream.reply(expect, until(gate), answer())
    secrets = [create_secret(), create_secret()]
    keys = [{"name": f"k{place}", "secret": secret} for place, secret in enumerate(secrets)]
    served = serve(config_for(upstream.base_url, cache={"mode": "on"}, keys=keys))
    begun = [served.begin("POST", CHAT, chat_body(), authorization=f"Bearer {secret}") for secret in secrets * 3]
    assert len(upstream.received(2)) == 2
    gate.set()
    assert [one.wait().headers["x-dragoman-cache"] for one in begun] == ["miss"] * 2 + ["shared"] * 4
    assert asked(upstream) == 2


def test_who_comes_late_gets_the_beginning_at_once(served: Served, upstream: Upstream) -> None:
    begun, goes_on = threading.Event(), threading.Event()
    upstream.reply(
        expect,
        send(stream_head() + chunk(role_event() + event("Hel"))),
        lambda _: begun.set(),
        until(goes_on),
        send(chunk(event("lo", finish_reason="stop") + usage_event() + DONE) + LAST_CHUNK),
    )
    first = served.begin("POST", CHAT, chat_body(stream=True))
    assert begun.wait(20)
    wait_for(first, b"Hel")
    late = served.begin("POST", CHAT, chat_body(stream=True))
    wait_for(late, b"Hel")
    assert b"lo" not in late.body
    goes_on.set()
    assert late.wait().body == first.wait().body
    assert asked(upstream) == 1


def wait_for(request: Protocol, text: bytes) -> None:
    """Until a text has come."""
    for _ in range(2000):
        if text in request.body:
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"{text!r} did not come")


@pytest.mark.parametrize("streams", [False, True])
def test_it_goes_on_when_the_leader_is_gone(served: Served, upstream: Upstream, streams: bool) -> None:
    gate = threading.Event()
    upstream.reply(expect, until(gate), stream() if streams else answer())
    leader = served.begin("POST", CHAT, chat_body(stream=streams))
    follower = served.begin("POST", CHAT, chat_body(stream=streams))
    hang_up(served, leader)
    gate.set()
    assert follower.wait().headers["x-dragoman-cache"] == "shared"
    assert (follower.status, b"Hel" in follower.body, asked(upstream)) == (200, True, 1)
    leader.wait()


def hang_up(served: Served, protocol: Protocol) -> None:
    (request,) = [one for one in served.app.in_flight if one.proto is protocol]
    protocol.leave()
    request.gone = True
    request.give_up()


def test_it_ends_when_the_last_is_gone(served: Served, upstream: Upstream) -> None:
    gate = threading.Event()
    upstream.reply(expect, until(gate), stream())
    leader, *followers = [served.begin("POST", CHAT, chat_body(stream=True)) for _ in range(3)]
    hang_up(served, leader)
    hang_up(served, followers[0])
    followers[0].wait()
    assert not leader.ended.is_set(), "one still waits"
    hang_up(served, followers[1])
    followers[1].wait()
    leader.wait()
    gate.set()
    assert not served.gateway.answers.flights
    assert served.chat(stream=True).headers["x-dragoman-cache"] == "miss"


def test_of_a_failure_one_more_is_tried_and_no_more(served: Served, upstream: Upstream) -> None:
    """N10: a leader that fails has one successor; the same failure again is everybody's."""
    gate = threading.Event()
    upstream.reply(expect, until(gate), answer(b"{}", 500))
    upstream.reply(expect, answer(b"{}", 500))
    answers = together(served, gate, 20)
    assert {one.status for one in answers} == {502}
    assert asked(upstream) == 2
    rows = [served.row(one) for one in answers]
    assert {row.cost_nanousd or 0 for row in rows} == {0}


def test_a_successor_answers_all(served: Served, upstream: Upstream) -> None:
    gate = threading.Event()
    upstream.reply(expect, until(gate), answer(b"{}", 500))
    upstream.reply(expect, answer())
    answers = together(served, gate, 20)
    assert sorted(one.status for one in answers) == [200] * 19 + [502]
    assert asked(upstream) == 2


def test_the_client_s_fault_is_every_client_s(served: Served, upstream: Upstream) -> None:
    gate = threading.Event()
    upstream.reply(expect, until(gate), answer(b'{"error": {"message": "bad", "code": "bad_thing"}}', 400))
    answers = together(served, gate, 10)
    assert {(one.status, one.code) for one in answers} == {(400, "bad_thing")}
    assert len({one.headers["x-request-id"] for one in answers}) == 10
    assert asked(upstream) == 1


def test_a_stream_that_breaks_off_breaks_off_for_all(served: Served, upstream: Upstream) -> None:
    gate = threading.Event()
    upstream.reply(expect, send(stream_head() + chunk(role_event() + event("Hel"))), until(gate), finish)
    begun = [served.begin("POST", CHAT, chat_body(stream=True)) for _ in range(4)]
    for one in begun:
        wait_for(one, b"Hel")
    gate.set()
    answers = [one.wait() for one in begun]
    assert {one.body for one in answers} == {answers[0].body}
    assert b'"error"' in answers[1].body
    assert {served.row(one).error_code for one in answers} == {served.row(answers[0]).error_code}
    assert asked(upstream) == 1


def test_each_asks_for_itself_where_nothing_is_shared(serve: Serve, upstream: Upstream) -> None:
    gate = threading.Event()
    upstream.reply(expect, until(gate), answer())
    served = serve(config_for(upstream.base_url, cache={"mode": "on", "share_in_flight": False}))
    begun = [served.begin("POST", CHAT, chat_body()) for _ in range(3)]
    assert len(upstream.received(3)) == 3
    gate.set()
    assert {one.wait().headers["x-dragoman-cache"] for one in begun} == {"miss"}
