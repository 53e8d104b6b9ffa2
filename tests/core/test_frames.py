"""Events and answers: any split gives the same events, every shape of usage and error is read."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dragoman.core import BodyError, FrameError, SseEvent, SseReader, Usage, read_answer, read_error

STREAM = (
    'data: {"choices":[{"delta":{"content":"Grüße 😀"}}]}\r\n\r\n: OPENROUTER PROCESSING\n\n'
    "id: 7\nretry: 100\nevent: error\ndata:{}\n\ndata: a\rdata: b\r\rdata: [DONE]\n\n"
).encode()

Read = tuple[list[tuple[bytes, str | None, bytes, bool]], bytes]


def read(chunks: list[bytes], max_event_bytes: int = 1 << 20) -> Read:
    reader = SseReader(max_event_bytes)
    events = [event for chunk in chunks for event in reader.feed(chunk)]
    last, unterminated = reader.finish()
    return [shown(event) for event in events + last], unterminated


def shown(event: SseEvent) -> tuple[bytes, str | None, bytes, bool]:
    return event.raw, event.event, event.data, event.is_comment


@pytest.mark.parametrize("stream", [STREAM, b"\xef\xbb\xbf" + STREAM, STREAM[:-1], STREAM.replace(b"\n", b"\r\n")])
def test_edge_40_a_stream_may_be_split_anywhere(stream: bytes) -> None:
    whole = read([stream])
    assert b"".join(raw for raw, *_ in whole[0]) + whole[1] == stream
    assert all(read([stream[:at], stream[at:]]) == whole for at in range(len(stream) + 1))
    assert read([stream[at : at + 1] for at in range(len(stream))]) == whole


@given(st.lists(st.sampled_from([b"\n", b"\r", b"\r\n", b"data:", b" ", b"x", b":", b"event: e", b"\xef\xbb\xbf"])))
@example([b"\xef\xbb\xbf", b"\r"])
def test_any_stream_may_be_split_anywhere(pieces: list[bytes]) -> None:
    stream = b"".join(pieces)
    whole = read([stream])
    assert read(pieces) == whole == read([stream[at : at + 1] for at in range(len(stream))])
    # An LF that belongs to a CR before it may be all that is left, and is no event cut short.
    assert stream.removeprefix(b"".join(raw for raw, *_ in whole[0]) + whole[1]) in {b"", b"\n"}


def test_events_are_read_as_the_standard_says() -> None:
    events, unterminated = read([STREAM + b"data: lost"])
    assert [(event, data, is_comment) for _, event, data, is_comment in events] == [
        (None, '{"choices":[{"delta":{"content":"Grüße 😀"}}]}'.encode(), False),
        (None, b"", True),
        ("error", b"{}", False),
        (None, b"a\nb", False),
        (None, b"[DONE]", False),
    ]
    assert unterminated == b"data: lost"


def test_an_event_over_the_cap_ends_the_reading() -> None:
    reader = SseReader(20)
    with pytest.raises(FrameError) as raised:
        reader.feed(b"data: a\n\ndata: " + b"x" * 20)
    assert [event.data for event in raised.value.events] == [b"a"]
    assert reader.feed(b"data: b\n\n") == []
    assert reader.finish() == ([], b"")
    assert len(read([b"data: 12345678901\n\n", b"data: x\n\n"], 20)[0]) == 2


def test_a_whole_answer() -> None:
    body = json.dumps(
        {
            "model": "m",
            "choices": [{"index": 0, "message": {"content": "Grüße"}, "finish_reason": "stop"}],
            "usage": {
                "prompt_tokens": 9,
                "completion_tokens": 5,
                "total_tokens": 14,
                "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 1},
                "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 1},
            },
        }
    ).encode()
    answer = read_answer(body, keep_text_bytes=100)
    assert (answer.model, answer.finish_reason, answer.choices, answer.text) == ("m", "stop", 1, "Grüße")
    assert (answer.error, answer.vectors, answer.dimensions) == (None, 0, None)
    assert answer.usage is not None
    usage = answer.usage
    assert (usage.input, usage.cached_input, usage.cache_write, usage.audio_input) == (9, 4, 0, 1)
    assert (usage.output, usage.reasoning, usage.audio_output, usage.total) == (5, 2, 1, 14)
    assert not usage.suspect
    again = read_answer(body)
    assert (again.text, again.usage, hash(again.usage)) == ("", usage, hash(usage))


def test_vectors() -> None:
    answer = read_answer(b'{"data":[{"embedding":[1,2,3]},{"embedding":[4,5,6]}],"usage":{"total_tokens":7}}')
    assert (answer.vectors, answer.dimensions) == (2, 3)
    assert answer.usage is not None
    assert answer.usage.input == 7


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"choices":[', b'{"data":[{"embedding":[NaN]}]}', b"[" * 1000])
def test_what_is_no_json_is_no_answer(body: bytes) -> None:
    with pytest.raises(BodyError):
        read_answer(body)
    assert read_error(body) is None


def test_an_error_in_disguise() -> None:
    error = read_answer(b'{"error":{"message":"slow down","type":"rate_limit_error","code":null}}').error
    assert error is not None
    assert (error.status, error.kind, error.code, error.message) == (429, "rate_limit_error", "", "slow down")
    assert error == read_error(b'{"error":{"message":"slow down","type":"rate_limit_error"}}')
    assert read_answer(b'{"error":null,"choices":[]}').error is None


NAMES = [
    "usage",
    "choices",
    "error",
    "message",
    "prompt_tokens",
    "total_tokens",
    "completion_tokens_details",
    "reasoning_tokens",
    "data",
    "embedding",
    "index",
    "finish_reason",
    "code",
    "type",
    "base_resp",
    "detail",
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["error", "7", "-1"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=30,
)


@given(json_values)
def test_no_answer_breaks_its_reader(value: Any) -> None:
    body = json.dumps(value, allow_nan=True).encode()
    error = read_error(body)
    assert error is None or error.status is None or 400 <= error.status < 600
    try:
        usage = read_answer(body).usage
    except BodyError as refused:
        assert refused.code == "not_finite"
        return
    if usage is not None:
        assert 0 <= usage.cached_input + usage.cache_write <= usage.input < 2**63
        assert 0 <= usage.reasoning <= usage.output < 2**63


def rows(recorded: Path, *, status: int) -> Iterator[tuple[dict[str, Any], str]]:
    """The recorded answers of the OpenAI dialects that are text."""
    with gzip.open(recorded / "traffic" / "traffic.jsonl.gz", "rt") as lines:
        for line in lines:
            row = json.loads(line)
            response = row["response"]
            is_ours = row["api"] in {"chat", "completions", "embeddings", "responses"}
            if is_ours and response["status"] == status and isinstance(response.get("body"), str):
                yield row, response["body"]


def counted(report: dict[str, Any]) -> tuple[int, int] | None:
    """Input and output of a report, in the plain words of its provider."""
    if "tokens" in report:
        report = report["tokens"]
    tokens_in = report.get("prompt_tokens", report.get("input_tokens"))
    tokens_out = report.get("completion_tokens", report.get("output_tokens"))
    if tokens_in is None and tokens_out is None:
        return (report["total_tokens"], 0) if "total_tokens" in report else None
    return int(tokens_in or 0), int(tokens_out or 0)


def seen(usage: Usage | None) -> tuple[int, int] | None:
    return None if usage is None else (usage.input, usage.output)


@pytest.mark.recorded
def test_recorded_usage_is_read(recorded: Path) -> None:
    count = 0
    for row, body in rows(recorded, status=200):
        try:
            document = json.loads(body)
        except ValueError:
            continue
        answer = read_answer(body.encode())
        report = document.get("usage")
        assert seen(answer.usage) == (counted(report) if isinstance(report, dict) else None), row["id"]
        assert answer.error is None, row["id"]
        assert answer.model == document.get("model"), row["id"]
        assert answer.choices == len(document.get("choices") or []), row["id"]
        count += 1
    assert count > 700


@pytest.mark.recorded
def test_recorded_streams_are_cut_exactly(recorded: Path) -> None:
    count = 0
    for row, body in rows(recorded, status=200):
        if not re.match(r"(data|event|:)", body):
            continue
        stream = body.encode()
        events, unterminated = read([stream[at : at + 100] for at in range(0, len(stream), 100)])
        assert b"".join(raw for raw, *_ in events) + unterminated == stream, row["id"]
        assert all(data == b"[DONE]" or json.loads(data) for _, _, data, is_comment in events if not is_comment)
        count += 1
    assert count > 150


@pytest.mark.recorded
def test_recorded_errors_are_read(recorded: Path) -> None:
    bodies = [body for status in (400, 401, 404, 429) for _, body in rows(recorded, status=status)]
    assert len(bodies) > 20
    assert all((error := read_error(body.encode())) and error.message for body in bodies)
