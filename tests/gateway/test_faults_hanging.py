"""What the gateway does with workers that hang (P14), and with requests that bring workers down (P11)."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.gateway.client import chat
from tests.gateway.gateway import Gateway, config_for
from tests.gateway.test_faults_process import answers, wait_for, worker
from tests.gateway.upstream import Connection, Upstream, answer, expect, hold

# By a signal, the worker's main thread stands still: what it holds meanwhile is the loop, or the interpreter as well.
HANGS = {"the loop": "time.sleep(600)", "the interpreter": "ctypes.PyDLL(None).sleep(600)"}
CUSTOMIZED = """
import ctypes, signal, time

def stand_still(number, frame):
    {how}

signal.signal(signal.SIGUSR1, stand_still)
"""


def status(gateway: Gateway) -> str:
    """What readiness says; nothing, where nobody answers."""
    with contextlib.suppress(OSError):
        return str(gateway.get("/readyz").json["status"])
    return ""


@pytest.mark.parametrize("what", HANGS)
def test_p14_a_worker_that_hangs_is_not_ready_and_replaced(upstream: Upstream, tmp_path: Path, what: str) -> None:
    upstream.reply(expect, answer())
    (tmp_path / "sitecustomize.py").write_text(CUSTOMIZED.format(how=HANGS[what]))
    environ = {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    with Gateway(config_for(upstream.base_url, server={"silent_s": 4}), tmp_path, environ) as started:
        assert chat(started.port).status == 200
        hung = worker(started)
        os.kill(hung, signal.SIGUSR1)
        if what == "the loop":
            wait_for(lambda: status(started) == "hanging", "readiness that fails")
        assert started.processes[1] == hung
        wait_for(lambda: len(started.processes) == 2 and started.processes[1] != hung, "another worker")
        wait_for(lambda: answers(started), "an answer")
        assert chat(started.port).status == 200
        assert "has stood still for 4 s and is killed" in started.output
        assert "in stand_still" in started.output
        time.sleep(0.1)
        assert status(started) == "ready"
        assert len([row for row in started.rows(2) if row["status"] == 200]) == 2


def test_p11_a_request_that_brings_workers_down_is_refused_and_others_are_not(
    upstream: Upstream, tmp_path: Path, say: Callable[[str], None]
) -> None:
    poison = [{"role": "user", "content": "poison"}]
    with Gateway(config_for(upstream.base_url, server={"drain_s": 0.5}), tmp_path) as started:

        def strike(connection: Connection) -> None:
            if connection.request is not None and b"poison" in connection.request.body:
                os.kill(worker(started), signal.SIGSEGV)
                hold(connection)

        upstream.reply(expect, strike, answer())
        falls = 0
        while falls < 10:
            assert chat(started.port).status == 200
            with contextlib.suppress(ConnectionError):
                refused = chat(started.port, messages=poison)
                break
            falls += 1
            wait_for(lambda: status(started) == "ready", "another worker")
        assert falls == 3
        assert (refused.status, refused.error["code"]) == (422, "request_quarantined")
        assert sum(b"poison" in sent.body for sent in upstream.requests) == falls
        assert "1 requests that brought down workers are refused" in started.get("/readyz").json["degraded"][0]
        assert chat(started.port).status == 200
        say(f"a request that kills: refused after {falls} workers")
