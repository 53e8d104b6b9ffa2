from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import pytest

from dragoman.core import Balancer, Redis
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
        self.news = News(redis, name, self.balancer, self.changes)
        self.news.on_purged = self.purged.append
        self.news.start()

    @property
    def cooling(self) -> dict[str, int]:
        members = self.balancer.members()
        return {member.name: round(member.cooldown_left_s) for member in members if member.cooldown_left_s}

    def fail(self) -> None:
        """The first deployment is limited for half a minute."""
        ticket = self.balancer.choose(self.balancer.tier([0], [1.0], strategy="priority"))
        assert ticket is not None
        ticket.finish_limited(30)


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


@pytest.mark.parametrize(
    "word",
    [
        "rubbish",
        "{}",
        '{"type":"cooling"}',
        '{"type":"cooling","origin":"x","name":"a","left_s":-1}',
        '{"type":"cooling","origin":"x","name":"a","left_s":1e300}',
        '{"type":"cooling","origin":"x","name":"nobody","left_s":5}',
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
