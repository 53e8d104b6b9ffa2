from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from dragoman.errors import ConfigError, NotFound
from dragoman.rehearsal.plan import Pace
from dragoman.rehearsal.recording import Recordings, events, kept

PACE = Pace(first_s=0.1, gap_s=0.01, jitter=0.0, chance=Random(0))
STREAM = 'data: {"a":1}\n\ndata: {"é":2}\r\n\r\n: ping\n\ndata: [DONE]\n\n'


def row(id: str, body: str, **response: Any) -> dict[str, Any]:
    return {"id": id, "request": {}, "response": {"status": 200, "headers": {}, "body": body, **response}}


@pytest.fixture
def recordings(tmp_path: Path) -> Recordings:
    rows = [
        row(
            "stream",
            STREAM,
            content_type="text/event-stream; charset=utf-8",
            headers={"X-Request-Id": "r1", "Date": "x"},
        ),
        row("whole", '{"a": 1}', content_type="application/json", body_encoding="json", status=404),
        row("bytes", base64.b64encode(b"\x00\xff").decode(), body_encoding="base64", content_type="application/x"),
        row("untyped", "data: 1\n\n"),
        row("cut", "data: 1\n\ndata: 2", content_type="text/event-stream"),
    ]
    path = tmp_path / "traffic.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(json.dumps(one) for one in rows).encode() + b"\n\n"))
    return Recordings.load(path)


def test_a_stream_comes_event_by_event_byte_exact(recordings: Recordings) -> None:
    plan = recordings.plan("stream", PACE)
    assert b"".join(step.data for step in plan.steps) == STREAM.encode()
    assert len(plan.steps) == 4
    assert [step.delay_s for step in plan.steps] == [0.0, 0.01, 0.01, 0.01]
    assert plan.delay_s == 0.1
    assert plan.streams
    assert plan.headers == [("x-request-id", "r1"), ("content-type", "text/event-stream; charset=utf-8")]


def test_a_whole_answer_comes_in_one_with_its_status(recordings: Recordings) -> None:
    plan = recordings.plan("whole", PACE)
    assert (plan.status, plan.in_one, plan.steps[0].data) == (404, True, b'{"a": 1}')
    assert recordings.plan("bytes", PACE).steps[0].data == b"\x00\xff"


def test_an_answer_without_a_type_shows_what_it_is(recordings: Recordings) -> None:
    assert recordings.plan("untyped", PACE).streams


def test_an_unknown_id_is_not_found(recordings: Recordings) -> None:
    assert len(recordings) == 5
    with pytest.raises(NotFound):
        recordings.plan("other", PACE)


@pytest.mark.parametrize("content", [b"no json\n", b'{"id":1}\n', b'{"request":{}}\n'])
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"bad\.jsonl"):
        Recordings.load(path)
    with pytest.raises(ConfigError):
        Recordings.load(tmp_path / "absent.jsonl")


def test_headers_that_cannot_be_sent_again_are_left_out() -> None:
    headers = {"Content-Length": "5", "X-A": "b", "X-List": ["c"], "X-Bad": "a\nb", "X-Odd": "é"}
    assert kept(headers) == [("x-a", "b")]


def test_events_lose_nothing() -> None:
    for body in (b"", b"\n\n", b"data: 1", STREAM.encode(), b"\r\n\r\n\n\nx"):
        assert b"".join(events(body)) == body
