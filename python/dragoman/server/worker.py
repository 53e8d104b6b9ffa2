"""The process that serves: the front, granian's worker with our scheduler, the gateway, and how it starts and stops.

granian's own server classes leave no room for three things that are wanted here: a drain with a deadline, requests
driven without the event loop (see ``driver``), and a parent process that stays small. So the worker is put together
here from granian's parts, as its own server does; a contract test holds them to what is relied on.

The front (``dragoman.core.Front``) has the gateway's port: it serves plain requests itself, and relays all other
connections to granian, which listens at a port of its own on loopback. The admin API is granian's alone.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import signal
import socket
import sys
import time
from functools import partial
from random import uniform
from typing import Any

import msgspec
import uvloop
from granian import _granian
from granian.http import HTTP1Settings, HTTP2Settings

from dragoman.access.bootstrap import bootstrap
from dragoman.access.keys import REFRESH_EVERY_S
from dragoman.access.stored import BOOTSTRAP
from dragoman.config.reload import ConfigWatcher
from dragoman.config.schema import Config
from dragoman.core import Front
from dragoman.driver import ThreadLoop
from dragoman.endpoints.figures import figures_of
from dragoman.endpoints.table import build_admin_router, build_router
from dragoman.errors import DragomanError, StoreError
from dragoman.gateway import Gateway, Seat
from dragoman.server.app import App
from dragoman.server.pulse import own_pulse
from dragoman.server.quarantine import Quarantine
from dragoman.server.spec import SPEC_VARIABLE, WorkerSpec
from dragoman.server.supervise import EXIT_AGAIN, FELL_VARIABLE, NUMBER_VARIABLE
from dragoman.store.engine import answers
from dragoman.store.lastgood import LastGoodFile, remove_last_good
from dragoman.store.location import create_data_dir, data_dir
from dragoman.store.lock import one_at_a_time
from dragoman.telemetry.node import TELL_EVERY_S, NodeFigures

log = logging.getLogger("dragoman.server")

# granian's own stub lags behind what its classes take.
granian: Any = _granian
BACKLOG = 4096
SAVE_KEY_USE_EVERY_S = 60.0
PARENT_EVERY_S = 1.0
DATABASE_EVERY_S = 5.0
FALLS_EVERY_S = 1.0
SYNC_EVERY_S = 0.5
# Descriptors: no more are asked for, and so many are left for files, the database and threads.
MOST_FILES = 1 << 17
FILES_TO_SPARE = 64
# Its own, the two ends of its relay to granian, and one at a provider.
FILES_A_CONNECTION = 4
# Of all long bodies that the front reads at once, whoever sends them.
BODIES_BYTES = 64 << 20
# Where granian listens behind the front.
BEHIND = "127.0.0.1"
LOOK_EVERY_S = 0.02
# For the last answers to leave once everything has been ended.
LAST_WORDS_S = 1.0


class Scheduler(_granian.CallbackScheduler):
    """Starts a request's coroutine on the thread that brings it."""

    def __new__(cls, app: App, loop: ThreadLoop) -> Scheduler:
        """Made by granian's base class, which wants parts of asyncio that are not used here."""
        new: Any = super().__new__
        return new(cls, loop, None, None, None, None)  # type: ignore[no-any-return]

    def __init__(self, app: App, loop: ThreadLoop) -> None:
        super().__init__()

        def schedule(watcher: Any) -> None:
            app.begin(watcher.scope, watcher.proto, watcher)

        self._schedule_fn = schedule


class Worker:
    """One serving process."""

    def __init__(self, spec: WorkerSpec, config: Config, loop: asyncio.AbstractEventLoop, number: int = 0) -> None:
        self.spec = spec
        self.loop = loop
        self.pulse = own_pulse()
        directory = data_dir(config.store, os.environ)
        create_data_dir(directory)
        with one_at_a_time(directory / "start.lock"):
            fell = bool(os.environ.pop(FELL_VARIABLE, ""))
            self.quarantine = Quarantine(directory, number, spec.run, fell=fell)
            seat = Seat(number, spec.rehearsal_key, self.pulse, self.quarantine)
            self.gateway = Gateway(config, loop, os.environ, seat)
        self.app = App(self.gateway, build_router(self.gateway), loop, express=self.gateway.express)
        self.gateway.is_draining = lambda: self.app.draining
        workers = config.server.workers
        if workers > 1:
            own = partial(figures_of, self.gateway)
            self.gateway.node = NodeFigures(directory, spec.run, number, workers, own)
        if spec.admin_port and config.admin.bootstrap and self.gateway.store.last_good is None:
            self._say_first_key()
        self.admin = App(self.gateway, build_admin_router(self.gateway), loop, has_sessions=False)
        self.served = asyncio.Event()  # granian has no connections any more
        self.stopped = asyncio.Event()
        self.status = 0
        self.signals: list[Any] = []  # one a listener: when set, it ends
        self.watcher = ConfigWatcher(
            spec.path, self._load, self.gateway.replace, self.gateway.note_problems, current=config
        )
        self._tasks: list[asyncio.Task[None]] = []
        self.gateway.loads_config = self._load_with
        self.gateway.stored_config.changed = lambda: loop.call_soon_threadsafe(self.watcher.trigger)
        if self.gateway.stored_config.text:
            self.watcher.load_now()

    def _say_first_key(self) -> None:
        gateway = self.gateway
        secret = bootstrap(gateway.store.engine, gateway.pepper)
        if secret:
            gateway.auditor.trail.act("key.create", actor="first start", name=BOOTSTRAP, admin=True)
            gateway.keys.refresh()
            sys.stderr.write(f"\nAdmin key, shown this once (for the admin API alone): {secret}\n")
            sys.stderr.flush()

    def _load(self) -> Config:
        return self._load_with(self.gateway.stored_config.text)

    def _load_with(self, stored: str) -> Config:
        return self.spec.load(os.environ, stored)

    async def serve(self) -> None:
        """Serve until a signal says stop, and everything in flight has ended."""
        self._listen()
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(number, self._stop)
        self.loop.add_signal_handler(signal.SIGQUIT, self._stop_now)
        self.loop.add_signal_handler(signal.SIGHUP, self.watcher.trigger)
        watched = (self._watch_parent(), self._watch_for_database(), self._watch_for_falls())
        kept = (self._keep_keys_fresh(), self._tell_figures(), self._sync())
        kept_up = (self.pulse.beat(), self.watcher.run(), *kept, *watched)
        for work in (self.app.look_after(), self.admin.look_after(), *kept_up):
            self._tasks.append(self.loop.create_task(work))
        await self.stopped.wait()
        for task in self._tasks:
            task.cancel()
        self.pulse.end()
        self.gateway.close()
        self.quarantine.close()

    def _listen(self) -> None:
        public = granian.ListenerSpec(self.spec.address, self.spec.port, BACKLOG).build()
        if self.gateway.snapshot.config.server.relay == "pump":
            self._serve_at(self.app, public)
        else:
            behind = granian.ListenerSpec(BEHIND, 0, BACKLOG).build()
            self.app.front = self._front(public, _listening(behind))
            self._serve_at(self.app, behind)
        self.signals[0].add_cb(lambda: self.loop.call_soon_threadsafe(self.served.set))
        if self.spec.admin_port:
            self._serve_at(
                self.admin, granian.ListenerSpec(self.spec.admin_address, self.spec.admin_port, BACKLOG).build()
            )

    def _front(self, public: Any, behind: str) -> Front:
        limits = self.gateway.snapshot.config.server.limits
        bounds = {
            "connections": min(limits.max_connections, _affordable_connections()),
            "idle_s": limits.header_timeout_s,
            "head_bytes": limits.max_header_bytes,
            "bodies_bytes": BODIES_BYTES,
            "write_s": limits.write_timeout_s,
        }
        with socket.socket(fileno=public.get_fd()) as listener:  # of which the front has one of its own then
            listener.listen(BACKLOG)
            return Front(self.gateway.upstream, self.gateway.express.core, listener.fileno(), behind, bounds)

    def _serve_at(self, app: App, listener: Any) -> None:
        config = self.gateway.snapshot.config
        limits = config.server.limits
        worker = granian.RSGIWorker(
            1,
            (None, listener),
            None,
            threads=1,
            blocking_threads=1,
            py_threads=1,
            backpressure=min(limits.max_connections, _affordable_connections()),
            websockets_enabled=True,
            http_mode="auto" if config.server.http2 else "1",
            http1_opts=HTTP1Settings(
                header_read_timeout=round(limits.header_timeout_s * 1000), max_buffer_size=limits.max_header_bytes
            ),
            http2_opts=HTTP2Settings(max_headers_size=limits.max_header_bytes),
        )
        thread_loop = ThreadLoop(self.loop)
        self.signals.append(granian.WorkerSignal())
        worker.serve_str(Scheduler(app, thread_loop), thread_loop, self.signals[-1])

    def _stop(self) -> None:
        """The first signal drains, the second ends what is in flight at once."""
        if self.app.draining:
            self._stop_now()
            return
        self.app.draining = self.admin.draining = True
        self.app.look_at_express()
        log.info("stopping: requests in flight may finish within %g s", self.gateway.snapshot.config.server.drain_s)
        self._tasks.append(self.loop.create_task(self._drain()))

    def _stop_now(self) -> None:
        """Drain, and end what is in flight at once."""
        if not self.app.draining:
            self._stop()
        self.app.abort()
        self.admin.abort()
        self.loop.call_later(LAST_WORDS_S, self.stopped.set)

    async def _watch_parent(self) -> None:
        """Stop when the supervisor is gone: it was killed, and nobody would pass a signal on any more."""
        parent = os.getppid()
        while os.getppid() == parent:
            await asyncio.sleep(PARENT_EVERY_S)
        log.error("stopping: the supervisor is gone")
        self._stop()

    async def _watch_for_falls(self) -> None:
        """Be careful when another worker was brought down."""
        while True:
            await asyncio.sleep(FALLS_EVERY_S)
            self.quarantine.look()

    async def _watch_for_database(self) -> None:
        """End in order, to be started anew, once the database is there again, or what stands in for it too old."""
        last_good, settings = self.gateway.store.last_good, self.gateway.snapshot.config.store
        while last_good is not None:
            await asyncio.sleep(DATABASE_EVERY_S * uniform(0.5, 1.5))  # noqa: S311 - jitter
            is_old = last_good.age_h(time.time_ns() // 1_000_000) > settings.last_good_hours
            if is_old or await asyncio.to_thread(answers, settings, os.environ):
                log.warning(
                    "starting anew: %s", "the last good keys are too old" if is_old else "the database is there"
                )
                self.status = EXIT_AGAIN
                self._stop()
                return

    async def _drain(self) -> None:
        drain_s = self.gateway.snapshot.config.server.drain_s
        until_s = time.monotonic() + drain_s
        await self.app.drain_sessions(drain_s)  # granian would end them at once
        for signal_to_end in self.signals:
            signal_to_end.set()
        front = self.app.front
        if front is not None:
            front.close()
        await self.admin.drain(LAST_WORDS_S)
        await self.app.drain(max(until_s - time.monotonic(), LAST_WORDS_S))
        # Until the clients have it all; one that does not read is not waited for.
        until_s = max(until_s, time.monotonic() + LAST_WORDS_S)
        while time.monotonic() < until_s and not (self.served.is_set() and (front is None or not front.connections)):
            await asyncio.sleep(LOOK_EVERY_S)
        self.stopped.set()

    async def _tell_figures(self) -> None:
        """Let the other workers know this one's figures, where there are any."""
        while self.gateway.node is not None:
            is_told = self.gateway.snapshot.config.server.metrics
            await asyncio.sleep(await asyncio.to_thread(self.gateway.node.tell) if is_told else TELL_EVERY_S)

    async def _sync(self) -> None:
        """Have a power cut undo no more than the last second."""
        while True:
            await asyncio.sleep(SYNC_EVERY_S)
            try:
                await asyncio.to_thread(self.gateway.store.sync)
            except StoreError as error:
                log.error("%s", error)

    async def _keep_keys_fresh(self) -> None:
        saved_s = time.monotonic()
        last_good = last_good_of(self.gateway)
        while True:
            self.gateway.entrance.issuers.look()
            await self.gateway.change.within(REFRESH_EVERY_S)
            await asyncio.to_thread(self.gateway.keys.refresh)
            await asyncio.to_thread(self.gateway.prompts.refresh)
            await asyncio.to_thread(self.gateway.limits.refresh)
            await asyncio.to_thread(self.gateway.stored_config.refresh)
            await asyncio.to_thread(self.gateway.housekeeping.look)
            if last_good is not None:
                await asyncio.to_thread(last_good.look)
            if time.monotonic() - saved_s > SAVE_KEY_USE_EVERY_S:
                saved_s = time.monotonic()
                await asyncio.to_thread(self.gateway.keys.save_last_used)


def last_good_of(gateway: Gateway) -> LastGoodFile | None:
    """The file that a start without the database may go by; ``None``: this process does not keep it."""
    store, settings = gateway.store, gateway.snapshot.config.store
    if gateway.seat.worker or store.last_good is not None or store.engine.dialect.name != "postgresql":
        return None
    if settings.last_good_hours:
        return LastGoodFile(store.engine, store.directory, gateway.pepper)
    remove_last_good(store.directory)
    return None


def _affordable_connections() -> int:
    """Client connections for which there are descriptors, and some to spare.

    Without any left granian would try to accept, in vain, as fast as it can.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = min(_finite(hard), max(_finite(soft), MOST_FILES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return max(1, (most - FILES_TO_SPARE) // FILES_A_CONNECTION)


def _listening(listener: Any) -> str:
    """The address of a listener at which connections wait from now on, until they are taken."""
    with socket.socket(fileno=os.dup(listener.get_fd())) as same:
        same.listen(BACKLOG)
        host, port = same.getsockname()
        return f"{host}:{port}"


def _finite(files: int) -> int:
    return MOST_FILES if files == resource.RLIM_INFINITY else files


def main() -> int:
    """Serve as the supervisor's environment says."""
    spec = msgspec.json.decode(os.environ.pop(SPEC_VARIABLE), type=WorkerSpec)
    logging.basicConfig(level=spec.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    number = int(os.environ.pop(NUMBER_VARIABLE, "0"))
    try:
        worker = Worker(spec, spec.load(os.environ), loop, number)
    except DragomanError as error:
        log.error("cannot start: %s", error)
        return 78
    _calm_collector()
    loop.run_until_complete(worker.serve())
    return worker.status


def _calm_collector() -> None:
    """Leave what has been loaded out of garbage collection, and collect less often: requests make few cycles.

    As Python has it, a collection of the youngest comes every 700 objects, several requests apart, and was a third of
    the time spent in Python.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


if __name__ == "__main__":
    sys.exit(main())
