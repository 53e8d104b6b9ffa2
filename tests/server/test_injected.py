"""P12 and P13: whatever is raised wherever a request may be, one answer, one row, nothing left in flight.

A panic of the extension arrives as an exception that is no ``Exception``; so does a cancellation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.gateway.upstream import Upstream, answer, expect
from tests.served import Served

from dragoman import pipeline
from dragoman.routing import arrival, attempt, attempts, launch, run, settle
from dragoman.server import app as app_module
from dragoman.server import request as request_module


class PanicException(BaseException):
    """As a panic of the extension's arrives."""


RAISED = [ValueError, RuntimeError, MemoryError, asyncio.CancelledError, PanicException, SystemExit]
# Where: the object, and the name of what is called on it.
PLACES: dict[str, Callable[[Served], tuple[Any, str]]] = {
    "authenticate": lambda served: (served.gateway, "authenticate"),
    "read the knobs": lambda served: (pipeline, "read_knobs"),
    "read the body": lambda served: (served.gateway, "read_body"),
    "look at its length": lambda served: (request_module, "declared_length"),
    "parse": lambda served: (arrival, "read"),
    "continue the trace": lambda served: (pipeline, "outgoing_trace"),
    "count and price": lambda served: (pipeline, "admit"),
    "dispatch": lambda served: (pipeline, "dispatch"),
    "begin an attempt": lambda served: (attempts.Tries, "launched"),
    "look what time is left": lambda served: (launch, "time_left_s"),
    "write the headers": lambda served: (run.Run, "further_headers"),
    "understand the outcome": lambda served: (attempt, "error_of"),
    "settle the ticket": lambda served: (attempt.Attempt, "_settle_ticket"),
    "learn from the answer": lambda served: (served.gateway, "learn_output"),
    "say how long it took": lambda served: (settle, "_row"),
}
ANSWERED = {"understand the outcome", "settle the ticket", "learn from the answer", "say how long it took"}


@pytest.fixture(autouse=True)
def unlogged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is logged: whoever keeps a log's records keeps what the failed request held."""
    monkeypatch.setattr(app_module.log, "exception", lambda *_: None)


@pytest.mark.parametrize("error", RAISED)
@pytest.mark.parametrize("place", PLACES)
def test_p13_whatever_is_raised_one_request_suffers(
    served: Served, upstream: Upstream, monkeypatch: pytest.MonkeyPatch, place: str, error: type[BaseException]
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise error

    upstream.reply(expect, answer())
    owner, name = PLACES[place](served)
    whole = getattr(owner, name)
    monkeypatch.setattr(owner, name, broken)
    response = served.chat()
    monkeypatch.setattr(owner, name, whole)
    if place in ANSWERED:
        assert response.status in {200, 500}
    else:
        assert (response.status, response.code) == (500, "internal_error")
    assert served.app.in_flight == set()
    assert sum(member.in_flight for member in served.gateway.balancer.members()) == 0
    assert served.gateway.metrics.internal_errors == 1
    after = served.chat()
    assert after.status == 200
    assert served.row(after).error_code == ""


@pytest.mark.parametrize("place", [place for place in PLACES if place not in {*ANSWERED, "authenticate"}])
def test_p13_and_its_row_says_so(
    served: Served, upstream: Upstream, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise PanicException("p")

    owner, name = PLACES[place](served)
    monkeypatch.setattr(owner, name, broken)
    row = served.row(served.chat())
    assert (row.status, row.error_code, row.fault) == (500, "internal_error", "gateway")
