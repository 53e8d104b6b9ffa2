from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from dragoman.access.cache_knobs import HEADERS
from dragoman.access.knobs import MAX_FALLBACKS, MAX_RETRIES, MAX_TAGS, TABLE, Knobs, read_knobs
from dragoman.access.principal import ANONYMOUS, Principal
from dragoman.errors import Forbidden, InvalidRequest

FREE = Principal(key_id="k", name="n", allow_no_log=True)

# Each header once (those of the cache have a test of their own): what it is sent with, the knob it turns, and to
# what.
SENT: dict[str, tuple[str, str, Any]] = {
    "x-dragoman-timeout": ("1.5", "deadline_s", 1.5),
    "x-dragoman-deadline-ms": ("1500", "deadline_s", 1.5),
    "x-dragoman-first-byte-timeout": ("2", "first_byte_s", 2.0),
    "x-dragoman-retries": ("3", "retries", 3),
    "x-dragoman-fallbacks": ("a, b,a", "fallbacks", ("a", "b")),
    "x-dragoman-tags": ("x,y", "tags", ("x", "y")),
    "x-dragoman-metadata": ('{"a": 1}', "metadata", {"a": 1}),
    "x-dragoman-end-user": ("u", "end_user", "u"),
    "x-dragoman-session": ("s", "session", "s"),
    "x-dragoman-trace-id": ("t", "trace_id", "t"),
    "x-dragoman-deployment": ("d", "deployment", "d"),
    "x-dragoman-no-log": ("true", "no_log", True),
    "x-dragoman-include-cost": ("1", "include_cost", True),
    "x-dragoman-lossy": ("allow", "lossy", "allow"),
    "x-dragoman-strict": ("true", "lossy", "strict"),
    "x-litellm-timeout": ("1.5", "deadline_s", 1.5),
    "x-litellm-stream-timeout": ("2", "first_byte_s", 2.0),
    "x-litellm-num-retries": ("3", "retries", 3),
    "x-litellm-tags": ("x,y", "tags", ("x", "y")),
    "x-litellm-spend-logs-metadata": ('{"a": 1}', "metadata", {"a": 1}),
    "x-litellm-end-user-id": ("u", "end_user", "u"),
    "x-litellm-customer-id": ("u", "end_user", "u"),
    "x-litellm-session-id": ("s", "session", "s"),
    "x-litellm-trace-id": ("t", "trace_id", "t"),
    "x-litellm-enable-message-redaction": ("yes", "no_log", True),
    "x-portkey-request-timeout": ("1500", "deadline_s", 1.5),
    "x-portkey-retry-count": ("3", "retries", 3),
    "x-portkey-metadata": ('{"a": 1}', "metadata", {"a": 1}),
    "x-portkey-trace-id": ("t", "trace_id", "t"),
    "x-portkey-debug": ("false", "no_log", True),
    "cf-aig-request-timeout": ("2000", "first_byte_s", 2.0),
    "cf-aig-max-attempts": ("4", "retries", 3),
    "cf-aig-metadata": ('{"a": 1}', "metadata", {"a": 1}),
    "cf-aig-event-id": ("t", "trace_id", "t"),
    "cf-aig-collect-log": ("off", "no_log", True),
    "helicone-retry-num": ("3", "retries", 3),
    "helicone-user-id": ("u", "end_user", "u"),
    "helicone-session-id": ("s", "session", "s"),
    "helicone-request-id": ("t", "trace_id", "t"),
    "helicone-omit-request": ("true", "no_log", True),
    "helicone-omit-response": ("ON", "no_log", True),
    "helicone-retry-enabled": ("false", "retries", 0),
}


def test_every_header_is_tried() -> None:
    assert SENT.keys() == TABLE.keys() - HEADERS.keys()


@pytest.mark.parametrize("name", SENT)
def test_each_header_turns_its_knob_and_no_other(name: str) -> None:
    value, knob, setting = SENT[name]
    knobs = read_knobs({"accept": "*/*", name: value}, FREE)
    assert getattr(knobs, knob) == setting
    assert msgspec.structs.replace(knobs, **{knob: getattr(Knobs(), knob)}) == Knobs()


def test_every_name_is_in_lower_case_and_every_knob_exists() -> None:
    for name, (knob, _) in TABLE.items():
        assert name == name.lower()
        assert knob in {"", *Knobs.__struct_fields__}


def test_no_header_asks_for_nothing() -> None:
    assert read_knobs({"accept": "*/*", "x-dragoman-unheard-of": "1"}, ANONYMOUS) == Knobs()


REFUSED = [
    ("x-dragoman-timeout", ["0", "-1", "86400", "nan", "inf", "1s", "", "1_0e"]),
    ("x-dragoman-deadline-ms", ["0", "86400000", "x"]),
    ("x-dragoman-retries", ["-1", str(MAX_RETRIES + 1), "1.5", "many"]),
    ("cf-aig-max-attempts", ["0", str(MAX_RETRIES + 2), "x"]),
    ("x-dragoman-no-log", ["maybe", ""]),
    ("cf-aig-collect-log", ["2"]),
    ("x-dragoman-end-user", ["u" * 257]),
    ("x-dragoman-tags", [",".join(map(str, range(MAX_TAGS + 1))), "t" * 129]),
    ("x-dragoman-fallbacks", [",".join(map(str, range(MAX_FALLBACKS + 1)))]),
    ("x-dragoman-metadata", ["[]", "{", '"a"', '{"a":' + "[" * 15_000, json.dumps({"a": "x" * 20_000})]),
    ("helicone-property-x", ["p" * 257]),
    ("helicone-retry-enabled", ["perhaps"]),
]


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in REFUSED for value in values])
def test_what_cannot_be_read_names_its_header(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read_knobs({name: value}, FREE)
    assert (raised.value.param, raised.value.error_code) == (name, "invalid_header")
    assert len(raised.value.message) < 300


ACCEPTED = [
    ("x-dragoman-timeout", "86399"),
    ("x-dragoman-retries", str(MAX_RETRIES)),
    ("cf-aig-max-attempts", str(MAX_RETRIES + 1)),
    ("x-dragoman-end-user", "u" * 256),
    ("x-dragoman-tags", ",".join(map(str, range(MAX_TAGS)))),
    ("x-dragoman-tags", "t" * 128),
    ("x-dragoman-fallbacks", ",".join(map(str, range(MAX_FALLBACKS)))),
    ("x-dragoman-metadata", json.dumps({"a": "x" * 16_000})),
]


@pytest.mark.parametrize(("name", "value"), ACCEPTED)
def test_the_limits_themselves_are_within(name: str, value: str) -> None:
    read_knobs({name: value}, FREE)


def test_properties_and_metadata_are_put_together() -> None:
    headers = {"helicone-property-app": "x", "x-portkey-metadata": '{"_user": "ann", "b": 2}', "cf-aig-metadata": "{}"}
    knobs = read_knobs(headers, FREE)
    assert knobs.metadata == {"app": "x", "_user": "ann", "b": 2}
    assert knobs.end_user == "ann"


@pytest.mark.parametrize("said", ["false", "0", "off", "False"])
def test_retries_may_be_switched_off(said: str) -> None:
    assert read_knobs({"helicone-retry-num": "3", "helicone-retry-enabled": said}, FREE).retries == 0
    assert read_knobs({"helicone-retry-num": "3", "helicone-retry-enabled": "true"}, FREE).retries == 3


def test_a_user_named_outright_comes_first() -> None:
    headers = {"x-portkey-metadata": '{"_user": "ann"}', "helicone-user-id": "bob"}
    assert read_knobs(headers, FREE).end_user == "bob"


def test_the_key_caps_deadline_and_retries() -> None:
    capped = Principal(key_id="k", name="n", max_deadline_s=5, max_retries=1)
    assert read_knobs({}, capped).deadline_s == 5
    assert read_knobs({}, capped).retries == 1
    asked = read_knobs({"x-dragoman-timeout": "9", "x-dragoman-retries": "3"}, capped)
    assert (asked.deadline_s, asked.retries) == (5, 1)
    less = read_knobs({"x-dragoman-timeout": "2", "x-dragoman-retries": "0"}, capped)
    assert (less.deadline_s, less.retries) == (2, 0)


def test_one_request_does_not_cap_the_next() -> None:
    read_knobs({}, Principal(key_id="k", name="n", max_retries=0))
    assert read_knobs({}, ANONYMOUS) == Knobs()


def test_fallbacks_are_refused_where_the_key_forbids_them() -> None:
    bound = Principal(key_id="k", name="n", allow_fallbacks=False)
    with pytest.raises(Forbidden):
        read_knobs({"x-dragoman-fallbacks": "a"}, bound)
    assert read_knobs({"x-dragoman-tags": "a"}, bound).fallbacks == ()


def test_the_log_is_left_out_only_where_the_key_allows_it() -> None:
    assert read_knobs({"x-dragoman-no-log": "true"}, FREE).no_log
    assert not read_knobs({"x-dragoman-no-log": "true"}, ANONYMOUS).no_log
