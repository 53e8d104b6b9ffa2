"""Runs a request's coroutine, without the event loop wherever it can.

Each change of thread costs more than all the Python of a request. granian hands a request over on a thread of its own
that holds the GIL; an asyncio server would pass it on to the loop's thread, and again when the body has come and when
the answer has. A :class:`Driver` instead runs the coroutine where it is: on granian's thread until its body has been
read, then, unless that may take long (:class:`AtClient`), on the upstream client's thread, which sends it and is called
by the answer. What needs the loop (pauses, tasks) asks for it.

A coroutine may wait for a future of granian's, an :class:`~dragoman.core.Exchange` or a
:class:`~dragoman.core.Batch` of its events, a :class:`~dragoman.core.Piece` of another's answer, something
:class:`~dragoman.core.Asked` of Redis, :class:`FirstOf` several, a :class:`Pause`, :class:`OnLoop`,
:class:`CalledBack`, :class:`Together` and :class:`AtClient`. Anything else is a bug and says so.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, CancelledError, Future
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from threading import Lock
from typing import Any, Protocol, TypeVar

from dragoman.core import Asked, Batch, Exchange, Piece, Upstream

T = TypeVar("T")
Wake = Callable[[Any], None]


class Watcher(Protocol):
    """granian's interest in a request's coroutine."""

    def done(self) -> None:
        """It has ended."""

    def err(self, error: BaseException) -> None:
        """It has failed."""


class ThreadLoop:
    """What granian takes for the event loop: calls a driver back at once, anything else on the real loop."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.loop = loop

    def call_soon(self, callback: Wake, future: Any, *, context: Context | None = None) -> None:
        """A future that was already done has been waited for."""
        if type(getattr(callback, "__self__", None)) is Driver:
            callback(future)
        else:
            self.loop.call_soon_threadsafe(callback, future, context=context)

    call_soon_threadsafe = call_soon


class Pause:
    """Awaitable: nothing for a while."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __await__(self) -> Generator[Any, None, None]:
        yield self

    def on_done(self, wake: Wake, loop: AbstractEventLoop) -> None:
        """Wake on the loop, in time."""
        loop.call_soon_threadsafe(loop.call_later, self.seconds, wake, self)


class AtClient:
    """Awaitable: the upstream client's thread.

    Whatever sends from another thread wakes that one, and both then want the GIL in turns. Going over before the work
    is done costs one change of thread as well, and no turns: that is a tenth of what a short request costs in all.
    """

    __slots__ = ("_client",)

    def __init__(self, client: Upstream) -> None:
        self._client = client

    def __await__(self) -> Generator[Any, None, None]:
        yield self

    def on_done(self, wake: Wake) -> None:
        """Wake there."""
        self._client.call_soon(wake, self)


class FirstOf:
    """Awaitable: the first of several exchanges to end, or ``None`` when the time is up."""

    __slots__ = ("_first_only", "_wake", "exchanges", "first", "seconds")

    def __init__(self, exchanges: list[Exchange], seconds: float | None) -> None:
        self.exchanges = exchanges
        self.seconds = seconds
        self.first: Exchange | None = None
        self._first_only = [True]  # taken by whoever comes first, from whatever thread
        self._wake: Wake | None = None

    def __await__(self) -> Generator[Any, None, Exchange | None]:
        yield self
        return self.first

    def on_done(self, wake: Wake, loop: AbstractEventLoop) -> None:
        """Wake once."""
        self._wake = wake
        if self.seconds is not None:
            loop.call_soon_threadsafe(loop.call_later, self.seconds, self._ended, None)
        for exchange in self.exchanges:
            exchange.on_done(self._ended)

    def _ended(self, exchange: Exchange | None) -> None:
        try:
            self._first_only.pop()
        except IndexError:
            return
        self.first = exchange
        if self._wake is not None:
            self._wake(self)


class OnLoop:
    """Awaitable: a coroutine that needs asyncio, run as a task of the loop."""

    __slots__ = ("coroutine", "error")

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self.coroutine = coroutine
        self.error: BaseException | None = None

    def __await__(self) -> Generator[Any, None, None]:
        yield self
        if self.error is not None:
            raise self.error

    def on_done(self, wake: Wake, loop: AbstractEventLoop) -> None:
        """Start the task, and wake when it ends."""
        loop.call_soon_threadsafe(self._start, wake, loop)

    def _start(self, wake: Wake, loop: AbstractEventLoop) -> None:
        task = loop.create_task(self.coroutine)

        def ended(_: Any) -> None:
            self.error = CancelledError() if task.cancelled() else task.exception()
            wake(self)

        task.add_done_callback(ended)


class CalledBack:
    """Awaitable: what a function is called with that is handed out, once and from any thread."""

    __slots__ = ("_start", "said")

    def __init__(self, start: Callable[[Callable[[bool], None]], object]) -> None:
        self._start = start
        self.said = False

    def __await__(self) -> Generator[Any, None, bool]:
        yield self
        return self.said

    def on_done(self, wake: Wake, loop: AbstractEventLoop) -> None:
        """Begin, and wake on the loop."""

        def called(said: bool) -> None:  # noqa: FBT001 - as it is called
            self.said = said
            loop.call_soon_threadsafe(wake, self)

        self._start(called)


class Together:
    """Awaitable: the end of several coroutines, which are begun at once, each driven by itself."""

    __slots__ = ("_left", "_lock", "_wake", "error")

    def __init__(self, coroutines: list[Coroutine[Any, Any, None]], loop: AbstractEventLoop) -> None:
        self._lock = Lock()
        self._left = len(coroutines)
        self._wake: Wake | None = None
        self.error: BaseException | None = None
        for coroutine in coroutines:
            Driver(coroutine, self, loop).start()

    def __await__(self) -> Generator[Any, None, None]:
        if self._left:
            yield self
        if self.error is not None:
            raise self.error

    @property
    def is_over(self) -> bool:
        """Whether the last has ended."""
        return not self._left

    def on_done(self, wake: Wake, loop: AbstractEventLoop) -> None:
        """Wake when the last has ended; at once where it has."""
        with self._lock:
            self._wake = wake if self._left else None
            ended = not self._left
        if ended:
            wake(self)

    def within(self, seconds: float) -> Within:
        """Awaitable: whether the last has ended when so much time is up."""
        return Within(self, seconds)

    def forget(self, wake: Wake) -> bool:
        """Wake nobody. False: too late, it has been woken."""
        with self._lock:
            known = self._wake == wake
            if known:
                self._wake = None
        return known

    def done(self) -> None:
        """One has ended."""
        with self._lock:
            self._left -= 1
            wake, self._wake = (self._wake, None) if not self._left else (None, self._wake)
        if wake is not None:
            wake(self)

    def err(self, error: BaseException) -> None:
        """One has failed."""
        self.error = error
        self.done()


class Within:
    """Awaitable: the end of several coroutines, or that of some time."""

    __slots__ = ("_together", "_wake", "ended", "seconds")

    def __init__(self, together: Together, seconds: float) -> None:
        self._together = together
        self.seconds = seconds
        self.ended = False
        self._wake: Wake | None = None

    def __await__(self) -> Generator[Any, None, bool]:
        yield self
        if self.ended and self._together.error is not None:
            raise self._together.error
        return self.ended

    def on_done(self, wake: Wake, loop: AbstractEventLoop) -> None:
        """Wake once."""
        self._wake = wake
        loop.call_soon_threadsafe(loop.call_later, self.seconds, self._late)
        self._together.on_done(self._all_ended, loop)

    def _all_ended(self, _: Any) -> None:
        self.ended = True
        if self._wake is not None:
            self._wake(self)

    def _late(self) -> None:
        if self._together.forget(self._all_ended) and self._wake is not None:
            self._wake(self)


class Driver:
    """One coroutine on its way."""

    __slots__ = ("coroutine", "loop", "watcher")

    def __init__(self, coroutine: Coroutine[Any, None, None], watcher: Watcher | None, loop: AbstractEventLoop) -> None:
        self.coroutine = coroutine
        self.watcher = watcher
        self.loop = loop

    def start(self) -> None:
        """Run until the coroutine waits."""
        self._step(None)

    def wake(self, future: Any) -> None:
        """What the coroutine waited for is there."""
        if type(future) is not Exchange and getattr(future, "cancelled", _never)():
            self._step(CancelledError())
        else:
            self._step(None)

    def _step(self, error: BaseException | None) -> None:
        try:
            waiting = self.coroutine.send(None) if error is None else self.coroutine.throw(error)
        except StopIteration:
            if self.watcher is not None:
                self.watcher.done()
            return
        except BaseException as failure:  # noqa: BLE001 - granian logs it and answers 500
            if self.watcher is not None:
                self.watcher.err(failure)
            return
        if type(waiting) in _WAKING:
            waiting.on_done(self.wake)
        elif isinstance(waiting, Pause | FirstOf | OnLoop | CalledBack | Together | Within):
            waiting.on_done(self.wake, self.loop)
        else:
            waiting.add_done_callback(self.wake)


# What wakes by itself, on whatever thread it comes.
_WAKING = frozenset({Exchange, Batch, Piece, Asked, AtClient})


class _Ended:
    """Tells a future on the loop how a coroutine ended that a driver runs."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self.future: Future[None] = loop.create_future()

    def done(self) -> None:
        """It has ended."""
        self._loop.call_soon_threadsafe(self._settle, None)

    def err(self, error: BaseException) -> None:
        """It has failed."""
        self._loop.call_soon_threadsafe(self._settle, error)

    def _settle(self, error: BaseException | None) -> None:
        if self.future.done():  # whoever waited has been cancelled
            return
        if error is None:
            self.future.set_result(None)
        else:
            self.future.set_exception(error)


async def driven(coroutine: Coroutine[Any, None, None], loop: AbstractEventLoop) -> None:
    """Run a coroutine that is for a driver, from one that runs on the event loop."""
    ended = _Ended(loop)
    Driver(coroutine, ended, loop).start()
    await ended.future


def _never() -> bool:
    return False
