from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dragoman.identity.rotating import RENEW_BEFORE_S, RETRY_AFTER_S, UNUSED_BEFORE_S, Lease, Rotating, Unavailable


class Source:
    """Where secrets come from, with a clock that the test sets."""

    def __init__(self, lasts_s: float = 3600.0) -> None:
        self.lasts_s = lasts_s
        self.at_s = 0.0
        self.fetched = 0
        self.broken = False
        self.gate = threading.Event()
        self.gate.set()
        self.rotating = Rotating(self.fetch, lambda: self.at_s)

    def fetch(self) -> Lease[str]:
        self.gate.wait(10)
        self.fetched += 1
        if self.broken:
            raise Unavailable("no")
        return Lease(f"secret {self.fetched}", self.at_s + self.lasts_s)

    def until(self, count: int) -> None:
        """Wait for the background to have fetched so often."""
        for _ in range(1000):
            if self.fetched >= count and not self.rotating._fetching.locked():
                return
            time.sleep(0.005)
        raise AssertionError(self.fetched)


def test_the_first_is_waited_for_and_the_rest_are_there() -> None:
    source = Source()
    assert source.rotating.current() is None
    assert source.rotating.wait() == "secret 1"
    assert source.rotating.current() == source.rotating.wait() == "secret 1"
    assert source.fetched == 1


def test_it_is_renewed_before_its_end_and_the_old_one_used_meanwhile() -> None:
    source = Source()
    source.rotating.wait()
    source.at_s = 3600 - RENEW_BEFORE_S
    source.gate.clear()
    assert [source.rotating.current() for _ in range(50)] == ["secret 1"] * 50
    source.gate.set()
    source.until(2)
    assert source.rotating.current() == "secret 2"
    assert source.fetched == 2


def test_many_who_wait_cause_one_fetch() -> None:
    source = Source()
    source.gate.clear()
    with ThreadPoolExecutor(16) as pool:
        waiting = [pool.submit(source.rotating.wait) for _ in range(16)]
        source.gate.set()
        assert {one.result(10) for one in waiting} == {"secret 1"}
    assert source.fetched == 1


def test_one_that_ends_at_once_is_not_used() -> None:
    source = Source()
    source.rotating.wait()
    source.at_s = 3600 - UNUSED_BEFORE_S
    assert source.rotating.current() is None
    assert source.rotating.wait() == "secret 2"


def test_a_short_lease_is_renewed_half_way() -> None:
    source = Source(lasts_s=120)
    source.rotating.wait()
    source.at_s = 59
    source.rotating.current()
    source.at_s = 60
    source.rotating.current()
    source.until(2)
    assert source.rotating.current() == "secret 2"


def test_a_failure_is_remembered_for_a_while() -> None:
    source = Source()
    source.broken = True
    for _ in range(3):
        with pytest.raises(Unavailable, match="no"):
            source.rotating.wait()
    assert source.fetched == 1
    source.at_s, source.broken = RETRY_AFTER_S, False
    assert source.rotating.wait() == "secret 2"


def test_a_failed_renewal_leaves_the_old_one() -> None:
    source = Source()
    source.rotating.wait()
    source.at_s, source.broken = 3600 - RENEW_BEFORE_S, True
    assert source.rotating.current() == "secret 1"
    source.until(2)
    assert [source.rotating.current() for _ in range(3)] == ["secret 1"] * 3
    assert source.fetched == 2
    source.at_s, source.broken = source.at_s + RETRY_AFTER_S, False
    source.rotating.current()
    source.until(3)
    assert source.rotating.current() == "secret 3"
