from __future__ import annotations

from typing import Any

import pytest
from tests.cache.test_answers import KEPT
from tests.cache.test_identity import call
from tests.served import Protocol

from dragoman.access.principal import ANONYMOUS
from dragoman.cache.flight import Flight, Follower
from dragoman.core import Reply
from dragoman.errors import ClientGone, DeadlineExceeded, UpstreamCut
from dragoman.routing.run import Run
from dragoman.server.request import Request

FOREVER_S = 1e12


def run() -> tuple[Run, Protocol]:
    proto: Any = Protocol(b"")
    request = Request("req_1", proto, Reply(proto, ""))
    return Run(request, 1, ANONYMOUS, "chat"), proto


def follower(flight: Flight, *, stream: bool = True, deadline_s: float = FOREVER_S) -> tuple[Any, Follower, Protocol]:
    """One that follows, as far as it comes before it waits."""
    of, proto = run()
    raw = b'{"model": "m", "messages": [], "stream": %b}' % (b"true" if stream else b"false")
    following = Follower(flight, call(raw, deadline_s=deadline_s), of)
    return following.follow(), following, proto


def step(coroutine: Any) -> Any:
    """Its result, if it has come to one; else what it waits for."""
    try:
        return coroutine.send(None)
    except StopIteration as stop:
        return stop.value


def test_a_follower_gets_all_from_the_beginning() -> None:
    leader, _ = run()
    flight = Flight(leader, 1_000)
    flight.recording.write("text/event-stream", b"a")
    coroutine, _, proto = follower(flight)
    step(coroutine)
    assert proto.body == b"a"
    flight.recording.write("text/event-stream", b"b")
    step(coroutine)
    assert (proto.body, proto.headers["content-type"]) == (b"ab", "text/event-stream")
    flight.kept = KEPT
    flight.recording.end()
    assert step(coroutine) is True
    assert flight.recording.followers == 0


def test_a_whole_answer_is_not_begun() -> None:
    flight = Flight(run()[0], 1_000)
    flight.recording.write("application/json", b"{}")
    flight.kept = KEPT
    coroutine, following, proto = follower(flight, stream=False)
    step(coroutine)
    flight.recording.end()
    assert step(coroutine) is True
    assert (proto.body, following.run.kept) == (b"", KEPT)


def test_a_follower_that_is_gone_leaves() -> None:
    leader, _ = run()
    flight = Flight(leader, 1_000)
    flight.lead()
    coroutine, following, _ = follower(flight)
    step(coroutine)
    leader.request.gone = True
    assert not leader.request.is_abandoned
    following.run.request.gone = True
    following.run.request.give_up()
    with pytest.raises(ClientGone):
        step(coroutine)
    assert (flight.recording.followers, leader.request.is_abandoned, flight.is_open) == (0, True, False)


def test_a_follower_has_a_deadline_of_its_own() -> None:
    flight = Flight(run()[0], 1_000)
    coroutine, _, _ = follower(flight, deadline_s=0.0)
    step(coroutine)
    flight.recording.write("text/event-stream", b"a")
    with pytest.raises(DeadlineExceeded):
        step(coroutine)


def test_a_failure_before_the_answer_is_the_leader_s_alone() -> None:
    flight = Flight(run()[0], 1_000)
    coroutine, _, _ = follower(flight)
    step(coroutine)
    flight.error = UpstreamCut("cut")
    flight.recording.end()
    assert step(coroutine) is False


def test_a_failure_within_the_answer_is_everybody_s() -> None:
    flight = Flight(run()[0], 1_000)
    flight.recording.write("text/event-stream", b"a")
    coroutine, _, proto = follower(flight)
    step(coroutine)
    flight.error = UpstreamCut("cut")
    flight.recording.end()
    with pytest.raises(UpstreamCut) as raised:
        step(coroutine)
    assert raised.value is not flight.error
    assert (proto.body, proto.complete) == (b"a", True)


def test_an_answer_that_grows_too_large_breaks_off_and_says_so() -> None:
    flight = Flight(run()[0], 10)
    flight.recording.write("text/event-stream", b"a")
    coroutine, _, proto = follower(flight)
    step(coroutine)
    flight.recording.write("text/event-stream", b"x" * 1_000)
    with pytest.raises(UpstreamCut):
        step(coroutine)
    assert b"too large" in proto.body


def test_what_is_over_cannot_be_followed() -> None:
    flight = Flight(run()[0], 10)
    flight.recording.end()
    assert step(follower(flight)[0]) is False
