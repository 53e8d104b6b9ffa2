from __future__ import annotations

import json
import time
from typing import Any

import pytest
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Step, Upstream, answer, chat_answer, expect, head, hold, reset, send
from tests.served import Serve, Served, chat_body

from dragoman.core import Exchange
from dragoman.routing.attempt import Attempt


def member(served: Served) -> Any:
    (found,) = served.gateway.balancer.members()
    return found


ENDINGS: list[tuple[str, Step, int, str]] = [
    ("ok", answer(), 0, "closed"),
    ("rejected", answer(b"{}", 400), 0, "closed"),
    ("failed", answer(b"{}", 500), 1, "closed"),
    ("limited", answer(b"{}", 429), 1, "closed"),
    ("refused", answer(b"{}", 401), 1, "open"),
    ("reset", reset, 1, "closed"),
    ("told to wait", answer(b"{}", 503, retry_after="60"), 1, "open"),
]


@pytest.mark.parametrize(("name", "how", "failures", "breaker"), ENDINGS)
def test_the_balancer_is_told_how_it_ended(
    serve: Serve, upstream: Upstream, name: str, how: Step, failures: int, breaker: str
) -> None:
    served = serve(config_for(upstream.base_url, route={"retries": 0}))
    upstream.reply(expect, how)
    served.chat()
    found = member(served)
    assert (found.requests, found.failures, found.in_flight, found.breaker) == (1, failures, 0, breaker)


def test_a_client_that_leaves_is_nobody_s_failure(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url))
    upstream.reply(expect, hold)
    request = served.begin("POST", "/v1/chat/completions", chat_body())
    upstream.received()
    assert member(served).in_flight == 1
    (in_flight,) = served.app.in_flight
    in_flight.gone = True
    in_flight.give_up()
    request.wait()
    assert (member(served).failures, member(served).in_flight) == (0, 0)
    assert upstream.closed() is not None


@pytest.mark.parametrize("headers", [{}, {"x_dragoman_include_cost": "true"}], ids=["launched", "step by step"])
def test_a_client_that_left_unnoticed_is_sent_for_no_longer_than_it_takes(
    serve: Serve, upstream: Upstream, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    """Its leaving may be noticed between two looks at it."""
    served = serve(config_for(upstream.base_url))
    upstream.reply(expect, hold)
    sent = Attempt.sent

    def leaving(attempt: Attempt, exchange: Exchange) -> None:
        (in_flight,) = served.app.in_flight
        in_flight.gone = True
        in_flight.give_up()
        sent(attempt, exchange)

    monkeypatch.setattr(Attempt, "sent", leaving)
    request = served.begin("POST", "/v1/chat/completions", chat_body(), **headers)
    request.wait()
    assert request.status == 0


def test_each_attempt_is_noted(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url, upstream.base_url, route={"retries": 0}))
    upstream.reply(expect, answer(b"{}", 500))
    upstream.reply(expect, answer())
    response = served.chat()
    first, second = json.loads(served.row(response).attempt_log)
    assert (first["deployment"], first["outcome"], second["deployment"], second["outcome"]) == (
        "up0",
        "upstream_status",
        "up1",
        "ok",
    )
    assert first["why"] and second["why"]
    assert first["ms"] > 0
    assert first["credential"] != ""


def test_a_failed_handshake_is_logged_until_it_is_known(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    with Upstream(on_connect=[send(head(400, content_length="0")), hold]) as plain:
        served = serve(config_for(plain.base_url.replace("http:", "https:"), route={"retries": 0}))
        for _ in range(9):
            assert served.chat().status == 502
    logged = [record.getMessage() for record in caplog.records if record.name == "dragoman.routing"]
    assert 0 < len(logged) < 9
    assert {message.split(": TLS: ")[0] for message in logged} == {"up0: The connection to up0 is not secure"}


def test_times_add_up_over_attempts(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url, upstream.base_url, route={"retries": 0}))
    upstream.reply(expect, answer(b"{}", 500))
    upstream.reply(expect, answer())
    started_s = time.monotonic()
    response = served.chat()
    all_ms = (time.monotonic() - started_s) * 1000
    row = served.row(response)
    noted_ms = sum(attempt["ms"] for attempt in json.loads(row.attempt_log))
    assert row.upstream_ms == pytest.approx(noted_ms, abs=1)
    assert 0 < row.overhead_ms <= row.total_ms <= all_ms
    assert float(response.headers["x-dragoman-upstream-ms"]) <= all_ms


def test_the_provider_s_limits_and_the_snapshot_are_told(serve: Serve, upstream: Upstream) -> None:
    served = serve(config_for(upstream.base_url))
    upstream.reply(expect, answer(chat_answer(), x_ratelimit_remaining_requests="7", set_cookie="c=1", server="theirs"))
    headers = served.chat().headers
    assert headers["x-ratelimit-remaining-requests"] == "7"
    assert (headers["x-dragoman-snapshot"], headers["x-dragoman-provider"]) == ("1", "up0")
    assert "set-cookie" not in headers
    assert headers.get("server") != "theirs"
