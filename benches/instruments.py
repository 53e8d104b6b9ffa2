"""What measuring takes: programs pinned to a core, their CPU time and memory, and the load generator.

The driver (mock upstream and load generator) has one core and whatever is measured has another, so that neither takes
time from the other and CPU time a request can be compared between programs of any number of threads.
"""

from __future__ import annotations

import json
import os
import resource
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TICKS_S = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
DRIVER_CORE, SUBJECT_CORE = CORES[0], CORES[-1]
# Usage rows are written after their answers: what they cost belongs to the requests.
SETTLE_S = 0.5


class BenchError(Exception):
    """A program did not start, or a run could not be measured."""


@dataclass
class Program:
    """A running program and all its descendants."""

    pid: int
    log: Path | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @classmethod
    def start(cls, command: Sequence[str], *, core: int, log: Path, env: Mapping[str, str] | None = None) -> Program:
        """Start a program pinned to ``core``, its output going to ``log``."""

        def pin() -> None:
            os.sched_setaffinity(0, {core})

        with log.open("wb") as out:
            process = subprocess.Popen(
                list(command), stdout=out, stderr=out, env={**os.environ, **(env or {})}, preexec_fn=pin, cwd=log.parent
            )
        return cls(process.pid, log, process)

    def stop(self) -> None:
        """End it: asked first, forced after ten seconds. A program that was running before stays."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            for pid in reversed(self.tree()):
                os.kill(pid, signal.SIGKILL)
            self.process.wait()

    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process is None or self.process.poll() is None

    def said(self) -> str:
        """Return the end of what it printed."""
        return self.log.read_text(errors="replace")[-2000:] if self.log and self.log.exists() else ""

    def tree(self) -> list[int]:
        """Return the process ids of the program and its descendants."""
        found = [self.pid]
        for pid in found:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                found.extend(int(child) for child in _read(children).split())
        return found

    def cpu_s(self) -> float:
        """User and system time of the tree, reaped children included."""
        ticks = 0
        for pid in self.tree():
            fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
        return ticks / TICKS_S

    def rss_mb(self) -> float:
        """Resident memory of the tree, as ``ps`` shows it: what two processes share counts in both."""
        pages = 0
        for pid in self.tree():
            fields = _read(Path(f"/proc/{pid}/statm")).split()
            pages += int(fields[1]) if fields else 0
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def files(self) -> int:
        """Open files of the tree."""
        return sum(len(list(Path(f"/proc/{pid}/fd").glob("*"))) for pid in self.tree())


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""  # it ended in between


def raise_file_limit() -> None:
    """Allow as many open files as the system lets us: a thousand streams are three thousand sockets."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(ready: Callable[[], bool], program: Program, *, timeout_s: float = 30.0) -> float:
    """Poll until ``ready``; return the seconds it took."""
    started = time.monotonic()
    while not ready():
        if not program.alive():
            raise BenchError(f"it ended before it answered:\n{program.said()}")
        if time.monotonic() - started > timeout_s:
            raise BenchError(f"no answer within {timeout_s:.0f} s:\n{program.said()}")
        time.sleep(0.002)
    return time.monotonic() - started


@dataclass(frozen=True)
class Tools:
    """The two Rust programs."""

    mock: Path
    load: Path

    @classmethod
    def find(cls, *, build: bool) -> Tools:
        """Find both where cargo puts them, built for release first if asked."""
        command = ["cargo", "build", "--release", "--quiet", "-p", "dragoman-benches", "--bin", "mock", "--bin", "load"]
        if build and subprocess.run(command, cwd=ROOT).returncode != 0:
            raise BenchError("the mock upstream and the load generator do not build")
        folder = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
        return cls(folder / "mock", folder / "load")

    def load_command(self, mode: str, url: str, headers: Sequence[str], options: Mapping[str, object]) -> list[str]:
        """Spell a run of the load generator."""
        command = [str(self.load), mode, "--url", url]
        for header in headers:
            command += ["--header", header]
        for name, value in options.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        return command

    def run_load(self, command: Sequence[str], watch: Callable[[], None] | None = None) -> dict[str, Any]:
        """Run the load generator; ``watch`` is called every half second meanwhile. Return its report."""
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: os.sched_setaffinity(0, {DRIVER_CORE}),
        )
        while watch is not None and process.poll() is None:
            watch()
            time.sleep(0.5)
        out, errors = process.communicate()
        if process.returncode != 0:
            raise BenchError(f"{shlex.join(command)}\n{errors.decode(errors='replace')}")
        report: dict[str, Any] = json.loads(out)
        return report
