from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tests.served import Protocol

from dragoman.access.knobs import Knobs
from dragoman.access.principal import ANONYMOUS
from dragoman.core import Reply
from dragoman.errors import ClientGone, InvalidRequest, RequestError, UpstreamCut
from dragoman.routing.run import AttemptNote, Run
from dragoman.server.request import Request
from dragoman.telemetry.trace import Trace

NOTE = AttemptNote("d", "c", "best", "ok", 1.0)


@pytest.fixture
def run() -> Run:
    proto: Any = Protocol(b"")
    return Run(Request("req_1", proto, Reply(proto, "")), 3, ANONYMOUS, "chat")


def outcome(written: str) -> Any:
    headers = [("x-ratelimit-remaining-tokens", "9"), ("server", "s")]
    return SimpleNamespace(written=written, status=201, headers=headers)


def member(name: str) -> Any:
    return SimpleNamespace(deployment=SimpleNamespace(name=name, provider="p", model="m"), credential="c")


@pytest.mark.parametrize(
    ("error", "written", "status"),
    [
        (None, "whole", 201),
        (None, "", 201),
        (InvalidRequest("m"), None, 400),
        (UpstreamCut("m"), "", 502),
        (UpstreamCut("m"), "partly", 201),
        (ClientGone("m"), "", 499),
        (ClientGone("m"), "partly", 499),
        (ClientGone("m"), None, 499),
    ],
)
def test_the_status_is_what_the_client_saw(
    run: Run, error: RequestError | None, written: str | None, status: int
) -> None:
    run.outcome = None if written is None else outcome(written)
    if error is not None:
        run.fail(error)
    assert run.status == status


def test_an_error_tells_of_the_provider_s_limits(run: Run) -> None:
    run.outcome = outcome("")
    error = UpstreamCut("m")
    run.fail(error)
    assert error.headers[-1] == ("x-ratelimit-remaining-tokens", "9")
    assert "server" not in dict(error.headers)


def test_it_is_answered_once_an_attempt_has_ended_without_an_error(run: Run) -> None:
    assert not run.answered
    run.note(NOTE)
    assert run.answered
    run.last_error = UpstreamCut("m")
    assert not run.answered


def test_the_knob_s_user_and_trace_come_first(run: Run) -> None:
    knobs = Knobs(end_user="knob", trace_id="mine")
    run.planned("a", "body", knobs, Trace("theirs", "00-parent", "a=b"))
    assert (run.alias, run.end_user, run.trace_id) == ("a", "knob", "mine")
    assert run.trace_headers == [("traceparent", "00-parent"), ("tracestate", "a=b")]
    run.planned("a", "body", Knobs(), Trace("theirs", "00-parent", ""))
    assert (run.end_user, run.trace_id) == ("body", "theirs")
    run.planned("a", "u" * 10_000, Knobs(), None)
    assert run.end_user == "u" * 256
    assert run.trace_headers == [("traceparent", "00-parent")]


def test_the_headers_tell_the_way(run: Run) -> None:
    assert dict(run.answer_headers(1)) == {
        "x-request-id": "req_1",
        "x-dragoman-snapshot": "3",
        "x-dragoman-attempts": "1",
        "x-dragoman-fallback-index": "0",
    }
    run.note(NOTE)
    run.chosen(member("other"))
    run.fallback_index = 1
    run.cost_estimate_nanousd = 1_500
    headers = dict(run.answer_headers(2))
    assert (headers["x-dragoman-attempts"], headers["x-dragoman-fallback-index"]) == ("2", "1")
    assert (headers["x-dragoman-provider"], headers["x-dragoman-model"]) == ("p", "m")
    assert headers["x-dragoman-deployment"] == "other"
    assert headers["x-dragoman-cost-estimate"] == "0.000001500"


def test_an_error_tells_the_attempts_that_were_made(run: Run) -> None:
    run.note(NOTE)
    run.note(NOTE)
    error = UpstreamCut("m")
    run.fail(error)
    assert dict(error.headers)["x-dragoman-attempts"] == "2"
