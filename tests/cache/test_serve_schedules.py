"""One call that several requests share, under a scheduler that decides at every wait who goes on (catalogue N10, N18).

What is of Python runs on whatever thread brings what it waits for, under the GIL; here one thread runs all of it, and a
seed chooses among those that may go on. Every seed is another order of events; one that fails does so again.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Coroutine, Generator
from random import Random
from typing import Any

import pytest
from tests.cache.test_answers import KEPT
from tests.cache.test_flight import FOREVER_S, run
from tests.cache.test_identity import call
from tests.served import Protocol

from dragoman.access.cache_knobs import NO_WISH
from dragoman.cache.answers import AnswerCache
from dragoman.cache.serve import Look, Provider, through_cache
from dragoman.config.caching import Cache
from dragoman.errors import ClientGone, RequestError, UpstreamCut
from dragoman.routing.run import Run

SEEDS = int(os.environ.get("DRAGOMAN_SCHEDULES", "1500"))
PIECES = (b"data: one\n\n", b"data: two\n\n", b"data: three\n\n")
RAW = b'{"model": "m", "messages": [], "stream": true}'
KEY = b"k" * 32


class Turn:
    """Awaitable: nothing but that others may go on first."""

    def __await__(self) -> Generator[Any, None, None]:
        yield self

    def on_done(self, wake: Callable[[Any], object]) -> None:
        """At once."""
        wake(self)


class Schedule:
    """Runs coroutines to their ends, in an order by chance."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self._ready: list[Coroutine[Any, None, None]] = []
        self.unfinished = 0

    def add(self, coroutine: Coroutine[Any, None, None]) -> None:
        """One more."""
        self.unfinished += 1
        self._ready.append(coroutine)

    def run(self) -> None:
        """Run them; whoever waits for what never comes is left unfinished."""
        while self._ready:
            coroutine = self._ready.pop(self.chance.randrange(len(self._ready)))
            try:
                waiting = coroutine.send(None)
            except StopIteration:
                self.unfinished -= 1
            else:
                waiting.on_done(self._waker(coroutine))

    def _waker(self, coroutine: Coroutine[Any, None, None]) -> Callable[[Any], None]:
        asleep = [coroutine]  # one may be woken more often than it waits

        def wake(_: Any) -> None:
            if asleep:
                self._ready.append(asleep.pop())

        return wake


async def no_vector(alias: str, text: str) -> None:
    """No model is asked for vectors here."""


class Client:
    """A request for the same as all others."""

    def __init__(self, scene: Scene) -> None:
        self.run, self.proto = run()
        self.scene = scene
        self.came_to = ""
        self.leads = 0

    async def ask(self) -> None:
        """Ask, through the cache."""
        scene = self.scene
        look = Look(key=KEY, wish=NO_WISH, config=scene.config)
        provider = Provider(ask=self.be_answered, embed=no_vector, check=lambda watch, kept: None)
        try:
            await through_cache(scene.cache, look, call(RAW, deadline_s=FOREVER_S), self.run, provider)
            self.came_to = "answer"
        except RequestError as error:
            self.came_to = type(error).__name__
        finally:
            self.run.request.stage = "answered"

    async def be_answered(self) -> None:
        """A provider's answer, piece by piece, as far as it comes; written and recorded as it is for a real one."""
        scene, request = self.scene, self.run.request
        recording, flight = request.recording, scene.cache.flights[KEY]
        assert recording is flight.recording
        self.leads += 1
        scene.lead(self.run)
        try:
            for at, piece in enumerate((*PIECES, b"")):
                await Turn()
                request.check_wanted()
                if scene.fails(at):
                    raise UpstreamCut("cut")
                if at == 0:
                    request.reply.start_stream([("content-type", "text/event-stream")])
                if piece and not request.reply.send(piece) and not recording.followers:
                    raise ClientGone("the client hung up")
            request.reply.finish()
            flight.kept = KEPT
            if not recording.dropped:
                scene.cache.keep(KEY, recording.body, KEPT, (), 60)
        finally:
            scene.leading.remove(self.run)

    async def leave(self) -> None:
        """Hang up, unless it is over."""
        for _ in range(self.scene.schedule.chance.randrange(6)):
            await Turn()
        request = self.run.request
        if request.stage != "answered":
            request.gone = True
            request.give_up()


class Scene:
    """Three to five clients, of whom some hang up, and a provider that may fail."""

    def __init__(self, seed: int, *, max_entry_bytes: int = 1_000) -> None:
        self.schedule = Schedule(seed)
        chance = self.schedule.chance
        self.config = Cache(mode="on", max_entry_bytes=max_entry_bytes)
        self.cache = AnswerCache(self.config)
        self.leading: list[Run] = []
        self.asked = 0
        self.failed = 0
        self.failures = [chance.randrange(4) for _ in range(chance.choice((0, 0, 1, 2)))]
        self.clients = [Client(self) for _ in range(chance.randrange(3, 6))]
        self.leaving = [client for client in self.clients if chance.random() < 0.3]

    def lead(self, of: Run) -> None:
        """The provider is asked: for one at a time, but for those of whom nothing can be had."""
        for other in self.leading:
            assert other.request.is_abandoned or (recording := other.request.recording) is None or recording.dropped
        self.asked += 1
        self.leading.append(of)

    def fails(self, at: int) -> bool:
        """Whether the answer breaks off here."""
        if self.failures and self.failures[0] == at:
            self.failures.pop()
            self.failed += 1
            return True
        return False

    def play(self) -> Counter[str]:
        """To the end; what came of the clients."""
        for client in self.clients:
            self.schedule.add(client.ask())
        for client in self.leaving:
            self.schedule.add(client.leave())
        self.schedule.run()
        assert self.schedule.unfinished == 0, "somebody waits for ever"
        assert self.cache.flights == {}
        assert self.leading == []
        return Counter(client.came_to for client in self.clients)


def assert_right(scene: Scene, client: Client) -> None:
    if client.came_to == "answer":
        assert client.proto.body == b"".join(PIECES)
        assert client.proto.complete or client.leads
    elif client.came_to == "ClientGone":
        assert client in scene.leaving
    else:
        assert client.came_to == "UpstreamCut"
        assert scene.failed


def test_every_order_of_events_ends_well() -> None:
    seen: Counter[str] = Counter()
    calls: Counter[int] = Counter()
    for seed in range(SEEDS):
        scene = Scene(seed)
        try:
            seen += scene.play()
            gone = sum(client.came_to == "ClientGone" for client in scene.clients)
            # Whoever fails or is left by all is followed by one other; nobody asks beside somebody.
            assert 1 <= scene.asked <= 1 + scene.failed + gone
            for client in scene.clients:
                assert_right(scene, client)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}") from error
        calls[scene.asked] += 1
    assert {"answer", "ClientGone", "UpstreamCut"} <= seen.keys()
    assert calls[1] > calls[2] > 0


def test_whoever_stays_while_nothing_fails_shares_one_call() -> None:
    for seed in range(SEEDS // 3):
        scene = Scene(seed)
        scene.failures = []
        scene.leaving = scene.leaving[:1]
        scene.play()
        assert scene.asked <= 1 + len(scene.leaving), f"seed {seed}"
        assert all(client.came_to == "answer" for client in scene.clients if client not in scene.leaving), (
            f"seed {seed}"
        )


@pytest.mark.parametrize("max_entry_bytes", [1, len(PIECES[0]) + 1])
def test_an_answer_too_large_to_be_shared_is_asked_for_again(max_entry_bytes: int) -> None:
    for seed in range(SEEDS // 3):
        scene = Scene(seed, max_entry_bytes=max_entry_bytes)
        scene.failures, scene.leaving = [], []
        came_to = scene.play()
        assert came_to.keys() <= {"answer", "UpstreamCut"}, f"seed {seed}"
        assert scene.asked <= len(scene.clients)


def test_a_protocol_keeps_what_it_is_sent() -> None:
    """What the others rely on."""
    of, proto = run()
    assert isinstance(proto, Protocol)
    of.request.reply.start_stream([])
    assert of.request.reply.send(b"x")
    assert proto.body == b"x"
