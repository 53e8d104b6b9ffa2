"""The driver runs coroutines as an event loop would, on whatever thread wakes them."""

from __future__ import annotations

import asyncio
import threading
from asyncio import CancelledError
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from tests.served import Future

from dragoman.core import Upstream
from dragoman.driver import AtClient, Driver, FirstOf, OnLoop, Pause, ThreadLoop, Together, driven

PATIENCE_S = 20


class Watched:
    """A coroutine under a driver, and what its watcher was told."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], loop: Any = None) -> None:
        self.ended = threading.Event()
        self.error: BaseException | None = None
        self.ends = 0
        self.driver = Driver(coroutine, self, loop)
        self.driver.start()

    def done(self) -> None:
        self.ends += 1
        self.ended.set()

    def err(self, error: BaseException) -> None:
        self.error = error
        self.done()

    def wait(self) -> None:
        assert self.ended.wait(PATIENCE_S)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that runs on a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join(PATIENCE_S)
    loop.close()


def test_a_coroutine_that_never_waits_ends_at_once() -> None:
    said = []

    async def work() -> None:
        said.append(threading.get_ident())

    watched = Watched(work())
    assert (watched.ends, watched.error, said) == (1, None, [threading.get_ident()])


def test_what_it_raises_is_told() -> None:
    async def work() -> None:
        raise KeyError("k")

    assert isinstance(Watched(work()).error, KeyError)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, CancelledError, GeneratorExit])
def test_nothing_it_raises_goes_up_into_the_server(error: type[BaseException]) -> None:
    async def work() -> None:
        raise error

    assert isinstance(Watched(work()).error, error)


def test_without_a_watcher_nobody_is_told() -> None:
    async def work() -> None:
        raise KeyError("k")

    Driver(work(), None, None).start()  # type: ignore[arg-type]


def test_it_waits_for_a_future_and_gets_its_value() -> None:
    future, got = Future(), []

    async def work() -> None:
        got.append(await future)

    watched = Watched(work())
    assert watched.ends == 0
    future.give("v")
    assert (got, watched.ends) == (["v"], 1)


def test_a_future_s_error_is_raised_where_it_is_awaited() -> None:
    future, got = Future(), []

    async def work() -> None:
        try:
            await future
        except RuntimeError as error:
            got.append(error)

    watched = Watched(work())
    future.give(RuntimeError("closed"))
    assert len(got) == watched.ends == 1


def test_it_goes_on_in_the_thread_that_wakes_it() -> None:
    future, threads = Future(), []

    async def work() -> None:
        threads.append(threading.get_ident())
        await future
        threads.append(threading.get_ident())

    watched = Watched(work())
    thread = threading.Thread(target=future.give, args=(None,))
    thread.start()
    thread.join(PATIENCE_S)
    assert watched.ends == 1
    assert len(set(threads)) == 2


def test_nested_waits_one_after_the_other() -> None:
    futures = [Future() for _ in range(4)]
    got = []

    async def inner(first: Future, second: Future) -> str:
        return f"{await first}{await second}"

    async def work() -> None:
        got.append(await inner(*futures[:2]))
        got.append(await inner(*futures[2:]))

    watched = Watched(work())
    for number, future in enumerate(futures):
        assert watched.ends == 0
        future.give(number)
    assert (got, watched.ends) == (["01", "23"], 1)


def test_futures_that_are_done_before_they_are_awaited() -> None:
    thread_loop = ThreadLoop(asyncio.new_event_loop())
    futures = [Future(thread_loop) for _ in range(50)]
    for future in futures:
        future.give(1)
    total = []

    async def work() -> None:
        total.append(sum([await future for future in futures]))

    assert Watched(work()).ends == 1
    assert total == [50]
    thread_loop.loop.close()


def test_a_cancelled_future_cancels_where_it_is_awaited() -> None:
    future, seen = Future(), []

    async def work() -> None:
        try:
            await future
        except CancelledError:
            seen.append("cancelled")
            raise
        finally:
            seen.append("finally")

    watched = Watched(work())
    future.cancel()
    assert seen == ["cancelled", "finally"]
    assert isinstance(watched.error, CancelledError)


def test_a_cancellation_may_be_caught_and_waiting_goes_on() -> None:
    first, second, got = Future(), Future(), []

    async def work() -> None:
        try:
            await first
        except CancelledError:
            got.append(await second)

    watched = Watched(work())
    first.cancel()
    assert watched.ends == 0
    second.give("v")
    assert (got, watched.ends, watched.error) == (["v"], 1, None)


def test_cancelled_before_it_is_awaited() -> None:
    future = Future()
    future.cancel()

    async def work() -> None:
        await future

    assert isinstance(Watched(work()).error, CancelledError)


def test_a_pause_lasts_and_ends_on_the_loop(loop: asyncio.AbstractEventLoop) -> None:
    times, threads = [], []

    async def work() -> None:
        times.append(loop.time())
        await Pause(0.05)
        times.append(loop.time())
        threads.append(threading.get_ident())

    watched = Watched(work(), loop)
    watched.wait()
    assert times[1] - times[0] >= 0.045
    assert threads != [threading.get_ident()]


def test_on_loop_runs_asyncio_code(loop: asyncio.AbstractEventLoop) -> None:
    seen: list[Any] = []

    async def task() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(asyncio.sleep(0.01), asyncio.sleep(0))
        seen.append(asyncio.get_running_loop())

    async def work() -> None:
        await OnLoop(task())
        seen.append("after")

    Watched(work(), loop).wait()
    assert seen == [loop, "after"]


@pytest.mark.parametrize("error", [ValueError("v"), CancelledError()])
def test_what_fails_on_the_loop_is_raised_here(loop: asyncio.AbstractEventLoop, error: BaseException) -> None:
    seen = []

    async def task() -> None:
        await asyncio.sleep(0)
        raise error

    async def work() -> None:
        try:
            await OnLoop(task())
        except (ValueError, CancelledError) as caught:
            seen.append(type(caught))

    watched = Watched(work(), loop)
    watched.wait()
    assert (seen, watched.error) == ([type(error)], None)


class Ending:
    """What of an exchange is used to wait for the first of several."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[Any], None]] = []

    def on_done(self, callback: Callable[[Any], None]) -> None:
        self.callbacks.append(callback)

    def end(self) -> None:
        for callback in self.callbacks:
            callback(self)


def first_of(endings: list[Any], seconds: float | None, loop: Any = None) -> tuple[Watched, list[Any]]:
    got: list[Any] = []

    async def work() -> None:
        got.append(await FirstOf(endings, seconds))

    return Watched(work(), loop), got


def test_the_first_of_two_wakes_and_the_other_does_not() -> None:
    one, other = Ending(), Ending()
    watched, got = first_of([one, other], None)
    other.end()
    one.end()
    assert (got, watched.ends) == ([other], 1)


def test_the_time_may_come_first(loop: asyncio.AbstractEventLoop) -> None:
    one = Ending()
    watched, got = first_of([one], 0.01, loop)
    watched.wait()
    one.end()
    assert (got, watched.ends) == ([None], 1)


def test_the_time_that_comes_second_wakes_nobody(loop: asyncio.AbstractEventLoop) -> None:
    one = Ending()
    watched, got = first_of([one], 0.02, loop)
    one.end()
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0.05), loop).result(PATIENCE_S)
    assert (got, watched.ends) == ([one], 1)


def test_many_threads_end_at_once_and_one_is_first() -> None:
    for _ in range(50):
        endings = [Ending() for _ in range(8)]
        watched, got = first_of(endings, None)
        threads = [threading.Thread(target=ending.end) for ending in endings]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)
        assert len(got) == watched.ends == 1


def test_a_thread_loop_calls_drivers_here_and_others_on_the_loop(loop: asyncio.AbstractEventLoop) -> None:
    thread_loop, threads, called = ThreadLoop(loop), [], threading.Event()

    def other(_: Any) -> None:
        threads.append(threading.get_ident())
        called.set()

    future = Future(thread_loop)

    async def work() -> None:
        await future
        threads.append(threading.get_ident())

    watched = Watched(work(), loop)
    future.give(None)
    assert (watched.ends, threads) == (1, [threading.get_ident()])
    thread_loop.call_soon(other, None)
    assert called.wait(PATIENCE_S)
    called.clear()
    thread_loop.call_soon_threadsafe(other, None, context=None)
    assert called.wait(PATIENCE_S)
    assert threading.get_ident() not in threads[1:]


def test_at_the_client_it_goes_on_on_its_thread(loop: asyncio.AbstractEventLoop) -> None:
    client, threads = Upstream(loop), list[int]()

    async def work() -> None:
        threads.append(threading.get_ident())
        for _ in range(2):
            await AtClient(client)
            threads.append(threading.get_ident())
        raise ValueError

    watched = Watched(work(), loop)
    watched.wait()
    here, there, still_there = threads
    assert here == threading.get_ident()
    assert here != there == still_there
    assert isinstance(watched.error, ValueError)
    assert watched.ends == 1


def test_together_all_are_begun_at_once_and_all_are_waited_for(loop: asyncio.AbstractEventLoop) -> None:
    futures = [Future() for _ in range(3)]
    said: list[int] = []

    async def one(place: int) -> None:
        said.append(place)
        await futures[place]
        said.append(10 + place)

    async def work() -> None:
        await Together([one(place) for place in range(3)], loop)
        said.append(100)

    watched = Watched(work(), loop)
    assert said == [0, 1, 2]
    for place in (2, 0, 1):
        assert watched.ends == 0
        futures[place].give(None)
    watched.wait()
    assert (said, watched.error) == ([0, 1, 2, 12, 10, 11, 100], None)


def test_those_who_have_ended_need_not_be_waited_for(loop: asyncio.AbstractEventLoop) -> None:
    async def nothing() -> None:
        pass

    async def work() -> None:
        await Together([nothing(), nothing()], loop)
        await Together([], loop)

    watched = Watched(work(), loop)
    assert (watched.ends, watched.error) == (1, None)


def test_one_that_fails_fails_all_once_all_have_ended(loop: asyncio.AbstractEventLoop) -> None:
    future = Future()

    async def fails() -> None:
        raise ValueError("one")

    async def waits() -> None:
        await future

    async def work() -> None:
        await Together([fails(), waits()], loop)

    watched = Watched(work(), loop)
    assert watched.ends == 0
    future.give(None)
    watched.wait()
    assert isinstance(watched.error, ValueError)


def test_they_may_end_on_many_threads(loop: asyncio.AbstractEventLoop) -> None:
    async def on_loop() -> None:
        await Pause(0.001)

    async def work() -> None:
        for _ in range(20):
            await Together([on_loop() for _ in range(10)], loop)

    watched = Watched(work(), loop)
    watched.wait()
    assert (watched.ends, watched.error) == (1, None)


def test_of_those_who_take_long_it_is_told_that_they_do(loop: asyncio.AbstractEventLoop) -> None:
    future, said = Future(), []

    async def waits() -> None:
        await future

    async def work() -> None:
        together = Together([waits()], loop)
        while not together.is_over:
            said.append(await together.within(0.01))
            if len(said) == 3:
                future.give(None)
        assert await together.within(0.01)

    watched = Watched(work(), loop)
    watched.wait()
    assert (said[:3], watched.ends, watched.error) == ([False] * 3, 1, None)


def test_one_that_fails_in_time_fails_all(loop: asyncio.AbstractEventLoop) -> None:
    async def fails() -> None:
        await Pause(0.001)
        raise ValueError("one")

    async def work() -> None:
        await Together([fails()], loop).within(PATIENCE_S)

    watched = Watched(work(), loop)
    watched.wait()
    assert isinstance(watched.error, ValueError)


def test_a_coroutine_may_be_driven_from_the_event_loop() -> None:
    async def driven_one(error: Exception | None) -> None:
        await Pause(0.001)
        if error is not None:
            raise error

    async def main() -> None:
        loop = asyncio.get_running_loop()
        await driven(driven_one(None), loop)
        with pytest.raises(ValueError, match="no"):
            await driven(driven_one(ValueError("no")), loop)
        given_up = loop.create_task(driven(driven_one(None), loop))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0.02)

    asyncio.run(main())
