from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream, answer, expect, until
from tests.served import Protocol, Serve, Served, chat_body

from dragoman.access.principal import Principal
from dragoman.access.secret import create_secret
from dragoman.config.queueing import Queue
from dragoman.driver import Driver
from dragoman.routing.waiting import Line, team_of

FOREVER_S = 1e9


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    running = asyncio.new_event_loop()
    thread = threading.Thread(target=running.run_forever)
    thread.start()
    yield running
    running.call_soon_threadsafe(running.stop)
    thread.join(10)
    running.close()


class Waiting:
    """Those who wait in a line, in the order in which they come up."""

    def __init__(self, loop: asyncio.AbstractEventLoop, **fields: Any) -> None:
        self.line = Line(loop, Queue(**{"max_wait_s": 60.0} | fields))
        self.loop = loop
        self.served: list[str] = []
        self.refused: list[str] = []
        self.ended = threading.Semaphore(0)

    def join(self, team: str, *members: int, deadline_s: float = FOREVER_S, has_room: bool = False) -> None:
        principal = Principal(key_id="k", name="k", team=team)

        async def wait() -> None:
            well = await self.line.wait(principal, frozenset(members or (1,)), deadline_s, lambda: has_room)
            (self.served if well else self.refused).append(team)
            self.ended.release()

        Driver(wait(), None, self.loop).start()

    def free(self, count: int = 1, member: int = 1) -> list[str]:
        for _ in range(count):
            self.line.freed(member)
            assert self.ended.acquire(timeout=10)
        return self.served


def test_one_s_own_come_up_in_their_order(loop: asyncio.AbstractEventLoop) -> None:
    waiting = Waiting(loop)
    for team in ("a", "b", "c"):
        waiting.join(team)
    assert waiting.line.length == 3
    assert waiting.free(3) == ["a", "b", "c"]
    assert (waiting.line.length, waiting.line.waited) == (0, 3)


def test_a_team_with_many_does_not_keep_others_waiting(loop: asyncio.AbstractEventLoop) -> None:
    waiting = Waiting(loop)
    for _ in range(10):
        waiting.join("noisy")
    waiting.join("quiet")
    assert waiting.free(2)[-1] == "quiet"


def test_teams_are_served_by_their_weights(loop: asyncio.AbstractEventLoop) -> None:
    waiting = Waiting(loop, weights={"gold": 3.0})
    for _ in range(40):
        waiting.join("gold")
        waiting.join("plain")
    served = waiting.free(40)
    assert 29 <= served.count("gold") <= 31


def test_whoever_waits_for_another_is_passed_over(loop: asyncio.AbstractEventLoop) -> None:
    waiting = Waiting(loop)
    waiting.join("first", 2)
    waiting.join("second", 1, 3)
    assert waiting.line.is_before([2])
    assert not waiting.line.is_before([4])
    assert waiting.free(1, member=3) == ["second"]
    waiting.line.freed(1)  # for whom nobody waits
    assert waiting.free(1, member=2) == ["second", "first"]


def test_a_full_line_gives_way_to_those_who_have_less_in_it(loop: asyncio.AbstractEventLoop) -> None:
    waiting = Waiting(loop, max_waiting=3)
    for _ in range(4):
        waiting.join("noisy")
    assert waiting.ended.acquire(timeout=10)
    assert waiting.refused == ["noisy"]  # the newcomer
    waiting.join("quiet")
    assert waiting.ended.acquire(timeout=10)
    assert waiting.refused == ["noisy", "noisy"]  # the last of them
    assert sorted(waiting.free(3)) == ["noisy", "noisy", "quiet"]


def test_nobody_waits_longer_than_they_may(loop: asyncio.AbstractEventLoop) -> None:
    waiting = Waiting(loop)
    waiting.join("late", deadline_s=time.monotonic() - 1)
    waiting.join("soon", deadline_s=time.monotonic() + 0.05)
    for _ in range(2):
        assert waiting.ended.acquire(timeout=10)
    assert waiting.refused == ["late", "soon"]
    assert (waiting.line.length, waiting.line.turned_away) == (0, 2)


def test_room_that_came_before_the_place_is_not_missed(loop: asyncio.AbstractEventLoop) -> None:
    waiting = Waiting(loop)
    waiting.join("a", has_room=True)
    assert waiting.ended.acquire(timeout=10)
    assert waiting.served == ["a"]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60))
def test_all_come_to_an_end_and_none_twice(acts: list[tuple[str, bool]]) -> None:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    waiting = Waiting(loop, max_waiting=5)
    joined = 0
    for team, joins in acts:
        if joins:
            waiting.join(team)
            joined += 1
        else:
            waiting.line.freed(1)
    while waiting.line.length:
        waiting.line.freed(1)
    for _ in range(joined):
        assert waiting.ended.acquire(timeout=10)
    assert len(waiting.served) + len(waiting.refused) == joined
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def test_whose_place_it_is() -> None:
    assert team_of(Principal(key_id="k", name="k", organisation="o", team="t")) == "o/t"
    assert team_of(Principal(key_id="k", name="k", team="t")) == "t"
    parent = Principal(key_id="p", name="p")
    assert team_of(Principal(key_id="k", name="k", parent=parent)) == "p"


def limited(serve: Serve, upstream: Upstream, **queue: Any) -> tuple[Served, dict[str, str]]:
    secrets = {team: create_secret() for team in ("noisy", "quiet")}
    config = config_for(upstream.base_url) | {"queue": queue}
    config["keys"] = [{"name": team, "team": team, "secret": secret} for team, secret in secrets.items()]
    config["deployments"]["up0"]["max_concurrent"] = 1
    return serve(config), secrets


def begin(served: Served, secret: str, **fields: Any) -> Protocol:
    return served.begin("POST", "/v1/chat/completions", chat_body(**fields), authorization=f"Bearer {secret}")


def wait_until(is_so: Any) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_full_deployment_is_waited_for_team_by_team(serve: Serve, upstream: Upstream) -> None:
    served, secrets = limited(serve, upstream)
    gate = threading.Event()
    upstream.reply(expect, until(gate), answer(json.dumps(ANSWER).encode()))
    for _ in range(5):
        upstream.reply(expect, answer(json.dumps(ANSWER).encode()))
    first = begin(served, secrets["noisy"])
    wait_until(lambda: len(upstream.requests) == 1)
    rest = [begin(served, secrets["noisy"], user=f"n{number}") for number in range(4)]
    quiet = begin(served, secrets["quiet"], user="q")
    wait_until(lambda: served.gateway.line.length == 5)
    gate.set()
    assert [protocol.wait().status for protocol in (first, *rest, quiet)] == [200] * 6
    assert [request.json.get("user") for request in upstream.requests].index("q") <= 2
    assert served.gateway.line.waited >= 5


def test_the_line_has_an_end(serve: Serve, upstream: Upstream) -> None:
    served, secrets = limited(serve, upstream, max_waiting=1, max_wait_s=0.2)
    gate = threading.Event()
    upstream.reply(expect, until(gate), answer(json.dumps(ANSWER).encode()))
    first = begin(served, secrets["noisy"])
    wait_until(lambda: len(upstream.requests) == 1)
    late = [begin(served, secrets["noisy"]) for _ in range(2)]
    refused = [protocol.wait() for protocol in late]
    assert [(one.status, one.code) for one in refused] == [(503, "saturated")] * 2
    assert all(one.headers["retry-after"] for one in refused)
    gate.set()
    assert first.wait().status == 200


ANSWER = {
    "id": "x",
    "object": "chat.completion",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
