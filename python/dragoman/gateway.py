"""Everything built from one generation of the configuration, and the swapping of one for the next.

A :class:`Snapshot` is immutable: a request takes the one in force when it arrives and keeps it. What outlives snapshots
(connections, the balancer's memory, keys, the usage writer) belongs to the :class:`Gateway`.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field

from dragoman.access.credentials import check_signature, secret_of
from dragoman.access.entrance import Entrance
from dragoman.access.origin import refuse_other_sites
from dragoman.access.principal import ANONYMOUS
from dragoman.access.secret import load_pepper
from dragoman.audit.content import Contents
from dragoman.audit.erase import Eraser
from dragoman.audit.housekeeping import Housekeeping
from dragoman.audit.signing import SEALING, SIGNING, load_key
from dragoman.audit.subjects import Subjects
from dragoman.audit.trail import Trail
from dragoman.cache.answers import AnswerCache
from dragoman.cache.once import Once
from dragoman.cache.persist import CacheFile
from dragoman.cache.shared import SharedAnswers
from dragoman.config.check import check_exposure
from dragoman.core import Balancer, Ledger, Redis, Typical, Upstream
from dragoman.errors import DatabaseAway, StoreError, Unauthenticated
from dragoman.express import ExpressWay
from dragoman.ledger.alerts import Alerts
from dragoman.ledger.book import Book
from dragoman.ledger.figures import Figures
from dragoman.ledger.hold import Holds
from dragoman.ledger.shared import SharedCounting
from dragoman.routing.audited import Auditor
from dragoman.routing.build import Builder
from dragoman.routing.probing import Probing
from dragoman.routing.waiting import Line
from dragoman.server.news import Change, News, tell_of_change
from dragoman.server.pulse import Pulse
from dragoman.server.quarantine import Quarantine
from dragoman.server.request import read_body
from dragoman.store.configs import StoredConfig
from dragoman.store.engine import Role, Store, open_store
from dragoman.store.lastgood import open_last_good
from dragoman.store.limits import StoredLimits
from dragoman.store.location import data_dir
from dragoman.store.prompts import StoredPrompts
from dragoman.store.replies import Replies
from dragoman.store.responses import Responses
from dragoman.store.vault import Vault
from dragoman.telemetry.metrics import Metrics
from dragoman.usage.erasures import Erasures
from dragoman.usage.price import Prices
from dragoman.usage.spool import Spool
from dragoman.usage.write import UsageWriter

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from dragoman.access.principal import Principal
    from dragoman.config.auditing import Audit
    from dragoman.config.schema import Config
    from dragoman.ledger.hold import Counting
    from dragoman.routing.build import Snapshot
    from dragoman.server.request import Request
    from dragoman.telemetry.node import NodeFigures

log = logging.getLogger("dragoman")

# A start does not wait longer for Redis.
CONNECT_WITHIN_S = 2.0


class Seat(Struct, frozen=True):
    """Which of a server's processes this is, and what they have in common."""

    worker: int = 0
    rehearsal_key: str = ""  # empty: its own
    pulse: Pulse = field(default_factory=Pulse)
    quarantine: Quarantine | None = None


class Gateway:
    """What serves requests, apart from the server."""

    def __init__(
        self, config: Config, loop: AbstractEventLoop, environ: Mapping[str, str], seat: Seat | None = None
    ) -> None:
        self.seat = seat or Seat()
        self.rehearsal_key = self.seat.rehearsal_key or secrets.token_urlsafe(24)
        self.metrics = Metrics()
        self.node: NodeFigures | None = None
        self.prices = Prices()
        self.upstream = Upstream(loop)
        self.balancer = Balancer(retry_budget=config.defaults.retry_budget)
        self.builder = Builder(self.upstream, self.balancer, self.prices, self.rehearsal_key)
        self.problems: list[str] = []
        self.is_draining: Callable[[], bool] = lambda: False
        self.typical = Typical()
        self.store = store_of(config, environ, self.seat)
        try:
            pepper = load_pepper(self.store.directory, environ)
            self.entrance = Entrance(self.store.engine, pepper, config, self.upstream, loop)
            self.keys = self.entrance.keys
            check_exposure(config, self.keys.total)
            self.snapshot: Snapshot = self.builder.build(config, 1)
            self.pepper = pepper
            self.redis = redis_of(config)
            self.counting, self.book = counting_of(self.store, self.redis, config.server.workers)
            self.book.declare(config.limits)
            self.limits = StoredLimits(self.store.engine, self.book.store)
            self.auditor = auditor_of(config.audit, self.store, environ)
        except Exception:
            self.store.close()
            raise
        self.loop = loop
        self.line = Line(loop, config.queue)
        self.change = Change(loop)
        self.answers = AnswerCache(config.cache, None if self.redis is None else SharedAnswers(self.redis, pepper))
        self.probing = None if self.redis is None else Probing(self.redis, self.balancer, secrets.token_hex(8))
        self.news = None if self.probing is None else news_of(self.probing, self.change, self.answers)
        self.housekeeping = self._housekeeping()
        self.saved_answers = CacheFile(self.store.directory, pepper, self.seat.worker)
        if config.cache.persist:
            self.saved_answers.load(self.answers)
        spool = Spool(self.store.directory, worker=self.seat.worker, workers=config.server.workers)
        self.writer = UsageWriter(self.store.engine, spool, config.store, erasures=Erasures(pepper))
        self.writer.start()
        self.holds = Holds(self.book, self.counting, loop)
        self.alerts = self._alerts(config)
        self.counting.start()
        self.prompts = StoredPrompts(self.store.engine)
        self.stored_config = StoredConfig(self.store.engine)
        self.loads_config: Callable[[str], Config] = lambda _: self.snapshot.config
        self.express = self._express()
        self.turns = Vault(self.store.engine, pepper, config.store.continuity_hours)
        self.once = Once(Replies(self.store.engine, pepper), pepper, config.store.idempotency_hours)
        self.responses = Responses(self.store.engine, int(config.store.responses_retention_days))

    def replace(self, config: Config) -> None:
        """Put a new configuration in force. What cannot be built changes nothing and raises."""
        check_exposure(config, self.keys.total)
        snapshot = self.builder.build(config, self.snapshot.number + 1)
        self.answers.replace(config.cache)
        self.entrance.declare(config)
        self.auditor.replace(config.audit)
        self.auditor.trail.act("config.reload", actor="file", snapshot=snapshot.number, digest=digest_of(config))
        self.book.declare(config.limits)
        self.alerts.replace(config.ledger.alerts)
        self.line.settings = config.queue
        warn_of_what_waits(self.snapshot.config, config)
        self.snapshot = snapshot
        self.express.reopen()
        self.problems = []
        self.metrics.reloads += 1
        log.info("configuration %d is in force", snapshot.number)

    def _alerts(self, config: Config) -> Alerts:
        alerts = Alerts(self.book, self.upstream, self.loop)
        alerts.replace(config.ledger.alerts)
        self.counting.on_write = alerts.tell
        return alerts

    def _express(self) -> ExpressWay:
        express = ExpressWay(self)
        self.keys.changed = self.book.changed = express.forget
        self.writer.gather = self.auditor.gather = self.metrics.gather = express.settle
        return express

    def _housekeeping(self) -> Housekeeping:
        auditor = self.auditor
        store = self.store
        eraser = Eraser(store.engine, store.directory, auditor.subjects, auditor.contents, self.pepper)
        housekeeping = Housekeeping(auditor.trail, eraser, lambda: auditor.settings)
        housekeeping.retains = self.seat.worker == 0
        housekeeping.on_erased = self._let_go_of_erased
        return housekeeping

    def _let_go_of_erased(self) -> None:
        # Whose answers these are is not known any more, so all of them go: people are seldom erased.
        self.answers.purge([])
        self.responses.forget_recent()
        self.writer.forget_names()

    def tell_change(self) -> None:
        """Have what was changed outlive a power cut, and the other processes look at it at once, if there are any.

        Raises:
            StoreError: it cannot be synced.
        """
        self.store.sync()
        if self.redis is not None:
            tell_of_change(self.redis)

    def note_problems(self, problems: list[str]) -> None:
        """A new configuration was bad: the old one stays, and readiness says so."""
        self.problems = problems
        self.metrics.failed_reloads += 1
        log.error("the new configuration is not used: %s", "; ".join(problems))

    def authenticate(self, request: Request) -> Principal:
        """Who sends the request.

        Raises:
            Unauthenticated: no key, or one that is not in force.
            Forbidden: no key is needed, and a page of another site sends it.
        """
        principal = self.authenticate_secret(secret_of(request), request.client)
        if principal is ANONYMOUS:
            refuse_other_sites(request.headers)
        return principal

    def authenticate_secret(self, secret: str, client: str) -> Principal:
        """Whose key it is; empty where none was presented.

        Raises:
            Unauthenticated: nobody's.
        """
        principal = self.entrance.find(secret, client)
        if principal is None:
            message = "No API key was given." if not secret else "The API key is not valid."
            raise Unauthenticated(f"{message} Send a key of this gateway as 'Authorization: Bearer dgk_...'.")
        return principal

    def check_signature(self, request: Request, sent_path: str, body: bytes) -> None:
        """Hold a request that is signed to its signature.

        Raises:
            Unauthenticated: it is not right.
        """
        if not self.keys.is_open:
            check_signature(request.headers, (request.method, sent_path, request.query), body)

    async def read_body(self, request: Request) -> bytes:
        """The request's body, within the limits."""
        body = await read_body(request, self.snapshot.config.server.limits)
        quarantine = self.seat.quarantine
        if quarantine is not None and quarantine.is_careful:
            quarantine.enter(request.id, request.path, body)
        return body

    def typical_output(self, deployment: str) -> int:
        """Output tokens to expect of a deployment."""
        return self.typical.output(deployment)

    def learn_output(self, deployment: str, tokens: int) -> None:
        """An answer had that many output tokens."""
        self.typical.learn(deployment, tokens)

    def close(self) -> None:
        """Write what is still to be written, and let go of the database."""
        self.express.close()
        if self.news is not None:
            self.news.close()
        self.keys.save_last_used()
        if self.snapshot.config.cache.persist:
            self.saved_answers.save(self.answers)
        else:
            self.saved_answers.remove()
        self.answers.close()
        self.turns.close()
        self.responses.close()
        self.writer.close()
        self.counting.close()
        self.auditor.close()
        self.store.close()


def store_of(config: Config, environ: Mapping[str, str], seat: Seat) -> Store:
    """The database; while it is away, where the configuration allows that, what was kept of it.

    Raises:
        StoreError: neither can be used.
    """
    try:
        role: Role = "server" if config.redis is None else "sharer"
        return open_store(config.store, environ, role=role, processes=config.server.workers)
    except DatabaseAway as away:
        hours, directory = config.store.last_good_hours, data_dir(config.store, environ)
        if not hours:
            raise
        now_ms = time.time_ns() // 1_000_000
        try:
            pepper = load_pepper(directory, environ)
            found = open_last_good(directory, pepper, most_hours=hours, now_ms=now_ms, name=str(seat.worker))
        except StoreError as error:
            raise StoreError(f"{away}; and {error}") from away
        log.error("%s: starting from the keys of %.1f hours ago; nothing is stored", away, found.age_h(now_ms))
        return Store(found.engine, directory, None, last_good=found)


def auditor_of(settings: Audit, store: Store, environ: Mapping[str, str]) -> Auditor:
    """What tells the audit log.

    Raises:
        StoreError: the log cannot be written, or a key of it is none.
    """
    trail = Trail(settings, store.directory, load_key(store.directory, environ, SIGNING))
    subjects = Subjects(store.directory, load_key(store.directory, environ, SEALING))
    return Auditor(trail, subjects, Contents(store.engine), settings)


def warn_of_what_waits(before: Config, config: Config) -> None:
    """Say what of a new configuration holds from the next start on."""
    waiting = {
        "store.url": before.store.url != config.store.url,
        "redis": before.redis != config.redis,
        "server.workers": before.server.workers != config.server.workers,
    }
    names = [name for name, is_new in waiting.items() if is_new]
    if names:
        log.warning("%s: a change holds from the next start on", ", ".join(names))


def redis_of(config: Config) -> Redis | None:
    """The server that processes share, where there is one. Whether it answers, time will tell."""
    if config.redis is None:
        return None
    redis = Redis(config.redis.url, prefix=config.redis.prefix, timeout_s=config.redis.timeout_s)
    if not redis.ready(CONNECT_WITHIN_S):
        log.error("Redis does not answer (%s): until it does, each process counts alone", redis.reason)
    return redis


def news_of(probing: Probing, change: Change, answers: AnswerCache) -> News:
    """What is told to and by other processes."""
    news = News(probing, change)
    news.on_purged = answers.purge_here
    answers.on_purge = news.purged
    news.start()
    return news


def counting_of(store: Store, redis: Redis | None, workers: int) -> tuple[Counting, Book]:
    """How limits are counted, and the limits.

    Raises:
        StoreError: what was counted before cannot be read, or other servers count elsewhere.
    """
    if redis is None:
        ledger = Ledger()
        figures = Figures(store.engine, ledger)
        return figures, Book(ledger, figures)
    shared = SharedCounting(store.engine, redis, secrets.token_hex(8), workers)
    shared.meet(store.others())
    shared.book = Book(shared.ledger, shared)
    return shared, shared.book


def digest_of(config: Config) -> str:
    """What tells one configuration from another; says nothing of what is in it."""
    return sha256(msgspec.json.encode(config)).hexdigest()
