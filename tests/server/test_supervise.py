"""The supervisor with workers that are scripts: what it starts, passes on, and answers."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from dragoman.server.supervise import (
    ADDRESS_VARIABLE,
    BANNER_VARIABLE,
    HEART_FILE,
    HEART_VARIABLE,
    NUMBER_VARIABLE,
    SILENT_VARIABLE,
    WORKERS_VARIABLE,
    Supervisor,
)

PATIENCE_S = 30.0


class Supervised:
    """A supervisor in a process of its own, whose worker is this Python code. Use it as a context manager."""

    def __init__(self, directory: Path, worker: str, environ: dict[str, str] | None = None) -> None:
        self.starts = directory / "starts"
        self.signals = directory / "signals"
        script = directory / "worker.py"
        script.write_text(textwrap.dedent(worker))
        code = f"""
            import sys
            from dragoman.server import supervise

            supervise.WORKER = [sys.executable, {str(script)!r}, {str(directory)!r}]
            sys.exit(supervise.main())
        """
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env=os.environ | (environ or {}),
        )

    def __enter__(self) -> Supervised:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in [self.process.pid, *self._read(self.starts)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.communicate()

    def wait(self) -> tuple[int, str]:
        """The exit status and all output."""
        output, _ = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, output

    def started(self, count: int) -> list[int]:
        """The process ids of the workers, once there have been so many."""
        return self._lines(self.starts, count)

    def signalled(self, count: int) -> list[int]:
        """The signals that workers got, once there were so many."""
        return self._lines(self.signals, count)

    def _lines(self, path: Path, count: int) -> list[int]:
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s:
            lines = self._read(path)
            if len(lines) >= count:
                return lines
            time.sleep(0.01)
        raise AssertionError(f"{path.name}: not {count} in time")

    @staticmethod
    def _read(path: Path) -> list[int]:
        return [int(line) for line in path.read_text().split()] if path.exists() else []


NOTES = """
    import os, signal, sys, time

    def note(name, number):
        with open(os.path.join(sys.argv[1], name), "a") as file:
            file.write(f"{number}\\n")

    def handle(number, frame):
        note("signals", number)
        if number in {signal.SIGTERM, signal.SIGQUIT}:
            os._exit(0)  # an exception would be lost where the signal comes while something is thrown away

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, handle)
    note("starts", os.getpid())
"""
LASTING = NOTES + "    while True:\n        time.sleep(0.05)\n"


def test_a_worker_that_ends_in_order_ends_it_all(tmp_path: Path) -> None:
    with Supervised(tmp_path, NOTES + "    sys.exit(0)\n") as supervised:
        assert supervised.wait()[0] == 0
        assert len(supervised.started(1)) == 1


def test_a_worker_that_cannot_start_is_not_tried_again(tmp_path: Path) -> None:
    with Supervised(tmp_path, NOTES + "    sys.exit(78)\n") as supervised:
        assert supervised.wait()[0] == 78
        assert len(supervised.started(1)) == 1


def test_a_file_that_went_bad_meanwhile_is_waited_for(tmp_path: Path) -> None:
    """What has served once is not given up for a file that is being mended."""
    once_good = (
        NOTES
        + """
    if len(open(os.path.join(sys.argv[1], "starts")).read().split()) > 1:
        sys.exit(78)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    )
    with Supervised(tmp_path, once_good) as supervised:
        supervised.started(4)
        supervised.process.send_signal(signal.SIGTERM)
        assert supervised.wait()[0] in {0, 1, 78}  # the worker may be on its way out


def test_a_worker_that_dies_is_replaced_ever_more_slowly(tmp_path: Path) -> None:
    with Supervised(tmp_path, NOTES + "    sys.exit(1)\n") as supervised:
        supervised.started(5)
        supervised.process.send_signal(signal.SIGTERM)
        status, output = supervised.wait()
        assert status in {0, 1}
        pauses = [float(line.split()[-2]) for line in output.splitlines() if "another starts" in line]
        assert len(pauses) >= 4
        for number, pause_s in enumerate(pauses):
            longest_s = 0.2 * 2 ** (number + 1)
            assert longest_s / 2 - 0.1 <= pause_s <= longest_s + 0.1


def test_a_worker_that_was_killed_is_replaced(tmp_path: Path) -> None:
    with Supervised(tmp_path, LASTING) as supervised:
        (first,) = supervised.started(1)
        os.kill(first, signal.SIGKILL)
        second = supervised.started(2)[1]
        assert second != first
        supervised.process.send_signal(signal.SIGTERM)
        assert supervised.wait()[0] == 0


@pytest.mark.parametrize(
    ("sent", "passed"),
    [
        (signal.SIGTERM, [signal.SIGTERM]),
        (signal.SIGINT, [signal.SIGTERM]),
        (signal.SIGQUIT, [signal.SIGQUIT]),
    ],
)
def test_a_stop_is_passed_on_and_waited_for(tmp_path: Path, sent: int, passed: list[int]) -> None:
    with Supervised(tmp_path, LASTING) as supervised:
        supervised.started(1)
        supervised.process.send_signal(sent)
        assert supervised.wait()[0] == 0
        assert supervised.signalled(1) == passed
        assert len(supervised.started(1)) == 1


def test_a_reload_is_passed_on_and_stops_nothing(tmp_path: Path) -> None:
    with Supervised(tmp_path, LASTING) as supervised:
        supervised.started(1)
        supervised.process.send_signal(signal.SIGHUP)
        assert supervised.signalled(1) == [signal.SIGHUP]
        assert supervised.process.poll() is None
        supervised.process.send_signal(signal.SIGTERM)
        assert supervised.wait()[0] == 0
        assert supervised.signalled(2) == [signal.SIGHUP, signal.SIGTERM]


ANSWERING = """
    import socket

    listener = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
    while True:
        listener.accept()
"""


def test_what_to_try_is_said_once_the_worker_listens(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    environ = {"PORT": port, BANNER_VARIABLE: "Try this.", ADDRESS_VARIABLE: f"127.0.0.1 {port}"}
    with Supervised(tmp_path, NOTES + ANSWERING, environ) as supervised:
        assert supervised.process.stdout is not None
        assert supervised.process.stdout.readline() == "Try this.\n"
        supervised.process.send_signal(signal.SIGTERM)
        assert supervised.wait()[0] == 0


def test_what_was_said_is_not_the_worker_s_to_see(tmp_path: Path) -> None:
    environ = {BANNER_VARIABLE: "b", "OTHER": "o"}
    code = (
        NOTES
        + """
    sys.exit(BANNER in os.environ or os.environ["OTHER"] != "o")
"""
    )
    with Supervised(tmp_path, code.replace("BANNER in", f"{BANNER_VARIABLE!r} in"), environ) as supervised:
        assert supervised.wait()[0] == 0


def test_a_stop_before_the_worker_runs_is_not_forgotten() -> None:
    said: list[str] = []
    supervisor = Supervisor(
        [sys.executable, "-c", "import sys, time; time.sleep(3); sys.exit(5)"], dict(os.environ), said.append
    )
    supervisor.pass_on(signal.SIGTERM, None)
    assert supervisor.run() == 0
    assert said == []


def test_a_signal_for_a_worker_that_has_just_ended_is_nobody_s() -> None:
    supervisor = Supervisor([], {}, lambda _: None)
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    supervisor.worker = child.pid
    supervisor.pass_on(signal.SIGHUP, None)
    assert not supervisor.stopping


def test_it_imports_next_to_nothing() -> None:
    code = "import sys, dragoman.server.supervise; print(*sorted(sys.modules))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"dragoman", "dragoman.server"} < set(output)
    assert {name.partition(".")[0] for name in output} & {
        "msgspec",
        "click",
        "granian",
        "sqlalchemy",
        "asyncio",
    } == set()


def test_workers_are_kept_alive_each_by_itself(tmp_path: Path) -> None:
    numbered = (
        NOTES + f"    note('numbers', os.environ[{NUMBER_VARIABLE!r}])\n    while True:\n        time.sleep(0.05)\n"
    )
    with Supervised(tmp_path, numbered, {WORKERS_VARIABLE: "3"}) as supervised:
        first = supervised.started(3)
        os.kill(first[1], signal.SIGKILL)
        assert set(supervised.started(4)[3:]).isdisjoint(first)
        assert sorted(supervised._lines(tmp_path / "numbers", 4)[:3]) == [0, 1, 2]
        supervised.process.send_signal(signal.SIGHUP)
        assert supervised.signalled(3) == [signal.SIGHUP] * 3
        supervised.process.send_signal(signal.SIGTERM)
        status, output = supervised.wait()
        assert status == 0
        assert supervised.signalled(6)[3:] == [signal.SIGTERM] * 3
        assert len([line for line in output.splitlines() if line.startswith("worker ")]) == 1


def test_a_worker_that_cannot_start_ends_all(tmp_path: Path) -> None:
    second = NOTES + f"    sys.exit(78) if os.environ[{NUMBER_VARIABLE!r}] == '1' else None\n"
    with Supervised(
        tmp_path, second + "    while True:\n        time.sleep(0.05)\n", {WORKERS_VARIABLE: "2"}
    ) as supervised:
        assert supervised.wait()[0] == 78


BEATING = (
    NOTES
    + f"""
    def beat():
        os.write({HEART_FILE}, b".")

    assert os.environ[{HEART_VARIABLE!r}]
    is_first = len(open(os.path.join(sys.argv[1], "starts")).read().split()) == 1
"""
)


def test_p14_a_worker_that_was_heard_and_is_silent_is_replaced(tmp_path: Path) -> None:
    code = """
    import faulthandler
    faulthandler.register(signal.SIGUSR2)

    def stands_still():
        while True:
            time.sleep(0.05)

    beat()
    if is_first:
        stands_still()
    while True:
        beat()
        time.sleep(0.05)
"""
    with Supervised(tmp_path, BEATING + code, {SILENT_VARIABLE: "0.5"}) as supervised:
        first, second = supervised.started(2)
        assert first != second
        supervised.process.send_signal(signal.SIGTERM)
        status, output = supervised.wait()
    assert status == 0
    assert "the worker has stood still for 0.5 s and is killed; its threads stand here:" in output
    assert "in stands_still" in output
    assert output.count("stood still") == 1
    assert "the worker ended with status -9" in output


def test_p14_a_worker_may_take_its_time_to_start_and_to_end(tmp_path: Path) -> None:
    code = f"""
    time.sleep(3.5)
    beat()
    os.close({HEART_FILE})
    time.sleep(3.5)
    sys.exit(0)
"""
    with Supervised(tmp_path, BEATING + code, {SILENT_VARIABLE: "0.2"}) as supervised:
        status, output = supervised.wait()
        assert (status, len(supervised.started(1))) == (0, 1)
    assert "stood still" not in output


def test_a_silent_worker_is_let_be_where_that_is_said(tmp_path: Path) -> None:
    with Supervised(tmp_path, BEATING + "    beat()\n    time.sleep(3.5)\n", {SILENT_VARIABLE: "0"}) as supervised:
        assert supervised.wait()[0] == 0
        assert len(supervised.started(1)) == 1
