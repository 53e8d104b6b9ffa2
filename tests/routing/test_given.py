from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from tests.cache.test_semantic import LAMP, SAME, ask
from tests.cache.test_semantic import config as semantic_config
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream, answer, chat_answer, expect, stream, until
from tests.routing.test_audited import on_record
from tests.served import Protocol, Serve, Served, chat_body

from dragoman.access.secret import create_secret
from dragoman.audit.record import AuditRecord
from dragoman.cache import kept as notes
from dragoman.config.schema import Key
from dragoman.usage.row import UsageRow

pytestmark = pytest.mark.fronted

CHAT = "/v1/chat/completions"
PRICE = {"input_usd_mtok": 1.0, "output_usd_mtok": 10.0}
# What is another's each time: ids, and times.
OWN = ("x-request-id", "x-dragoman-overhead-ms", "age")
OWN_COLUMNS = ("request_id", "started_at_ms", "total_ms", "overhead_ms")
# Ways to ask the cache, where it is left to the client.
WISHES: list[dict[str, str]] = [
    {"x-dragoman-cache": "on"},
    {"x-dragoman-cache": "exact"},
    {"x-dragoman-cache": "on", "x-dragoman-cache-ttl": "5m", "x-dragoman-cache-namespace": "ann"},
    {"x-dragoman-cache": "on", "cache-control": "no-store, max-age=600"},
    {"cache-control": "max-age=600"},
    {"x-portkey-cache": "simple", "x-portkey-cache-namespace": "ann"},
    {"x-portkey-cache": "semantic", "x-portkey-cache-force-refresh": "false"},
    {"cf-aig-cache-ttl": "300", "cf-aig-cache-key": "ann"},
    {"cf-cache-ttl": "300", "cf-skip-cache": "false"},
    {"x-bf-cache-ttl": "300s", "x-bf-cache-type": "direct", "x-bf-cache-key": "ann"},
    {"helicone-cache-enabled": "true", "helicone-cache-seed": "ann"},
]


def begin(serve: Serve, upstream: Upstream, **fields: Any) -> Served:
    config = config_for(upstream.base_url, **({"cache": {"mode": "on"}} | fields))
    config["deployments"]["up0"] |= {"price": PRICE}
    return serve(config)


def given(served: Served) -> int:
    """How many requests have gone the express way; all of them are hits, where all ask the cache."""
    served.gateway.express.settle()
    return served.gateway.express.served


def cached(*answers: Protocol) -> list[str]:
    return [one.headers.get("x-dragoman-cache", "") for one in answers]


def columns(row: UsageRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__struct_fields__ if name not in OWN_COLUMNS}


def told(served: Served, response: Protocol) -> tuple[Any, ...]:
    """All that a client and an operator see of an answer."""
    given(served)
    headers = [(name, value if name not in OWN else "") for name, value in response.headers.items()]
    return response.status, response.body, headers, columns(served.row(response))


def both_ways(served: Served, headers: dict[str, str], **fields: Any) -> list[Protocol]:
    """Hits: on the express way, by the pipeline, and again on the express way."""
    before = given(served)
    first = served.chat(headers, **fields)
    assert given(served) == before + 1
    served.gateway.express.forget()
    second = served.chat(headers, **fields)
    assert given(served) == before + 1
    third = served.chat(headers, **fields)
    assert given(served) == before + 2
    assert cached(first, second, third) == ["hit"] * 3
    return [first, second, third]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("mode", ["ask", "on"])
@pytest.mark.parametrize("wish", WISHES, ids=lambda wish: " ".join(wish))
def test_what_is_kept_is_given_as_by_the_pipeline(
    serve: Serve, upstream: Upstream, wish: dict[str, str], mode: str, streamed: bool
) -> None:
    served = begin(serve, upstream, cache={"mode": mode})
    upstream.reply(expect, stream() if streamed else answer())
    storing = {name: value for name, value in wish.items() if value != "no-store, max-age=600"}
    first = served.chat(storing, stream=streamed, user="ann" * 200)
    if storing != wish:
        served.chat(wish, stream=streamed, user="ann" * 200)
    found = both_ways(served, wish, stream=streamed, user="ann" * 200)
    seen = [told(served, one) for one in found]
    assert seen[0] == seen[1] == seen[2]
    assert (found[0].body, len(upstream.requests)) == (first.body, 1)
    assert found[0].headers["x-dragoman-cache-id"] == first.headers["x-request-id"]
    row = served.row(found[0])
    assert (row.cache, row.usage_source, row.attempts, row.cost_nanousd) == ("hit", "cache", 0, 0)
    assert row.saved_nanousd == served.row(first).cost_nanousd
    assert (row.input_tokens, row.output_tokens, row.stream) == (9, 3, streamed)


def test_all_who_ask_need_say_nothing(serve: Serve, upstream: Upstream) -> None:
    served = begin(serve, upstream)
    first = served.chat()
    seen = [told(served, one) for one in both_ways(served, {})]
    assert seen[0] == seen[1] == seen[2]
    assert (seen[0][1], len(upstream.requests)) == (first.body, 1)


def test_it_is_on_record_and_in_the_figures_alike(serve: Serve, upstream: Upstream) -> None:
    served = begin(serve, upstream)
    served.chat(user="ann")
    hits = both_ways(served, {}, user="ann")
    records = [of_all(served, one) for one in hits]
    assert records[0] == records[1] == records[2]
    assert (records[0]["cache"], records[0]["attempts"], records[0]["cost_nanousd"]) == ("hit", 0, 0)
    assert records[0]["prompt"]
    saved = 3 * served.row(hits[0]).saved_nanousd / 1e9
    figures = served.get("/metrics").body.decode()
    assert 'dragoman_cache_requests_total{result="hit"} 3' in figures
    assert f"dragoman_cache_saved_usd_total {saved:.12g}" in figures


def of_all(served: Served, request: Protocol) -> dict[str, Any]:
    """A request's record, but for what is another's each time."""
    (record,) = on_record(served, request)
    assert isinstance(record, AuditRecord)
    return {name: getattr(record, name) for name in record.__struct_fields__ if name not in ("id", "at_ms", "address")}


def test_any_deployment_s_answers_are_given(serve: Serve, upstream: Upstream) -> None:
    """Whatever its dialect, and however its route would be tried: nothing is sent."""
    body = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "Hello."}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 9, "output_tokens": 3},
    }
    route = {"strategy": "session", "hedge": {"percentile": 0.9}}
    served = begin(serve, upstream, provider={"kind": "anthropic"}, route=route)
    upstream.reply(expect, answer(json.dumps(body).encode()))
    first = served.chat()
    assert cached(first) == ["miss"]
    seen = [told(served, one) for one in both_ways(served, {})]
    assert seen[0] == seen[1] == seen[2]
    assert (seen[0][1], len(upstream.requests)) == (first.body, 1)


@pytest.mark.parametrize("size", [100, 20_000])
def test_short_and_long_questions(serve: Serve, upstream: Upstream, size: int) -> None:
    served = begin(serve, upstream)
    asked = {"messages": [{"role": "user", "content": "a" * size}]}
    served.chat(**asked)
    assert cached(*both_ways(served, {}, **asked)) == ["hit"] * 3
    other = {"messages": [{"role": "user", "content": "a" * (size - 1) + "b"}]}
    assert (cached(served.chat(**other)), given(served), len(upstream.requests)) == (["miss"], 2, 2)


def test_what_is_not_kept_is_asked_for_by_the_pipeline(serve: Serve, upstream: Upstream) -> None:
    served = begin(serve, upstream)
    served.chat()
    first = served.chat(seed=1)
    served.gateway.express.forget()
    second = served.chat(seed=2)
    assert (list(first.headers), first.body) == (list(second.headers), second.body)
    assert (cached(first, second), given(served), len(upstream.requests)) == (["miss"] * 2, 0, 3)


def test_namespaces_do_not_meet(serve: Serve, upstream: Upstream) -> None:
    served = begin(serve, upstream)
    spaces = [{"x-dragoman-cache-namespace": name} for name in ("ann", "bob")]
    upstream.reply(expect, answer(chat_answer("To Ann.")))
    upstream.reply(expect, answer(chat_answer("To Bob.")))
    ann, bob = (served.chat(space) for space in spaces)
    assert cached(ann, bob) == ["miss", "miss"]
    again = [served.chat(space) for space in spaces]
    assert [one.body for one in again] == [ann.body, bob.body]
    assert (cached(*again), given(served)) == (["hit", "hit"], 2)
    assert (cached(served.chat()), len(upstream.requests)) == (["miss"], 3)


def test_keys_do_not_meet(serve: Serve, upstream: Upstream) -> None:
    secrets = [create_secret(), create_secret()]
    keys = [{"name": f"k{place}", "secret": secret} for place, secret in enumerate(secrets)]
    served = begin(serve, upstream, keys=keys)
    bearers = [{"authorization": f"Bearer {secret}"} for secret in secrets]
    assert cached(*(served.chat(one) for one in bearers)) == ["miss", "miss"]
    assert (cached(*(served.chat(one) for one in bearers)), given(served)) == (["hit", "hit"], 2)
    assert served.chat({"authorization": f"Bearer {create_secret()}"}).status == 401


def test_wishes_that_a_key_may_not_have_are_none(serve: Serve, upstream: Upstream) -> None:
    secret = create_secret()
    served = begin(serve, upstream, keys=[{"name": "k", "secret": secret, "allow_cache_knobs": False}])
    told = {"authorization": f"Bearer {secret}", "x-dragoman-cache": "refresh"}
    assert (cached(served.chat(told), served.chat(told)), given(served)) == (["miss", "hit"], 1)


@pytest.mark.parametrize("wish", [{"x-dragoman-cache": "refresh"}, {"cache-control": "no-cache"}])
def test_what_is_wanted_fresh_is_asked_for(serve: Serve, upstream: Upstream, wish: dict[str, str]) -> None:
    served = begin(serve, upstream)
    answers = [served.chat(wish) for _ in range(3)]
    assert (cached(*answers), given(served), len(upstream.requests)) == (["refresh"] * 3, 0, 3)


def test_what_the_cache_is_not_for_is_sent(serve: Serve, upstream: Upstream) -> None:
    served = begin(serve, upstream)
    off = {"x-dragoman-cache": "off"}
    answers = [served.chat(off) for _ in range(3)]
    assert (cached(*answers), given(served), len(upstream.requests)) == ([""] * 3, 2, 3)
    assert (cached(served.chat()), len(upstream.requests)) == (["miss"], 4)
    assert (cached(served.chat(off), served.chat()), given(served)) == (["", "hit"], 4)


def test_aliases_may_differ_in_it(serve: Serve, upstream: Upstream) -> None:
    config = config_for(upstream.base_url, cache={"mode": "on"})
    config["routes"]["plain"] = config["routes"]["chat"] | {"cache": "off"}
    served = serve(config)
    answers = [served.chat(model=model) for model in ("chat", "plain") * 3]
    assert cached(*answers) == ["miss", "", "hit", "", "hit", ""]
    assert (given(served), len(upstream.requests)) == (4, 4)


def test_nothing_but_what_is_kept(serve: Serve, upstream: Upstream) -> None:
    served = begin(serve, upstream)
    only = {"cache-control": "only-if-cached"}
    served.chat()
    assert cached(served.chat(only), served.chat(only)) == ["hit", "hit"]
    refused = served.chat(only, seed=1)
    assert (refused.status, refused.code) == (504, "not_cached")
    assert (given(served), len(upstream.requests)) == (1, 1)


BYPASSED: list[dict[str, Any]] = [
    {"n": 2},
    {"cache": {"no-cache": True}},
    {"cache": {"use-cache": False}},
    {"tensorzero::cache_options": {"enabled": "off"}},
    {"metadata": {"candidateCount": 1}},
]


@pytest.mark.parametrize("fields", BYPASSED)
def test_bodies_that_speak_of_it_are_read(serve: Serve, upstream: Upstream, fields: dict[str, Any]) -> None:
    served = begin(serve, upstream)
    served.chat()
    answers = [served.chat(**fields) for _ in range(2)]
    assert "hit" not in cached(*answers)
    assert (given(served), len(upstream.requests)) == (0, 3)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-dragoman-include-cost": "true"},
        {"x-dragoman-tags": "t"},
        {"x-dragoman-cache-namespace": "n" * 300, "x-dragoman-cache": "off"},
    ],
)
def test_heads_that_say_more_are_read(serve: Serve, upstream: Upstream, headers: dict[str, str]) -> None:
    served = begin(serve, upstream)
    answers = [served.chat(headers) for _ in range(3)]
    assert given(served) == 0
    assert [one.status for one in answers] == ([200] * 3 if "n" * 300 not in headers.values() else [400] * 3)


def test_a_long_wish_is_read_by_the_pipeline(serve: Serve, upstream: Upstream) -> None:
    served = begin(serve, upstream)
    wish = {"x-dragoman-cache-namespace": "n" * 256, "cf-aig-cache-key": "n" * 256, "x-bf-cache-key": "m"}
    assert (cached(*(served.chat(wish) for _ in range(3))), given(served)) == (["miss", "hit", "hit"], 0)
    shorter = {"x-dragoman-cache-namespace": "n" * 256, "x-bf-cache-key": "m"}
    assert (cached(*(served.chat(shorter) for _ in range(2))), given(served)) == (["hit", "hit"], 1)


def test_what_guards_and_limits_looks_each_time(serve: Serve, upstream: Upstream) -> None:
    limits = {"pace": {"requests": 2, "per": "day"}}
    served = begin(serve, upstream, limits=limits)
    answers = [served.chat() for _ in range(3)]
    assert ([one.status for one in answers], given(served)) == ([200, 200, 429], 0)


@pytest.mark.parametrize(
    "fields", [{"guardrails": {"no-moon": {"words": {"deny": ["moon"]}}}}, {"audit": {"mode": "strict"}}]
)
def test_what_looks_into_requests_looks_each_time(serve: Serve, upstream: Upstream, fields: dict[str, Any]) -> None:
    served = begin(serve, upstream, **fields)
    answers = [served.chat() for _ in range(3)]
    assert (cached(*answers), given(served)) == (["miss", "hit", "hit"], 0)


def put_back(served: Served, *, age_ms: int, left_ms: int) -> None:
    """Have what is kept be so old, and over in so long."""
    cache, now_ms = served.gateway.answers, time.time_ns() // 1_000_000
    for key, (body, note), labels, _, _ in cache.entries():
        headers, ttl_ms = notes.decode(note).headers, age_ms + left_ms
        cache.exact.put(key, (body, note), labels, headers=headers, now_ms=now_ms - age_ms, ttl_ms=ttl_ms)


def test_how_old_it_is(serve: Serve, upstream: Upstream) -> None:
    served = begin(serve, upstream)
    wishes = [{"cache-control": f"max-age={age_s}"} for age_s in (1000, 5000)]
    for wish in ({}, *wishes):
        served.chat(wish)
    put_back(served, age_ms=2_000_500, left_ms=1_000_000)
    kept, young, old = served.chat(), *(served.chat(wish) for wish in wishes)
    assert (cached(kept, young, old), given(served)) == (["hit", "miss", "hit"], 2)
    assert 2000 <= int(kept.headers["age"]) < 3000


def test_what_is_over_is_asked_for_anew(serve: Serve, upstream: Upstream) -> None:
    served = begin(serve, upstream)
    served.chat()
    assert (cached(served.chat()), given(served)) == (["hit"], 1)
    put_back(served, age_ms=1000, left_ms=-1)
    assert (cached(served.chat()), given(served), len(upstream.requests)) == (["miss"], 1, 2)


@pytest.mark.parametrize("labels", [[], ["model:chat"]])
def test_what_is_purged_is_not_given(serve: Serve, upstream: Upstream, labels: list[str]) -> None:
    served = begin(serve, upstream)
    upstream.reply(expect, answer(chat_answer("Old.")))
    upstream.reply(expect, answer(chat_answer("New.")))
    served.chat()
    assert (b"Old." in served.chat().body, given(served)) == (True, 1)
    served.gateway.answers.purge(labels)
    answers = [served.chat(), served.chat()]
    assert (cached(*answers), given(served)) == (["miss", "hit"], 2)
    assert all(b"New." in one.body for one in answers)


def test_nobody_who_was_erased_is_remembered(serve: Serve, upstream: Upstream) -> None:
    served = begin(serve, upstream)
    served.chat(user="ann")
    assert (cached(served.chat(user="ann")), given(served)) == (["hit"], 1)
    served.gateway.housekeeping.on_erased()
    assert (cached(served.chat(user="ann")), given(served)) == (["miss"], 1)


@pytest.mark.parametrize(
    ("cache", "expected"),
    [
        ({"mode": "on", "max_bytes": 10_000_000}, ["miss", "hit"]),
        ({"mode": "off"}, ["", ""]),
        ({"mode": "ask"}, ["", ""]),
        ({"mode": "on", "scope": "organisation"}, ["hit", "hit"]),
    ],
)
def test_another_configuration(serve: Serve, upstream: Upstream, cache: dict[str, Any], expected: list[str]) -> None:
    served = begin(serve, upstream)
    served.chat()
    assert (cached(served.chat()), given(served)) == (["hit"], 1)
    served.gateway.replace(served.load(config_for(upstream.base_url, cache=cache)))
    answers = [served.chat(), served.chat()]
    assert cached(*answers) == expected
    assert [one.headers["x-dragoman-snapshot"] for one in answers] == ["2", "2"]


@pytest.mark.parametrize("streamed", [False, True])
def test_many_who_ask_the_same_share_one_call(serve: Serve, upstream: Upstream, streamed: bool) -> None:
    served = begin(serve, upstream)
    served.chat()
    gate = threading.Event()
    upstream.reply(expect, until(gate), stream() if streamed else answer())
    begun = [served.begin("POST", CHAT, chat_body(stream=streamed, seed=1)) for _ in range(64)]
    while sum(flight.recording.followers for flight in list(served.gateway.answers.flights.values())) < 63:
        time.sleep(0.005)
    gate.set()
    answers = [one.wait() for one in begun]
    assert (cached(*answers), len(upstream.requests)) == (["miss"] + ["shared"] * 63, 2)
    assert {one.body for one in answers} == {answers[0].body}
    # So many were handed over that the next are tried now and then only.
    assert cached(*[served.chat(stream=streamed, seed=1) for _ in range(64)]) == ["hit"] * 64
    assert given(served) > 0


def test_questions_in_other_words(serve: Serve, upstream: Upstream) -> None:
    """The same words first; other words are the pipeline's to compare."""
    served = serve(semantic_config(upstream))
    answers = [ask(served, text) for text in (LAMP, LAMP, SAME, LAMP, SAME)]
    assert [one.split(";")[0] for one in cached(*answers)] == ["miss", "hit", "semantic", "hit", "semantic"]
    assert (given(served), len(upstream.requests)) == (2, 1)


def test_a_revoked_key_gets_nothing(serve: Serve, upstream: Upstream) -> None:
    secret = create_secret()
    served = begin(serve, upstream, keys=[{"name": "k", "secret": secret}])
    bearer = {"authorization": f"Bearer {secret}"}
    served.chat(bearer)
    assert (cached(served.chat(bearer)), given(served)) == (["hit"], 1)
    served.gateway.keys.declare([Key(name="other", secret=create_secret())])
    assert (served.chat(bearer).status, given(served)) == (401, 1)
