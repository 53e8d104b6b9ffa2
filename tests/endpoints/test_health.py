from __future__ import annotations

from typing import Any

import pytest
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream, answer, expect
from tests.served import Serve, Served

from dragoman.access.secret import create_secret
from dragoman.store import sqlite

ADMIN, PLAIN = create_secret(), create_secret()
KEYS = [{"name": "admin", "secret": ADMIN, "admin": True}, {"name": "plain", "secret": PLAIN}]


@pytest.fixture
def guarded(serve: Serve, upstream: Upstream) -> Served:
    return serve(config_for(upstream.base_url, keys=KEYS))


def test_health_needs_no_key_and_says_little(guarded: Served) -> None:
    answer = guarded.get("/healthz")
    assert (answer.status, answer.json) == (200, {"status": "ok"})


def test_ready(guarded: Served) -> None:
    answer = guarded.get("/readyz")
    assert (answer.status, answer.json) == (200, {"status": "ready", "snapshot": 1, "degraded": []})
    assert answer.headers["x-dragoman-snapshot"] == "1"


def test_not_ready_while_draining(guarded: Served) -> None:
    guarded.app.draining = True
    answer = guarded.get("/readyz")
    assert (answer.status, answer.json["status"]) == (503, "draining")
    assert guarded.get("/healthz").status == 200
    assert guarded.get("/metrics").status == 200


def test_a_bad_configuration_is_told(guarded: Served) -> None:
    guarded.gateway.note_problems(["dragoman.yaml:3: server.prot: unknown field"])
    ready = guarded.get("/readyz").json
    assert ready["config_problems"] == ["dragoman.yaml:3: server.prot: unknown field"]
    assert ready["degraded"] == ["config: the new configuration is not used"]
    assert ready["snapshot"] == 1


@pytest.mark.parametrize(
    ("headers", "shown"), [({}, False), ({"authorization": f"Bearer {PLAIN}"}, False), ({"x-api-key": ADMIN}, True)]
)
def test_deployments_are_shown_to_operators_alone(guarded: Served, headers: dict[str, str], shown: bool) -> None:
    assert ("deployments" in guarded.get("/readyz?verbose", **headers).json) == shown


def test_the_state_of_a_deployment(served: Served, upstream: Upstream) -> None:
    upstream.reply(expect, answer())
    assert served.chat().status == 200
    (state,) = served.get("/readyz?verbose").json["deployments"]
    assert state["name"].startswith("up0#")
    assert (state["breaker"], state["in_flight"], state["requests"], state["failures"]) == ("closed", 0, 1, 0)
    assert state["ewma_ms"] > 0
    assert "deployments" not in served.get("/readyz").json


def test_what_is_degraded_is_named(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    writer: Any = served.gateway.writer
    monkeypatch.setattr(writer, "dropped", 3)
    monkeypatch.setattr(type(served.gateway.keys), "stale_s", property(lambda _: 31.0))
    assert served.get("/readyz").json["degraded"] == [
        "usage: 3 rows were lost",
        "keys: not read from the database for 31 s",
    ]


def test_s5_a_reader_that_makes_the_log_grow_is_told_of(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "LOG_TOLD_BYTES", 4 << 20)
    engine = served.gateway.store.engine
    with engine.connect() as reader:
        reader.exec_driver_sql("BEGIN")
        reader.exec_driver_sql("SELECT count(*) FROM meta").scalar()
        assert served.get("/readyz").json["degraded"] == []
        for _ in range(6):
            with engine.begin() as connection:
                connection.exec_driver_sql("INSERT OR REPLACE INTO meta VALUES ('large', hex(randomblob(1000000)))")
        answer = served.get("/readyz")
        assert answer.status == 200
        assert "end whoever has been reading for so long" in answer.json["degraded"][0]
        reader.rollback()
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()
    assert served.get("/readyz").json["degraded"] == []
