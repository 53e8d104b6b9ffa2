from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.core.awaited import answered
from tests.store.valkey import Valkey

from dragoman.core import Balancer, Redis, Ticket
from dragoman.driver import Driver
from dragoman.routing import probing as probing_module
from dragoman.routing.probing import LEASE_S, Probing


class Process:
    """One process, with one deployment that has failed and whose cooldown is over."""

    def __init__(self, redis: Redis, name: str) -> None:
        self.balancer = Balancer()
        self.balancer.freeze(0)
        self.balancer.register("a")
        self.tier = self.balancer.tier([0], [1.0], strategy="priority")
        self.choose().finish_limited(1)
        self.balancer.freeze(1)
        self.probing = Probing(redis, self.balancer, name)

    def choose(self) -> Ticket:
        """The deployment, whatever it is chosen for."""
        ticket = self.balancer.choose(self.tier)
        assert ticket is not None
        return ticket

    @property
    def state(self) -> tuple[str, float]:
        """The breaker, and how long it cools down yet."""
        (member,) = self.balancer.members()
        return member.breaker, round(member.cooldown_left_s, 2)


def permitted(probing: Probing, ticket: Ticket) -> bool:
    """Whether the attempt may be made, once that is known."""
    found: list[bool] = []

    async def ask() -> None:
        found.append(await probing.permits(ticket))

    loop = asyncio.new_event_loop()
    Driver(ask(), None, loop).start()
    until(lambda: bool(found))
    loop.close()
    return found[0]


def until(true: Callable[[], bool]) -> None:
    until_s = time.monotonic() + 10
    while not true() and time.monotonic() < until_s:
        time.sleep(0.001)
    assert true()


@pytest.fixture
def processes(redis: Redis) -> list[Process]:
    return [Process(redis, f"p{number}") for number in range(16)]


def left(redis: Redis) -> bytes | None:
    """What is said of the deployment in Redis."""
    return answered(redis.get(b"probe:a"))


def test_of_sixteen_processes_one_probes(processes: list[Process]) -> None:
    tickets = [process.choose() for process in processes]
    assert {ticket.reason for ticket in tickets} == {"probe"}
    one, *others = processes
    assert [permitted(process.probing, ticket) for process, ticket in zip(processes, tickets, strict=True)] == [
        True,
        *[False] * 15,
    ]
    assert one.state == ("half_open", 0)
    for process in others:
        breaker, left_s = process.state
        assert breaker == "open"
        assert 0 < left_s <= LEASE_S
        assert process.choose().reason == "last_resort"


def test_what_is_well_costs_nothing(redis: Redis) -> None:
    balancer = Balancer()
    balancer.register("a")
    ticket = balancer.choose(balancer.tier([0], [1.0], strategy="priority"))
    assert ticket is not None
    probing = Probing(redis, balancer, "p")
    coroutine = probing.permits(ticket)
    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)
    assert ended.value.value is True
    assert (probing.look(), left(redis)) == ([], None)


def test_what_has_come_of_it_is_known_to_whoever_asks(processes: list[Process], redis: Redis) -> None:
    one, other, third = processes[:3]
    probe = one.choose()
    assert permitted(one.probing, probe)
    probe.finish_failure(30)
    assert one.probing.look() == []
    until(lambda: left(redis) == b"ill")
    assert not permitted(other.probing, other.choose())
    breaker, left_s = other.state
    assert breaker == "open"
    assert 25 < left_s <= 30
    redis.put(b"probe:a", b"", 0.001)
    until(lambda: left(redis) is None)
    one.balancer.freeze(40)
    probe = one.choose()
    assert permitted(one.probing, probe)
    probe.finish_success(1.0, 1.0, 1)
    assert one.probing.look() == ["a"]
    until(lambda: left(redis) == b"well")
    assert not permitted(third.probing, third.choose())
    assert third.state == ("closed", 0)
    assert third.choose().reason != "probe"
    assert one.probing.look() == []  # said once


def test_a_probe_that_was_cancelled_leaves_its_place(processes: list[Process], redis: Redis) -> None:
    one, other = processes[:2]
    probe = one.choose()
    assert permitted(one.probing, probe)
    probe.finish_cancelled(None)
    again = one.choose()
    assert again.reason == "probe"
    assert permitted(one.probing, again)
    again.finish_cancelled(None)
    assert one.probing.look() == []
    until(lambda: left(redis) is None)
    assert permitted(other.probing, other.choose())


def test_the_right_lasts_while_the_probe_is_out_and_not_much_longer(
    processes: list[Process], redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing_module, "LEASE_S", 0.001)
    one, other = processes[:2]
    probe = one.choose()
    assert permitted(one.probing, probe)
    until(lambda: left(redis) is None)  # as if nothing was heard of it
    monkeypatch.undo()
    one.probing.look()
    until(lambda: left(redis) == b"p0")
    assert not permitted(other.probing, other.choose())
    redis.put(b"probe:a", b"", 0.001)
    until(lambda: left(redis) is None)
    other.balancer.freeze(1 + LEASE_S)
    assert permitted(other.probing, other.choose())


def test_without_redis_each_probes_for_itself(tmp_path: Path) -> None:
    with Valkey(tmp_path) as server:
        redis = Redis(server.url, timeout_s=0.05)
        assert redis.ready(10)
        processes = [Process(redis, f"p{number}") for number in range(3)]
        server.halt()
        probes = [process.choose() for process in processes]
        assert all(permitted(process.probing, ticket) for process, ticket in zip(processes, probes, strict=True))
        assert {process.state for process in processes} == {("half_open", 0)}


def test_on_the_event_loop(processes: list[Process]) -> None:
    async def main() -> list[bool]:
        return [await process.probing.permits_on_loop(process.choose()) for process in processes[:2]]

    assert asyncio.run(main()) == [True, False]
