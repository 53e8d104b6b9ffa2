"""Whatever comes, a reader reads it or says which field is wrong: nothing else is ever raised.

Every recorded call is spoilt at one place after the other: a value of another type stands there. Each place is tried
once for all calls that have it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path as File
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.dialects.fuzz import readers, run
from tests.dialects.recorded import Call, frames_of
from tests.dialects.test_recorded import calls

from dragoman.dialects.canonical import Report
from dragoman.dialects.dialect import Asked, Dialect, Path, Target
from dragoman.dialects.fields import Unreadable
from dragoman.dialects.losses import Losses
from dragoman.dialects.table import DIALECTS
from dragoman.dialects.tasks.table import TASKS

WRONG = (None, True, 7, -1.5, "x", [], ["x"], [None], {}, {"x": 1}, [{}], [[]])
TARGET = Target(model="m", provider="p")
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


def places(value: Any, shape: str = "", path: tuple[Any, ...] = ()) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Every place in a body, with the name of its kind."""
    if path:
        yield shape, path
    if isinstance(value, dict):
        kind = value.get("type") if isinstance(value.get("type"), str) else ""
        for key, item in value.items():
            yield from places(item, f"{shape}({kind}).{key}", (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, f"{shape}[]", (*path, index))


def spoilt(body: Any, seen: set[str]) -> Iterator[Any]:
    """The body with each place that was not seen spoilt in every way."""
    for shape, path in list(places(body)):
        if shape in seen or len(path) > 12:
            continue
        seen.add(shape)
        for wrong in WRONG:
            bad = copy.deepcopy(body)
            node = bad
            for key in path[:-1]:
                node = node[key]
            node[path[-1]] = copy.deepcopy(wrong)
            yield bad


def read_requests(dialect: Dialect, tried: list[Call]) -> int:
    """Reads spoilt requests, and writes those that could be read for every dialect."""
    seen: set[str] = set()
    count = 0
    for call in tried:
        for bad in spoilt(call.body, seen):
            count += 1
            try:
                request = dialect.read_request(json.dumps(bad).encode(), call.at)
            except Unreadable:
                continue
            for other in DIALECTS.values():
                other.write_request(request, TARGET, Losses())
    return count


def read_answers(dialect: Dialect, tried: list[Call]) -> int:
    seen: set[str] = set()
    count = 0
    for call in tried:
        if call.is_stream or not call.answer.startswith(b"{"):
            continue
        asked = Asked(
            request=dialect.read_request(json.dumps(call.body).encode(), call.at), request_id="r", created_s=1
        )
        for bad in spoilt(json.loads(call.answer), seen):
            count += 1
            try:
                answer = dialect.read_answer(json.dumps(bad).encode(), TARGET)
            except Unreadable:
                continue
            for other in DIALECTS.values():
                other.write_answer(answer, asked)
    return count


def read_streams(dialect: Dialect, tried: list[Call]) -> int:
    seen: set[str] = set()
    count = 0
    for call in tried:
        if not call.is_stream:
            continue
        frames = frames_of(call.answer, call.content_type)
        asked = Asked(
            request=dialect.read_request(json.dumps(call.body).encode(), call.at), request_id="r", created_s=1
        )
        for index, (name, data) in enumerate(frames):
            if not data.startswith(b"{"):
                continue
            for bad in spoilt(json.loads(data), seen):
                count += 1
                changed = [*frames[:index], (name, json.dumps(bad).encode()), *frames[index + 1 :]]
                reader = dialect.reader(TARGET)
                try:
                    events = reader.read(changed)
                    events += reader.finish()
                except Unreadable:
                    continue
                for other in DIALECTS.values():
                    writer = other.writer(asked)
                    writer.write(events)
                    writer.finish()
    return count


@pytest.mark.recorded
@pytest.mark.parametrize("name", DIALECTS)
def test_spoilt_requests_are_read_or_named(name: str, recorded: File) -> None:
    assert read_requests(DIALECTS[name], calls(recorded, DIALECTS[name])) > 200


@pytest.mark.recorded
@pytest.mark.parametrize("name", DIALECTS)
def test_spoilt_answers_are_read_or_named(name: str, recorded: File) -> None:
    answered = [call for call in calls(recorded, DIALECTS[name]) if call.status == 200]
    assert read_answers(DIALECTS[name], answered) > 100
    assert read_streams(DIALECTS[name], answered) > 20


@pytest.mark.recorded
def test_random_inputs_are_read_or_refused(recorded: File) -> None:
    tried = {name: run(once, 1_000, Random(1)) for name, once in readers(recorded, Random(1))}
    assert len(tried) == 4 * len(DIALECTS) + 2 * len(TASKS)
    assert {read + refused for read, refused in tried.values()} == {1_000}
    assert all(read for read, _ in tried.values()), "hostile, but not hopeless"


@pytest.mark.parametrize("name", DIALECTS)
@given(ANY_JSON, st.integers(400, 599))
def test_anything_at_all(name: str, value: Any, status: int) -> None:
    dialect, data = DIALECTS[name], json.dumps(value).encode()
    for read in (
        lambda: dialect.read_request(data, Path(model="m")),
        lambda: dialect.read_answer(data, TARGET),
        lambda: dialect.reader(TARGET).read([("", data), ("x", data)]),
        lambda: dialect.read_request(data[:-1], Path()),
    ):
        try:
            read()
        except Unreadable as error:
            assert error.message
    report = dialect.read_error(status, {}, data)
    assert isinstance(report, Report)
    assert 400 <= dialect.write_error(report, "req_1")[0] < 600


@pytest.mark.parametrize("name", DIALECTS)
@given(
    st.binary(max_size=64), st.sampled_from(["", "error", "chunk", "message_start", "exception:throttlingException"])
)
def test_bytes_that_are_no_json(name: str, data: bytes, event: str) -> None:
    dialect = DIALECTS[name]
    assert isinstance(dialect.read_error(500, {}, data), Report)
    try:
        dialect.reader(TARGET).read([(event, data)])
    except Unreadable as error:
        assert error.message
