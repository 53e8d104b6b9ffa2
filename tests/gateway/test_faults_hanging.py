"""What the gateway does when a worker lives and does nothing: its loop stands still, or Python does (P14)."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

import pytest
from tests.gateway.client import chat
from tests.gateway.gateway import Gateway, config_for
from tests.gateway.test_faults_process import answers, wait_for, worker
from tests.gateway.upstream import Upstream, answer, expect

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
