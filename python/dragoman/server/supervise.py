"""The parent process: small, holding nothing, keeping workers alive, each by itself.

A worker that dies is replaced within two seconds, with a pause that grows while it keeps dying and is never the same,
so that many gateways do not come back at the same instant; so is one that lives and has fallen silent (see ``pulse``),
once it has shown where it stands. Signals are passed on to all; what they mean is the
worker's business. Workers share their port: the kernel gives each connection to one of them. ``run`` turns itself into
this process, which imports next to nothing: it stays for as long as the gateway runs.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from random import uniform
from threading import Thread
from types import FrameType

BANNER_VARIABLE = "DRAGOMAN_BANNER"
ADDRESS_VARIABLE = "DRAGOMAN_ADDRESS"
WORKERS_VARIABLE = "DRAGOMAN_WORKERS"
NUMBER_VARIABLE = "DRAGOMAN_WORKER_NUMBER"
HEART_VARIABLE = "DRAGOMAN_HEART"
SILENT_VARIABLE = "DRAGOMAN_SILENT_S"
FELL_VARIABLE = "DRAGOMAN_FELL"
# How a process ends that something within it has brought down.
FALLS = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGSYS})
# The worker's end of the pipe that its pulse is heard through.
HEART_FILE = 3
# Has a worker write down where each of its threads stands.
SHOW = signal.SIGUSR2
SHOWN_WITHIN_S = 0.5
# For a worker that stood still because everything did, its supervisor as well.
SECOND_CHANCE_S = 2.0
WORKER = [sys.executable, "-m", "dragoman.server.worker"]
SLOWEST_RESPAWN_S = 30.0
SETTLED_AFTER_S = 10.0
# The worker's own word that it cannot start. Trying again is of no use, unless a file that was good is being mended.
EXIT_CONFIG = 78
# That it wants to be started anew.
EXIT_AGAIN = 75
POLL_S = 0.05
READY_WITHIN_S = 60.0


class Supervisor:
    """Keeps ``command`` running with the environment given: one worker."""

    def __init__(
        self,
        command: list[str],
        environ: dict[str, str],
        say: Callable[[str], None],
        name: str = "the worker",
        silent_s: float = 0.0,
    ) -> None:
        self.command = command
        self.environ = environ
        self.say = say
        self.name = name
        self.silent_s = silent_s  # a worker that was heard, and then not for so long, is replaced; 0: it is not
        self.worker = 0  # its process id; 0 while none runs
        self.stopping = False
        self.fell = False  # whether the one before was brought down

    def pass_on(self, number: int, _frame: FrameType | None) -> None:
        """A signal for the worker."""
        if number != signal.SIGHUP:
            self.stopping = True
        if self.worker:
            with suppress(ProcessLookupError):  # it has ended, and its end is about to be noticed
                os.kill(self.worker, signal.SIGTERM if number == signal.SIGINT else number)

    def run(self) -> int:
        """Run the worker until it ends in order or is told to stop; its exit status."""
        deaths = 0
        has_died = False
        while True:
            started_s = time.monotonic()
            status = self._run_once()
            if self.stopping or status == 0 or (status == EXIT_CONFIG and not has_died):
                return max(status, 0)
            has_died = True
            deaths = 0 if time.monotonic() - started_s > SETTLED_AFTER_S else deaths + 1
            pause_s = min(0.2 * 2**deaths, SLOWEST_RESPAWN_S) * uniform(0.5, 1.0)  # noqa: S311 - jitter
            self.say(f"{self.name} ended with status {status}; another starts in {pause_s:.1f} s")
            self._sleep(pause_s)
            if self.stopping:
                return 1

    def _run_once(self) -> int:
        """One worker's life; its exit status, negative for a signal."""
        heart, beats = os.pipe()
        environ = self.environ | {HEART_VARIABLE: "pipe"} | ({FELL_VARIABLE: "1"} if self.fell else {})
        actions = [(os.POSIX_SPAWN_DUP2, beats, HEART_FILE)]
        # A session of its own: the terminal's Ctrl-C reaches the worker through here alone, and once.
        self.worker = os.posix_spawn(self.command[0], self.command, environ, setsid=True, file_actions=actions)
        os.close(beats)
        if self.stopping:  # said before there was a worker to pass it on to
            os.kill(self.worker, signal.SIGTERM)
        stood_still = not self._hear(heart)
        os.close(heart)
        _, status = os.waitpid(self.worker, 0)
        self.worker = 0
        exit_code = os.waitstatus_to_exitcode(status)
        self.fell = stood_still or -exit_code in FALLS
        return exit_code

    def _hear(self, heart: int) -> bool:
        """Hear the worker until it ends; one that has stood still is ended. It may take its time to start, silently."""
        waits: list[float | None] = [None]
        while any(select.select([heart], [], [], wait)[0] for wait in waits):
            if not os.read(heart, 4096):
                return True
            waits = [self.silent_s, SECOND_CHANCE_S] if self.silent_s else [None]
        self.say(f"{self.name} has stood still for {self.silent_s:g} s and is killed; its threads stand here:")
        os.kill(self.worker, SHOW)
        time.sleep(SHOWN_WITHIN_S)
        os.kill(self.worker, signal.SIGKILL)
        return False

    def _sleep(self, seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s and not self.stopping:
            time.sleep(POLL_S)


class Crew:
    """Several supervisors, each with its worker: what ends one in order ends all."""

    def __init__(self, supervisors: list[Supervisor]) -> None:
        self.supervisors = supervisors

    def pass_on(self, number: int, frame: FrameType | None) -> None:
        """A signal for all workers."""
        for supervisor in self.supervisors:
            supervisor.pass_on(number, frame)

    def run(self) -> int:
        """Run until all have ended; the worst exit status."""
        if len(self.supervisors) == 1:
            return self.supervisors[0].run()
        found: list[int] = []

        def work(supervisor: Supervisor) -> None:
            found.append(supervisor.run())
            if not all(one.stopping for one in self.supervisors):
                self.pass_on(signal.SIGTERM, None)

        threads = [Thread(target=work, args=(supervisor,)) for supervisor in self.supervisors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return max(found)


def announce(address: str, banner: str, say: Callable[[str], None]) -> None:
    """Say ``banner`` once ``host port`` answers."""
    host, port = address.split()
    until_s = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until_s:
        try:
            with socket.create_connection((host, int(port)), timeout=1):
                say(banner)
                return
        except OSError:
            time.sleep(POLL_S)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def main() -> int:
    """Supervise workers with the environment that ``run`` prepared."""
    environ = dict(os.environ)
    banner, address = environ.pop(BANNER_VARIABLE, ""), environ.pop(ADDRESS_VARIABLE, "")
    silent_s = float(environ.pop(SILENT_VARIABLE, "0"))
    count = int(environ.get(WORKERS_VARIABLE, "1"))
    names = ["the worker"] if count == 1 else [f"worker {number}" for number in range(count)]
    crew = Crew(
        [
            Supervisor(WORKER, environ | {NUMBER_VARIABLE: str(number)}, _say, name, silent_s)
            for number, name in enumerate(names)
        ]
    )
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, crew.pass_on)
    if address:
        Thread(target=announce, args=(address, banner, _say), daemon=True).start()
    return crew.run()


if __name__ == "__main__":
    sys.exit(main())
