from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.access.cache_knobs import CacheWish
from dragoman.access.knobs import NONE, Knobs
from dragoman.access.principal import Principal
from dragoman.cache.identity import apart_from_body, apart_of, is_one_answer, sharer, whose_of
from dragoman.config.caching import Cache
from dragoman.core import RequestBody
from dragoman.dialects.dialect import Path
from dragoman.endpoints.surfaces import CHAT, MESSAGES
from dragoman.routing.arrival import reading_of
from dragoman.routing.call import Call
from dragoman.routing.plan import Plan

NAMES = st.text(alphabet="ab:\0/", max_size=3)


def call(raw: bytes = b'{"model": "m", "messages": []}', **changes: Any) -> Call:
    body = RequestBody(raw)
    surface = changes.get("surface", CHAT)
    at = changes.get("at", Path())
    usual: dict[str, Any] = {
        "endpoint": surface.endpoint,
        "path": "",
        "raw": raw,
        "body": body,
        "knobs": None,
        "deadline_s": 0.0,
        "session": "",
        "headers": [],
        "surface": surface,
        "at": at,
        "reading": reading_of(surface, body, raw, at, lambda request: request),
    }
    return Call(**(usual | {"knobs": NONE} | changes))


def plan(answers_as: bytes = b"p") -> Plan:
    return Plan(alias="m", tiers=(), retries=0, deadline_s=1.0, session_by="key", hedge=None, answers_as=answers_as)


def key(call: Call, plan: Plan, raw: bytes, whose: bytes, guarded_by: bytes) -> bytes:
    return apart_from_body(call, plan, whose, guarded_by).key(raw)


def test_whatever_changes_the_answer_changes_the_key() -> None:
    raw = b'{"model": "m", "messages": []}'
    told = [
        key(call(), plan(), raw, b"ann", b""),
        key(call(), plan(), raw + b" ", b"ann", b""),
        key(call(), plan(), raw, b"bob", b""),
        key(call(), plan(), raw, b"ann", b"guarded"),
        key(call(), plan(b"q"), raw, b"ann", b""),
        key(call(policy="strict"), plan(), raw, b"ann", b""),
        key(call(headers=[("openai-beta", "x")]), plan(), raw, b"ann", b""),
        key(call(surface=MESSAGES), plan(), raw, b"ann", b""),
        key(call(at=Path(stream=True)), plan(), raw, b"ann", b""),
        key(call(at=Path(model="n")), plan(), raw, b"ann", b""),
    ]
    assert len(set(told)) == len(told)


def test_who_asks_and_what_guards_the_answer_are_among_it() -> None:
    ann, raw, namespace = Principal(key_id="ann", name="ann"), b"{}", CacheWish(namespace="n")
    guarding: Any = SimpleNamespace(identity=b"guarded")
    for changes, whose, guarded_by in (
        ({}, b"key:ann\0", b""),
        ({"knobs": Knobs(cache_wish=namespace)}, b"key:ann\0n", b""),
        ({"guarding": guarding}, b"key:ann\0", b"guarded"),
    ):
        asked: Call = call(**changes)
        assert apart_of(asked, plan(), ann, Cache()).key(raw) == key(asked, plan(), raw, whose, guarded_by)


STREAMED = b'{"model":"m","messages":[{"role":"user","content":"h\xc3\xa9"}],"stream":true}'
# What is kept over a restart, or by all processes together, is found again by those that come after.
STANDING: list[tuple[dict[str, Any], tuple[bytes, ...], str]] = [
    (
        {},
        (b"p", b'{"model": "m", "messages": []}', b"key:ann\0", b""),
        "ccafe461efc160f6481a3e84e81b990cf54b21baa501049a234adc1a7db9c0d8",
    ),
    (
        {"headers": [("openai-beta", "x")]},
        (b"q", STREAMED, b"team:4:acmet\0ns", b"guarded"),
        "0001fef3cebdc68da9d5adf11c342c8147872a97a15b40fc44638df25942ae3f",
    ),
    (
        {"surface": MESSAGES, "at": Path(model="n", stream=True), "policy": "strict"},
        (b"", b'{"model": "m", "messages": []}', b"", b""),
        "fd0715012c678ef028c98664c91e346bce1c9a8f2807576262420ffd4aea84f4",
    ),
    (
        {"headers": [("traceparent", "00-1")], "trace": [("traceparent", "00-1")]},
        (b"p", b'{"model": "m", "messages": []} ', b"key:ann\0", b""),
        "fdbdccbd1d3d8c0018c62522f362af0704ae86ba9da07812f1f284300de19f29",
    ),
]


@pytest.mark.parametrize(("changes", "told", "digest"), STANDING)
def test_keys_stay_what_they_are(changes: dict[str, Any], told: tuple[bytes, ...], digest: str) -> None:
    answers_as, raw, whose, guarded_by = told
    assert key(call(raw, **changes), plan(answers_as), raw, whose, guarded_by).hex() == digest


def test_the_trace_does_not() -> None:
    raw = b'{"model": "m", "messages": []}'
    trace = [("traceparent", "00-1")]
    traced = call(headers=[("traceparent", "00-1")], trace=trace)
    assert key(traced, plan(), raw, b"", b"") == key(call(), plan(), raw, b"", b"")


@pytest.mark.parametrize(
    ("raw", "one"),
    [
        (b'{"model": "m", "messages": []}', True),
        (b'{"model": "m", "messages": [], "n": 1}', True),
        (b'{"model": "m", "messages": [], "n": null}', True),
        (b'{"model": "m", "messages": [], "n": 2}', False),
        (b'{"model": "m", "generationConfig": {"candidateCount": 2}}', False),
        (b'{"model": "m", "generation_config": {"candidate_count": 1}}', False),
    ],
)
def test_several_answers_are_not_one(raw: bytes, one: bool) -> None:
    assert is_one_answer(call(raw), raw) is one


def test_what_is_not_read_is_not_known() -> None:
    assert not is_one_answer(call(reading=None), b"")
    assert not is_one_answer(call(body=None), b"")
    assert not is_one_answer(call(surface=CHAT, reading=None), b"")


@given(st.lists(st.tuples(NAMES, NAMES, NAMES, st.sampled_from(["key", "team", "organisation"])), max_size=6))
def test_sharers_never_meet(asked: list[tuple[str, str, str, str]]) -> None:
    """Two share only where both are of the same key, or the same team of the same organisation, or the same one."""
    told = [
        (Principal(key_id=key, name="", organisation=organisation, team=team), scope)
        for key, organisation, team, scope in asked
    ]
    for (one, scope), (other, other_scope) in itertools.combinations(told, 2):
        if sharer(one, scope) == sharer(other, other_scope):
            assert (
                one.key_id == other.key_id
                or (one.organisation, one.team) == (other.organisation, other.team)
                or (one.organisation == other.organisation != "")
            )


def test_a_key_without_a_team_shares_with_nobody() -> None:
    ann, bob = (Principal(key_id=name, name=name) for name in ("ann", "bob"))
    for scope in ("key", "team", "organisation"):
        config = Cache(scope=scope)  # type: ignore[arg-type]
        assert whose_of(ann, config, "") != whose_of(bob, config, "")
    assert whose_of(ann, Cache(), "a") != whose_of(ann, Cache(), "b")
