"""P6: the power is cut, again and again. What was not synced is gone; what was promised is not among it."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pysqlite3 import dbapi2
from tests.gateway.client import Client
from tests.gateway.gateway import Gateway, free_port
from tests.gateway.power import Power
from tests.gateway.test_audit_kills import BODY
from tests.gateway.test_budgets import config

from dragoman.access.secret import create_secret
from dragoman.audit.check import Checked, check_log
from dragoman.audit.search import Wanted, search
from dragoman.core import audit_public_key

CUTS = int(os.environ.get("DRAGOMAN_CUTS", "2"))
# What `standard` may lose, and how long its writers may have been kept from the processor.
WINDOW_S = 1.0 + 4.0
Answered = dict[str, float]


@pytest.fixture
def power(tmp_path: Path) -> Power:
    (tmp_path / "disk").mkdir()
    return Power(tmp_path / "disk", tmp_path)


def ask(port: int, answered: Answered, stopped: threading.Event) -> None:
    """Ask until the server is gone; the requests that were answered, and when."""
    with contextlib.suppress(OSError), Client(port) as client:
        while not stopped.is_set():
            client.ask("POST", "/v1/embeddings", BODY)
            response = client.read()
            if response.status != 200 or not response.complete:
                return
            answered[response.headers["x-request-id"]] = time.monotonic()


def run_until_cut(power: Power, told: dict[str, Any], seconds: float) -> Answered:
    """Serve until the power is cut; the requests that were answered, and how long before that."""
    answered: Answered = {}
    running = Gateway(told, power.directory, power.environ).__enter__()
    stopped = threading.Event()
    clients = [threading.Thread(target=ask, args=(running.port, answered, stopped)) for _ in range(4)]
    for client in clients:
        client.start()
    time.sleep(seconds)
    cut_s = cut(power, running)
    stopped.set()
    for client in clients:
        client.join()
    return {request_id: cut_s - at_s for request_id, at_s in answered.items()}


def cut(power: Power, running: Gateway) -> float:
    """When it was."""
    cut_s = time.monotonic()
    for process in running.processes:
        os.kill(process, signal.SIGKILL)
    running.wait()
    power.cut()
    return cut_s


def checked(power: Power, told: dict[str, Any]) -> tuple[Checked, set[str]]:
    """The log, once a start has signed what was left of it, and the requests that are on record."""
    with Gateway(told, power.directory):
        pass
    data = power.directory / "data"
    key = audit_public_key((data / "audit-signing.key").read_bytes())
    recorded = {one.record.id for one in search(data / "audit", Wanted(fields={"kind": "request"}))}
    return check_log(data / "audit", key), recorded


def rows(power: Power) -> set[str]:
    with contextlib.closing(dbapi2.connect(power.directory / "data" / "dragoman.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {request_id for (request_id,) in connection.execute("SELECT request_id FROM usage")}


@pytest.mark.parametrize("mode", ["strict", "standard"])
def test_p06_of_what_was_answered_no_more_is_lost_than_is_said(
    power: Power, mode: str, say: Callable[[str], None]
) -> None:
    told = config({}, audit={"mode": mode, "segment_records": 100})
    chance, answered = random.Random(6), Answered()
    for _ in range(CUTS):
        answered |= run_until_cut(power, told, chance.uniform(0.3, 1.0) if mode == "strict" else WINDOW_S + 3.0)
    log, recorded = checked(power, told)
    lost = {request_id: before_s for request_id, before_s in answered.items() if request_id not in recorded}
    lost_rows = {request_id: answered[request_id] for request_id in answered.keys() - rows(power)}
    latest = max(lost.values(), default=0.0), max(lost_rows.values(), default=0.0)
    say(f"{CUTS} cuts of the power, {mode}: {len(answered)} requests answered, {len(log.faults)} faults of the log")
    for what, those, oldest_s in (("records", lost, latest[0]), ("rows", lost_rows, latest[1])):
        say(f"  {len(those)} of their {what} are gone, the oldest {oldest_s:.2f} s old")
    assert answered
    assert log.faults == []
    assert mode == "standard" or not lost
    assert max(latest) < WINDOW_S


def test_p06_what_an_operator_was_told_is_done(power: Power) -> None:
    root, port = create_secret(), free_port()
    told = config({}, keys=[{"name": "root", "secret": root, "admin": True}], admin={"enabled": True, "port": port})

    def admin(method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        with Client(port) as client:
            raw = b"" if body is None else json.dumps(body).encode()
            client.ask(method, f"/admin/v1{path}", raw, authorization=f"Bearer {root}")
            response = client.read()
            assert response.status in (200, 201), response.body
            return response.json

    running = Gateway(told, power.directory, power.environ).__enter__()
    kept, revoked = (admin("POST", "/keys", {"name": name}) for name in ("kept", "revoked"))
    admin("DELETE", f"/keys/{revoked['id']}")
    cut(power, running)
    with Gateway(told, power.directory) as running, Client(running.port) as client:
        statuses = []
        for made in (kept, revoked):
            client.ask("POST", "/v1/embeddings", BODY, authorization=f"Bearer {made['secret']}")
            statuses.append(client.read().status)
        assert statuses == [200, 401]
