"""A strict audit log under load, and a process that is killed: what was answered is on record.

``DRAGOMAN_KILLS=300`` kills so often; three times otherwise.
"""

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

from tests.gateway.client import Client
from tests.gateway.gateway import Gateway
from tests.gateway.test_budgets import config

from dragoman.audit.check import check_log
from dragoman.audit.search import Wanted, search
from dragoman.core import audit_public_key

KILLS = int(os.environ.get("DRAGOMAN_KILLS", "3"))
BODY = json.dumps({"model": "vectors", "input": "Some words."}).encode()


def load(port: int, answered: list[str], stopped: threading.Event) -> None:
    """Ask until the server is gone; the ids of requests that were answered."""
    with contextlib.suppress(OSError), Client(port) as client:
        while not stopped.is_set():
            client.ask("POST", "/v1/embeddings", BODY)
            response = client.read()
            if response.status != 200 or not response.complete:
                return
            answered.append(response.headers["x-request-id"])


def test_what_was_answered_is_on_record(tmp_path: Path, say: Callable[[str], None]) -> None:
    told = config({}, audit={"mode": "strict", "segment_records": 100})
    chance, answered = random.Random(5), list[str]()
    for _ in range(KILLS):
        running = Gateway(told, tmp_path).__enter__()
        stopped = threading.Event()
        clients = [threading.Thread(target=load, args=(running.port, answered, stopped)) for _ in range(8)]
        for client in clients:
            client.start()
        time.sleep(chance.uniform(0.02, 0.3))
        for process in running.processes:
            os.kill(process, signal.SIGKILL)
        stopped.set()
        for client in clients:
            client.join()
        running.wait()
    with Gateway(told, tmp_path):
        pass  # the last to start signs what the others left
    data = tmp_path / "data"
    key = audit_public_key((data / "audit-signing.key").read_bytes())
    checked = check_log(data / "audit", key)
    recorded = {one.record.id for one in search(data / "audit", Wanted(fields={"kind": "request"}))}
    lost = set(answered) - recorded
    say(f"{KILLS} kills, {len(answered)} requests answered, {len(lost)} not on record, {len(checked.faults)} faults")
    assert answered
    assert (lost, checked.faults) == (set(), [])
