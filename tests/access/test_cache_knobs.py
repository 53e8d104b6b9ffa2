from __future__ import annotations

import json

import pytest

from dragoman.access.cache_knobs import HEADERS, NO_WISH, CacheWish, flag, seconds, wish_in_body
from dragoman.access.knobs import read_knobs, with_cache_fields
from dragoman.access.principal import Principal
from dragoman.core import RequestBody
from dragoman.errors import InvalidRequest

FREE = Principal(key_id="k", name="n")

SPELLINGS = [
    ("x-dragoman-cache", "on", CacheWish(on=True)),
    ("x-dragoman-cache", "Off", CacheWish(on=False)),
    ("x-dragoman-cache", "refresh", CacheWish(on=True, refresh=True)),
    ("x-dragoman-cache", "no-store", CacheWish(no_store=True)),
    ("x-dragoman-cache", "exact", CacheWish(on=True, exact=True)),
    ("x-dragoman-cache", "only", CacheWish(on=True, only_cached=True)),
    ("x-dragoman-cache-ttl", "60", CacheWish(ttl_s=60)),
    ("x-dragoman-cache-namespace", "n", CacheWish(namespace="n")),
    ("x-portkey-cache", "simple", CacheWish(on=True, exact=True)),
    ("x-portkey-cache", "semantic", CacheWish(on=True)),
    ("x-portkey-cache-force-refresh", "true", CacheWish(refresh=True)),
    ("x-portkey-cache-force-refresh", "false", CacheWish()),
    ("x-portkey-cache-namespace", "n", CacheWish(namespace="n")),
    ("cf-aig-cache-ttl", "3600", CacheWish(ttl_s=3600)),
    ("cf-aig-cache-ttl", "0", CacheWish(on=False)),
    ("cf-aig-skip-cache", "true", CacheWish(on=False)),
    ("cf-aig-cache-key", "mine", CacheWish(namespace="mine")),
    ("cf-cache-ttl", "9", CacheWish(ttl_s=9)),
    ("cf-skip-cache", "1", CacheWish(on=False)),
    ("x-bf-cache-ttl", "5m", CacheWish(ttl_s=300)),
    ("x-bf-cache-type", "direct", CacheWish(on=True, exact=True)),
    ("x-bf-cache-no-store", "true", CacheWish(no_store=True)),
    ("x-bf-cache-key", "k", CacheWish(namespace="k")),
    ("helicone-cache-enabled", "true", CacheWish(on=True)),
    ("helicone-cache-enabled", "false", CacheWish(on=False)),
    ("helicone-cache-seed", "s", CacheWish(namespace="s")),
    ("cache-control", "no-cache", CacheWish(refresh=True)),
    ("cache-control", "no-store", CacheWish(no_store=True)),
    ("cache-control", "Max-Age=60, only-if-cached", CacheWish(max_age_s=60, only_cached=True)),
    ("cache-control", 's-maxage="5"', CacheWish(max_age_s=5)),
    ("cache-control", "no-transform, private", CacheWish()),
]


@pytest.mark.parametrize(("header", "value", "wish"), SPELLINGS)
def test_every_spelling(header: str, value: str, wish: CacheWish) -> None:
    assert read_knobs({header: value}, FREE).cache_wish == wish


def test_no_spelling_is_forgotten_here() -> None:
    assert {header for header, _, _ in SPELLINGS} == set(HEADERS)


def test_several_headers_add_up() -> None:
    knobs = read_knobs({"x-dragoman-cache": "on", "x-dragoman-cache-ttl": "5", "cache-control": "max-age=3"}, FREE)
    assert knobs.cache_wish == CacheWish(on=True, ttl_s=5, max_age_s=3)


BODIES = [
    ({"cache": {"ttl": 5}}, {"ttl_s": 5}, ("cache",)),
    ({"cache": {"no-cache": True, "no-store": True}}, {"on": None, "refresh": True, "no_store": True}, ("cache",)),
    ({"cache": {"s-maxage": 5, "namespace": "n"}}, {"max_age_s": 5, "namespace": "n"}, ("cache",)),
    ({"cache": {"use-cache": True}}, {"on": True}, ("cache",)),
    ({"cache": {"type": "ephemeral"}}, {}, ()),
    ({"cache": "on"}, {}, ()),
    ({"tensorzero::cache_options": {"enabled": "off"}}, {"on": False}, ("tensorzero::cache_options",)),
    (
        {"tensorzero::cache_options": {"enabled": "read_only", "max_age_s": 7}},
        {"on": True, "no_store": True, "max_age_s": 7},
        ("tensorzero::cache_options",),
    ),
    (
        {"tensorzero::cache_options": {"enabled": "write_only"}},
        {"on": True, "refresh": True},
        ("tensorzero::cache_options",),
    ),
    ({}, {}, ()),
]


@pytest.mark.parametrize(("fields", "told", "read"), BODIES)
def test_a_body_has_words_for_it_too(fields: object, told: dict[str, object], read: tuple[str, ...]) -> None:
    wish, told_by = wish_in_body(RequestBody(json.dumps(fields).encode()))
    assert told_by == read
    assert {name: value for name, value in wish.items() if value is not None} == {
        name: value for name, value in told.items() if value is not None
    }


def test_a_key_that_has_no_say_has_none_in_the_body_either() -> None:
    body = RequestBody(b'{"cache": {"ttl": 5}}')
    mute = Principal(key_id="k", name="n", allow_cache_knobs=False)
    knobs, fields = with_cache_fields(read_knobs({"x-dragoman-cache": "on"}, mute), body, mute)
    assert (knobs.cache_wish, fields) == (NO_WISH, ("cache",))
    knobs, fields = with_cache_fields(read_knobs({}, FREE), body, FREE)
    assert (knobs.cache_wish.ttl_s, fields) == (5, ("cache",))


def test_a_body_adds_to_what_headers_say() -> None:
    headers = {"x-dragoman-cache-ttl": "5", "x-dragoman-cache-namespace": "n"}
    knobs, _ = with_cache_fields(read_knobs(headers, FREE), RequestBody(b'{"cache": {"ttl": 7}}'), FREE)
    assert knobs.cache_wish == CacheWish(ttl_s=7, namespace="n")


@pytest.mark.parametrize("fields", [{"cache": {"ttl": -1}}, {"cache": {"s-maxage": 1e9}}, {"cache": {"ttl": 1e300}}])
def test_a_body_s_values_have_their_range(fields: object) -> None:
    with pytest.raises(InvalidRequest) as refused:
        wish_in_body(RequestBody(json.dumps(fields).encode()))
    assert refused.value.param == "cache"


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1), ("0.5", 0.5), ("30s", 30), ("5m", 300), ("2h", 7200), ("1d", 86_400), ("250ms", 0.25)]
)
def test_times_have_units(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "s", "1w", "-1", "nan", "inf", "1e99", "9999999999"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        seconds(text)


def test_flags() -> None:
    assert (flag("Yes"), flag("0")) == (True, False)
    with pytest.raises(ValueError, match="true or false"):
        flag("2")


@pytest.mark.parametrize(
    ("wish", "asks"),
    [
        (CacheWish(), False),
        (CacheWish(on=True), True),
        (CacheWish(on=False, ttl_s=5), False),
        (CacheWish(ttl_s=5), True),
        (CacheWish(max_age_s=5), True),
        (CacheWish(max_age_s=0), False),
        (CacheWish(only_cached=True), True),
        (CacheWish(refresh=True), False),
        (CacheWish(no_store=True), False),
        (CacheWish(namespace="n"), False),
    ],
)
def test_what_asks_for_the_cache(wish: CacheWish, asks: bool) -> None:
    assert wish.is_for_it is asks
