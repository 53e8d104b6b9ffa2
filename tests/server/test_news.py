from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import pytest
from tests.routing.test_probing import permitted

from dragoman.core import Balancer, Redis, Ticket
from dragoman.routing.probing import Probing
from dragoman.server.news import CHANNEL, Change, News, tell_of_change


class Heard(Change):
    """Changes, counted."""

    def __init__(self) -> None:
        self.count = 0

    def happened(self) -> None:
        self.count += 1


class Process:
    """One process, with two deployments."""

    def __init__(self, redis: Redis, name: str) -> None:
        self.balancer = Balancer()
        for member in ("a", "b"):
            self.balancer.register(member)
        self.changes = Heard()
        self.purged: list[Sequence[str]] = []
        self.probing = Probing(redis, self.balancer, name)
        self.news = News(self.probing, self.changes)
        self.news.on_purged = self.purged.append
        self.news.start()

    @property
    def cooling(self) -> dict[str, int]:
        members = self.balancer.members()
        return {member.name: round(member.cooldown_left_s) for member in members if member.cooldown_left_s}

    def fail(self, retry_after_s: float = 30) -> None:
        """The first deployment is limited for so long."""
        self.choose().finish_limited(retry_after_s)

    def choose(self) -> Ticket:
        """The first deployment."""
        ticket = self.balancer.choose(self.balancer.tier([0], [1.0], strategy="priority"))
        assert ticket is not None
        return ticket

    @property
    def breaker(self) -> str:
        """How the first deployment is."""
        return self.balancer.members()[0].breaker


def until(true: Callable[[], bool]) -> None:
    until_s = time.monotonic() + 10
    while not true() and time.monotonic() < until_s:
        time.sleep(0.005)
    assert true()


@pytest.fixture
def processes(redis: Redis) -> Iterator[list[Process]]:
    with ExitStack() as stack:
        started = [Process(redis, name) for name in ("p1", "p2")]
        for process in started:
            stack.callback(process.news.close)
        until(lambda: all(process.changes.count for process in started))  # each listens
        yield started


def test_a_change_is_told_to_all(processes: list[Process], redis: Redis) -> None:
    before = [process.changes.count for process in processes]
    assert tell_of_change(redis)
    until(lambda: all(process.changes.count > known for process, known in zip(processes, before, strict=True)))


def test_a_purge_is_told_to_the_others(processes: list[Process]) -> None:
    one, other = processes
    one.news.purged(["model:m", "key:k"])
    until(lambda: other.purged == [("model:m", "key:k")])
    assert one.purged == []


def test_a_cooldown_is_told_once_and_holds_elsewhere(processes: list[Process]) -> None:
    one, other = processes
    one.fail()
    until(lambda: other.cooling.keys() == {"a"})
    assert 28 <= other.cooling["a"] <= 30
    left_s = one.balancer.members()[0].cooldown_left_s
    for _ in range(3):
        one.news.look()
        other.news.look()
    time.sleep(0.05)
    assert one.balancer.members()[0].cooldown_left_s < left_s  # nobody has told it back


def test_what_a_probe_has_found_well_is_well_elsewhere(processes: list[Process]) -> None:
    one, other = processes
    for process in processes:
        process.fail(0.05)
    until(lambda: one.breaker == other.breaker == "open" and not one.cooling and not other.cooling)
    probe = one.choose()
    assert permitted(one.probing, probe)
    denied = other.choose()
    assert not permitted(other.probing, denied)
    assert (other.breaker, list(other.cooling)) == ("open", ["a"])
    one.news.look()
    assert one.breaker == "half_open"  # the other, which only waits, has told nobody of a cooldown
    probe.finish_success(1.0, 1.0, 1)
    until(lambda: one.breaker == other.breaker == "closed")
    one.news.look()
    other.news.look()
    assert (one.breaker, other.breaker) == ("closed", "closed")


@pytest.mark.parametrize(
    "word",
    [
        "rubbish",
        "{}",
        '{"type":"cooling"}',
        '{"type":"cooling","origin":"x","name":"a","left_s":-1}',
        '{"type":"cooling","origin":"x","name":"a","left_s":1e300}',
        '{"type":"cooling","origin":"x","name":"nobody","left_s":5}',
        '{"type":"recovered","origin":"x","name":"nobody"}',
        '{"type":"purged","origin":"p1","labels":["a"]}',
    ],
)
def test_what_makes_no_sense_is_not_heard(processes: list[Process], redis: Redis, word: str) -> None:
    one = processes[0]
    one.news.hear(word)
    assert redis.publish(CHANNEL, word)
    assert (one.cooling, one.purged) == ({}, [])


def test_waiting_for_a_change() -> None:
    async def main() -> None:
        change = Change(asyncio.get_running_loop())
        await change.within(0.001)
        change.happened()
        await change.within(60)
        await change.within(0.001)

    asyncio.run(main())
