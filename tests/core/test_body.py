"""Request bodies: held to Python's own JSON reader, made strict."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core import BodyError, RequestBody

# What the gateway reads itself must have the right type; the rest of a document is free.
names = st.sampled_from(["a", "b", "messages", "é", "", "A", "seed", "\u2028"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)
known = st.fixed_dictionaries(
    {},
    optional={
        "model": st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])),
        "stream": st.booleans(),
        "stream_options": st.none() | st.fixed_dictionaries({}, optional={"include_usage": st.booleans(), "o": values}),
        "max_tokens": st.integers(0, 2**64 - 1),
        "n": st.none() | st.integers(1, 128),
    },
)
documents = st.builds(lambda own, rest: rest | own, known, st.dictionaries(names, values, max_size=5))
indents = st.sampled_from([None, 0, 2, "\t"])


class Refused(Exception):
    """The document is not strict JSON."""


def refuse(_: object) -> Any:
    raise Refused


def finite(written: str) -> float:
    number = float(written)
    return number if math.isfinite(number) else refuse(number)


def whole(written: str) -> int:
    finite(written)
    return int(written)


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    return members if len(members) == len(pairs) and not any("\0" in name for name in members) else refuse(pairs)


def oracle(body: bytes) -> Any:
    """The document, or Refused."""
    try:
        text = body.decode("utf-8")
        document = json.loads(
            text, object_pairs_hook=unique, parse_constant=refuse, parse_float=finite, parse_int=whole
        )
        json.dumps(document, ensure_ascii=False).encode("utf-8")  # fails on half a surrogate pair
    except ValueError as error:
        raise Refused from error
    return document if isinstance(document, dict) else refuse(document)


def refusal(body: bytes, **limits: int) -> tuple[str, str]:
    with pytest.raises(BodyError) as raised:
        RequestBody(body, **limits)
    return raised.value.code, raised.value.path


@given(documents, indents, st.booleans())
def test_a_sound_document_is_read(document: dict[str, Any], indent: int | str | None, ascii_only: bool) -> None:
    body = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    try:
        expected = oracle(body)
    except Refused:
        assert refusal(body)
        return
    request = RequestBody(body)
    assert request.model == expected.get("model")
    assert request.stream is expected.get("stream", False)
    assert request.max_tokens == expected.get("max_tokens")
    assert request.n == expected.get("n")
    for name, value in expected.items():
        raw = request.field(name)
        assert raw is not None
        assert json.loads(raw) == value
    assert request.rewrite(model=None, ask_usage=False) == body


@given(documents, st.data())
def test_a_broken_document_is_refused(document: dict[str, Any], data: st.DataObject) -> None:
    body = bytearray(json.dumps(document).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place] = data.draw(st.sampled_from(b'{}[]",:\\ 0e-\n\xff\x00') | st.integers(0, 255))
    try:
        oracle(bytes(body))
    except Refused:
        assert refusal(bytes(body))[0] != "invalid_value"
        return
    try:
        RequestBody(bytes(body))
    except BodyError as error:
        assert error.code == "invalid_value", "what is sound is refused only for what it says"


@given(documents, st.none() | st.text(st.characters(blacklist_categories=["Cs"])), st.booleans(), st.sets(names))
def test_an_edited_body_means_what_was_asked(
    document: dict[str, Any], model: str | None, ask_usage: bool, remove: set[str]
) -> None:
    body = json.dumps(document).encode()
    try:
        expected = oracle(body)
    except Refused:
        return
    edited = RequestBody(body).rewrite(model=model, ask_usage=ask_usage, remove=tuple(remove))
    kept = {name: value for name, value in expected.items() if name not in remove}
    if model is not None:
        kept["model"] = model
    if ask_usage:
        kept["stream_options"] = (kept.get("stream_options") or {}) | {"include_usage": True}
    assert json.loads(edited) == kept


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(BodyError, match=r"^messages\[1\]\.content: a number is not finite \(at byte 36\)$") as raised:
        RequestBody(b'{"messages":[{"x":1}, {"content":   NaN}]}')
    error = raised.value
    assert isinstance(error, ValueError)
    assert (error.code, error.offset, error.path) == ("not_finite", 36, "messages[1].content")
    assert error.message == "a number is not finite"


def test_depth_has_a_limit() -> None:
    def nested(depth: int) -> bytes:
        return b'{"a":' * depth + b"1" + b"}" * depth

    RequestBody(nested(128))
    assert refusal(nested(129))[0] == "too_deep"
    RequestBody(nested(129), max_depth=129)
    assert refusal(b"[" * 1_000_000)[0] == "too_deep"


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        (b'{"messages":[],"messages":[]}', "duplicate_key", "messages"),
        (b'{"model":"a","\\u006dodel":"b"}', "duplicate_key", "model"),
        (b'{"x":"\\ud800"}', "invalid_encoding", "x"),
        ('{"x":"é"}'.encode("utf-16"), "invalid_encoding", ""),
        ('{"x":"é"}'.encode("latin-1"), "invalid_encoding", ""),
        (b'{"model":"\\u0000"}', "invalid_encoding", "model"),
        (b'{"a":[1,1e999]}', "not_finite", "a[1]"),
        (b'{"max_tokens":-1}', "invalid_value", "max_tokens"),
        (b'{"max_tokens":1e9}', "invalid_value", "max_tokens"),
        (b'{"max_tokens":"5"}', "invalid_value", "max_tokens"),
        (b'{"max_tokens":true}', "invalid_value", "max_tokens"),
        (b'{"n":0}', "invalid_value", "n"),
        (b"[]", "not_an_object", ""),
        (b"", "invalid_json", ""),
    ],
)
def test_hostile_bodies(body: bytes, code: str, path: str) -> None:
    assert refusal(body) == (code, path)


def test_a_long_body_is_read_off_the_gil() -> None:
    body = json.dumps({"model": "m", "messages": ["x" * 100_000]}).encode()
    request = RequestBody(body)
    assert request.rewrite(model="other", ask_usage=False) == body.replace(b'"m"', b'"other"')


def test_big_integers_stay_exact() -> None:
    body = b'{"seed":9007199254740993,"x":123456789012345678901234567890}'
    request = RequestBody(body)
    assert request.field("seed") == b"9007199254740993"
    assert request.rewrite(model=None, ask_usage=False) == body


@pytest.mark.recorded
def test_recorded_requests_are_taken(recorded: Path) -> None:
    count = 0
    with gzip.open(recorded / "traffic" / "traffic.jsonl.gz", "rt") as lines:
        for line in lines:
            row = json.loads(line)
            body = row["request"].get("body")
            if row["api"] not in {"chat", "completions", "embeddings", "responses"} or not isinstance(body, str):
                continue
            try:
                expected = oracle(body.encode())
            except Refused:
                continue
            request = RequestBody(body.encode())
            assert request.model == expected.get("model")
            assert request.rewrite(model=None, ask_usage=False) == body.encode()
            count += 1
    assert count > 900
