"""The parent process: small, holding nothing, keeping one worker alive.

A worker that dies is replaced within two seconds, with a pause that grows while it keeps dying and is never the same,
so that many gateways do not come back at the same instant. Signals are passed on; what they mean is the worker's
business.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from random import uniform
from threading import Thread
from types import FrameType
from urllib.error import URLError

import click
import msgspec

from dragoman.server.spec import SPEC_VARIABLE, WorkerSpec

SLOWEST_RESPAWN_S = 30.0
SETTLED_AFTER_S = 10.0
# The worker's own word that it cannot start: trying again is of no use.
EXIT_CONFIG = 78
POLL_S = 0.05


def supervise(spec: WorkerSpec, ready: Callable[[], None]) -> int:
    """Run the worker until it ends in order or is told to stop; its exit status. Calls ``ready`` once it answers."""
    supervisor = _Supervisor(spec)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, supervisor.pass_on)
    Thread(target=_wait_until_ready, args=(spec, ready), daemon=True).start()
    return supervisor.run()


class _Supervisor:
    def __init__(self, spec: WorkerSpec) -> None:
        self.environ = os.environ | {SPEC_VARIABLE: msgspec.json.encode(spec).decode()}
        self.worker: subprocess.Popen[bytes] | None = None
        self.stopping = False

    def pass_on(self, number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGHUP:
            self.stopping = True
        if self.worker is not None and self.worker.poll() is None:
            self.worker.send_signal(signal.SIGTERM if number == signal.SIGINT else number)

    def run(self) -> int:
        deaths = 0
        while True:
            started_s = time.monotonic()
            self.worker = subprocess.Popen(
                [sys.executable, "-m", "dragoman.server.worker"], env=self.environ, start_new_session=True
            )
            status = self.worker.wait()
            if self.stopping or status in {0, EXIT_CONFIG}:
                return max(status, 0)
            deaths = 0 if time.monotonic() - started_s > SETTLED_AFTER_S else deaths + 1
            pause_s = min(0.2 * 2**deaths, SLOWEST_RESPAWN_S) * uniform(0.5, 1.0)  # noqa: S311 - jitter
            click.echo(f"the worker ended with status {status}; another starts in {pause_s:.1f} s", err=True)
            self._sleep(pause_s)
            if self.stopping:
                return 1

    def _sleep(self, seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s and not self.stopping:
            time.sleep(POLL_S)


def _wait_until_ready(spec: WorkerSpec, ready: Callable[[], None]) -> None:
    host = f"[{spec.address}]" if ":" in spec.address else spec.address
    url = f"http://{host}:{spec.port}/healthz"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    until_s = time.monotonic() + 60
    while time.monotonic() < until_s:
        try:
            with opener.open(url, timeout=1):
                ready()
                return
        except (URLError, OSError):
            time.sleep(POLL_S)
