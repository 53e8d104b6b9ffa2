from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dragoman.errors import StoreError
from dragoman.store.lock import InstanceLock, one_at_a_time

HOLD = """
import sys, time
from pathlib import Path
from dragoman.store.lock import InstanceLock
lock = InstanceLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_owner_is_refused_with_the_firsts_process_id(tmp_path: Path) -> None:
    first = InstanceLock(tmp_path / "lock")
    with pytest.raises(StoreError, match=rf"process {os.getpid()}\b"):
        InstanceLock(tmp_path / "lock")
    first.release()
    InstanceLock(tmp_path / "lock").release()


def test_an_orderly_end_leaves_no_mark(tmp_path: Path) -> None:
    lock = InstanceLock(tmp_path / "lock")
    assert not lock.found_unclean
    lock.release()
    second = InstanceLock(tmp_path / "lock")
    assert not second.found_unclean
    second.release()


def test_an_abandoned_lock_is_free_and_keeps_its_mark(tmp_path: Path) -> None:
    InstanceLock(tmp_path / "lock").abandon()
    lock = InstanceLock(tmp_path / "lock")
    assert lock.found_unclean
    lock.release()


def test_a_killed_owner_leaves_the_lock_free_and_marked(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout is not None and owner.stdout.readline() == b"held\n"
        with pytest.raises(StoreError, match=f"process {owner.pid}"):
            InstanceLock(path)
        owner.send_signal(signal.SIGKILL)
    lock = InstanceLock(path)
    assert lock.found_unclean
    lock.release()


def test_the_file_is_the_owners_alone(tmp_path: Path) -> None:
    InstanceLock(tmp_path / "lock").release()
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


def test_a_place_that_cannot_be_written_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="lock file"):
        InstanceLock(tmp_path / "none" / "lock")


def test_those_that_start_together_take_turns(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        with one_at_a_time(tmp_path / "start.lock"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 5
