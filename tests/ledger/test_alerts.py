from __future__ import annotations

import hashlib
import hmac
import logging
import time
from collections.abc import Callable

import pytest
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream, answer, expect
from tests.guardrails.called.services import Service, serving
from tests.served import Serve, Served

from dragoman.ledger import alerts


def wait_until(true: Callable[[], bool]) -> None:
    until_s = time.monotonic() + 20
    while not true() and time.monotonic() < until_s:
        time.sleep(0.01)
    assert true()


def alerting(serve: Serve, upstream: Upstream, service: Service | None) -> Served:
    upstream.reply(expect, answer())
    limits = {"money": {"cost_usd": 0.0001, "per": "day", "alert_at": [0.5, 0.3], "of": ["alias"]}}
    ledger = (
        {"alerts": {"url": service.url + "/hook?a=1", "secret": "s3cret", "allow_private": True}} if service else {}
    )
    config = config_for(upstream.base_url, limits=limits, ledger=ledger)
    config["deployments"]["up0"]["price"] = {"input_usd_mtok": 1.0, "output_usd_mtok": 10.0}
    return serve(config)


def test_levels_are_told_once(serve: Serve, upstream: Upstream, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "dragoman.ledger")
    with serving() as service:
        served = alerting(serve, upstream, service)
        assert served.chat(max_tokens=3).status == 200
        wait_until(lambda: len(service.asked) == 1)
        assert served.chat(max_tokens=3).status == 200
        wait_until(lambda: len(service.asked) == 2)
        (path, headers, first), (_, _, second) = service.asked
        (raw, _) = service.raw
    moment, signature = headers["x-dragoman-signature"].split(",")
    expected = hmac.new(b"s3cret", moment.removeprefix("t=").encode() + b"." + raw, hashlib.sha256).hexdigest()
    assert (path, signature) == ("/hook?a=1", f"v1={expected}")
    assert first.pop("at") <= time.time()
    assert first == {
        "event": "limit_level",
        "limit": "money",
        "who": "chat",
        "measure": "cost",
        "level": 0.3,
        "spent": 0.000039,
        "most": 0.0001,
        "period": "day",
    }
    assert (second["level"], second["spent"]) == (0.5, 0.000078)
    assert "limit money: 30 % of it is used by chat" in caplog.text


def test_what_reaches_nobody_is_logged(
    serve: Serve, upstream: Upstream, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "PAUSES_S", (0.01, 0.01))
    with serving() as service:
        service.status = 500
        served = alerting(serve, upstream, service)
        served.chat(max_tokens=3)
        wait_until(lambda: served.gateway.alerts.failures == 1)
        assert len(service.asked) == 3
    assert "could not be delivered: HTTP 500" in caplog.text


def test_the_log_alone(serve: Serve, upstream: Upstream, caplog: pytest.LogCaptureFixture) -> None:
    served = alerting(serve, upstream, None)
    served.chat(max_tokens=3)
    wait_until(lambda: "30 %" in caplog.text)
    assert served.gateway.alerts.failures == 0
