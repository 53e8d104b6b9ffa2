"""Recorded traffic of providers that speak OpenAI's dialect, replayed as the upstream of a real gateway.

Every call of the recordings is sent as a client would send it; the provider answers with the recorded bytes, streams
also cut at odd places. What reached the provider, what reached the client and what the usage row says is then held
against the recording, by provider. A trace id names the recording on its whole way.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.client import Client, Response
from tests.gateway.gateway import SECRET, Gateway
from tests.gateway.recordings import FOREIGN, KINDS, Recording, endpoint_of, read_traffic
from tests.gateway.upstream import LAST_CHUNK, Connection, Upstream, chunk, expect, head

pytestmark = pytest.mark.recorded

CLIENTS = 6
STREAM_CUTS = 3  # as one piece, and twice at odd places
APIS = {"chat", "completions", "embeddings"}


@dataclass
class Replay:
    """One recorded call, and what came of it."""

    recording: Recording
    cut: int
    response: Response
    received: bytes
    row: dict[str, Any]

    @property
    def label(self) -> str:
        return f"{self.recording.id}/{self.cut}"


def trace_of(recording: Recording, cut: int) -> str:
    return f"{recording.id}{cut + 1:016x}"


def play(recordings: dict[str, Recording], received: dict[str, bytes]) -> Any:
    """The step of a provider that answers with the recording which the request's trace names."""

    def step(connection: Connection) -> None:
        request = connection.request
        assert request is not None
        trace = request.headers["traceparent"].split("-")[1]
        received[trace] = request.body
        recording, cut = recordings[trace[:16]], int(trace[16:], 16) - 1
        if not recording.is_events:
            length = str(len(recording.body))
            connection.send(head(recording.status, content_type=recording.content_type, content_length=length))
            connection.send(recording.body)
            return
        connection.send(head(200, content_type=recording.content_type, transfer_encoding="chunked"))
        pieces = recording.pieces(cut) if cut else [recording.body]
        connection.send(b"".join(map(chunk, pieces)) + LAST_CHUNK)

    return step


def config_for(base_url: str) -> dict[str, Any]:
    provider = {"base_url": base_url, "api_key": SECRET, "allow_private": True}
    providers = {name.replace(":", "-"): {"kind": kind, **provider} for name, kind in KINDS.items()}
    return {"providers": providers}


def send_all(port: int, calls: list[tuple[Recording, int]]) -> list[Response]:
    """Every call, on a few connections at once."""
    local = threading.local()
    with contextlib.ExitStack() as connections, ThreadPoolExecutor(CLIENTS) as pool:

        def send(call: tuple[Recording, int]) -> Response:
            if not hasattr(local, "client"):
                local.client = connections.enter_context(Client(port))
            recording, cut = call
            parent = f"00-{trace_of(recording, cut)}-00f067aa0ba902b7-01"
            headers = {"traceparent": parent, "x_dragoman_retries": "0"}
            local.client.ask("POST", recording.path, recording.client_body, **headers)
            found: Response = local.client.read()
            return found

        return list(pool.map(send, calls))


@pytest.fixture(scope="module")
def traffic(recorded: Path) -> list[dict[str, Any]]:
    """All recorded calls of the three endpoints, in whatever dialect."""
    return [row for row in read_traffic(recorded) if row["api"] in APIS or endpoint_of(row)]


@pytest.fixture(scope="module")
def replays(traffic: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Replay]]:
    recordings = {row["id"]: Recording(row, endpoint) for row in traffic if (endpoint := endpoint_of(row))}
    calls = [(one, cut) for one in recordings.values() for cut in range(STREAM_CUTS if one.is_events else 1)]
    received: dict[str, bytes] = {}
    with Upstream() as upstream:
        upstream.reply(expect, play(recordings, received))
        with Gateway(config_for(upstream.base_url), tmp_path_factory.mktemp("recorded")) as gateway:
            responses = send_all(gateway.port, calls)
            rows = {row["trace_id"]: row for row in gateway.settled(len(calls))}
    yield [
        Replay(recording, cut, response, received.get(trace, b""), rows[trace])
        for (recording, cut), response in zip(calls, responses, strict=True)
        if (trace := trace_of(recording, cut))
    ]


def of(replays: list[Replay], provider: str) -> list[Replay]:
    """The replays of one provider: there are some."""
    found = [replay for replay in replays if replay.recording.provider == provider]
    assert found
    return found


def wrong_answer(replay: Replay) -> str:
    """In what the client did not get what it should; empty where it did."""
    response, expected = replay.response, replay.recording.answer
    if response.status != expected.status:
        return f"status {response.status}: {response.body[:300]!r}"
    if expected.code:
        return "" if response.error["code"] == expected.code else f"code {response.error['code']}"
    if response.headers["content-type"] != replay.recording.content_type:
        return f"content type {response.headers['content-type']}"
    body = response.body
    if expected.message:
        body, _, error = body.rpartition(b"data: ")
        if expected.message not in json.loads(error)["error"]["message"]:
            return f"error {error!r}"
    return "" if body == expected.body else differ(body, expected.body)


def wrong_request(replay: Replay) -> str:
    """In what the provider did not get what it should."""
    return "" if replay.recording.reaches_provider(replay.received) else repr(replay.received)


def wrong_row(replay: Replay) -> str:
    """In what the usage row does not say what the recording does."""
    recording, row = replay.recording, replay.row
    status = recording.answer.status
    expected = {
        "status": status,
        "endpoint": recording.endpoint,
        "alias": recording.alias,
        "provider": recording.name,
        "model": recording.asked["model"],
        "stream": recording.streamed,
        "attempts": 1,
    }
    if status == 200:
        expected["finish_reason"] = recording.finish_reason
    if recording.tokens is not None:
        expected |= recording.tokens | {"usage_source": "provider"}
    elif status == 200:
        expected["usage_source"] = row["usage_source"] if row["usage_source"] in {"counted", "estimated"} else "counted"
        expected["input_tokens"] = row["input_tokens"] or "some"
    else:
        expected |= {"usage_source": "none", "input_tokens": 0, "output_tokens": 0}
    return ", ".join(f"{name} {row[name]!r} for {value!r}" for name, value in expected.items() if row[name] != value)


def differ(found: bytes, expected: bytes) -> str:
    """Where two bodies begin to differ."""
    place = next((at for at, (one, two) in enumerate(zip(found, expected, strict=False)) if one != two), 0)
    return f"at byte {place}: {found[place : place + 200]!r} for {expected[place : place + 200]!r}"


def wrong(replays: list[Replay], look: Callable[[Replay], str]) -> dict[str, str]:
    """What is wrong, by recording and cut."""
    return {replay.label: what for replay in replays if (what := look(replay))}


@pytest.mark.parametrize("provider", KINDS)
def test_every_answer_reaches_the_client(replays: list[Replay], provider: str) -> None:
    assert wrong(of(replays, provider), wrong_answer) == {}


@pytest.mark.parametrize("provider", KINDS)
def test_every_body_reaches_the_provider(replays: list[Replay], provider: str) -> None:
    assert wrong(of(replays, provider), wrong_request) == {}


@pytest.mark.parametrize("provider", KINDS)
def test_every_usage_row_is_as_recorded(replays: list[Replay], provider: str) -> None:
    assert wrong(of(replays, provider), wrong_row) == {}


def test_every_recording_is_replayed_or_named(
    traffic: list[dict[str, Any]], replays: list[Replay], say: Callable[[str], None]
) -> None:
    replayed = {replay.recording.id for replay in replays}
    foreign = Counter(
        next(dialect for mark, dialect in FOREIGN.items() if mark in row["request"]["url"])
        for row in traffic
        if row["id"] not in replayed
    )
    lines = [f"not OpenAI's dialect: {', '.join(f'{dialect} {count}' for dialect, count in foreign.items())}"]
    passed: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    for replay in replays:
        if replay.cut == 0:
            tried[replay.recording.provider] += 1
            same = [other for other in replays if other.recording is replay.recording]
            passed[replay.recording.provider] += not any(
                look(one) for one in same for look in (wrong_answer, wrong_request, wrong_row)
            )
    lines += [f"{provider}: {passed[provider]} of {count}" for provider, count in sorted(tried.items())]
    reported = sum(one.recording.tokens is not None and one.cut == 0 for one in replays)
    hidden = sum(one.recording.hides_usage and one.cut == 0 for one in replays)
    exact = sum(one.recording.exact and one.cut == 0 for one in replays)
    lines.append(
        f"recorded traffic: {sum(passed.values())} of {sum(tried.values())} calls pass"
        f" ({exact} recorded byte by byte, {len(replays)} replays;"
        f" {reported} with reported usage, which is taken out of {hidden} streams that did not ask)"
    )
    say("\n".join(lines))
    assert passed == tried
    assert foreign.keys() == set(FOREIGN.values())
