"""A request with an ``Idempotency-Key``: carried out once, however often it is sent.

The key is taken in the database before a provider is asked, so it holds for all processes that share one. The answer
is kept there, sealed, and given to whoever sends the same again; so is a failure after which a provider may have
carried the request out. Where certainly none has, the key is free again. While such a request is under way it is
finished even if its client leaves: that is who will ask again.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable
from time import monotonic, time_ns
from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from dragoman.cache.kept import Kept, kept_of
from dragoman.dialects.canonical import Report
from dragoman.dialects.reports import report_of
from dragoman.driver import OnLoop
from dragoman.errors import Conflict, InvalidRequest, KeyReused, Overloaded, Repeated, RequestError, StoreError
from dragoman.routing.with_cost import write_kept
from dragoman.store.replies import GENERATED, UNDERWAY

if TYPE_CHECKING:
    from dragoman.core import Recording
    from dragoman.routing.call import Call
    from dragoman.routing.run import Run
    from dragoman.store.replies import Replies, Reply

T = TypeVar("T")

HEADER = "idempotency-key"
MOST_KEY_CHARS = 255
# Of a longer answer it is known that there was one.
MOST_BYTES = 1024 * 1024
# How much longer than its deadline a request may be under way.
GRACE_MS = 10_000
HOUR_MS = 3_600_000
log = logging.getLogger("dragoman.cache")


class Became(Struct, frozen=True, array_like=True):
    """What a request came to."""

    at_ms: int
    kept: Kept | None = None  # None: it failed
    body: bytes | None = None  # None: it was too long to be kept, or not to be
    failure: Report | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Became).decode


class Answering(Struct, frozen=True):
    """How a request is answered."""

    ask: Callable[[], Awaitable[None]]
    before: Callable[[], Awaitable[None]]  # it is answered with what is kept: puts that on record


class Once:
    """What is known of such requests."""

    def __init__(self, replies: Replies, pepper: bytes, hours: float) -> None:
        """:param hours: how long answers are kept; 0: the header says nothing."""
        self._replies = replies
        self._pepper = pepper
        self._kept_ms = int(hours * HOUR_MS)

    def concerns(self, run: Run) -> bool:
        """Whether a request is to be carried out once."""
        return HEADER in run.request.headers and self._kept_ms > 0

    async def through(self, answering: Answering, call: Call, run: Run, recording: Recording) -> None:
        """Answer a request with what is kept, or by asking.

        :param recording: of its answer.

        Raises:
            InvalidRequest: the key is none.
            KeyReused: it was another request's.
            Conflict: the request is under way, or its answer was not kept.
            Overloaded: the database cannot be asked, so that nothing is certain.
            RequestError: there is no answer. The client has been told already where its answer had begun.
        """
        reply_id, asked = self._names(run)
        known = await self._begin(reply_id, asked, max(0, int((call.deadline_s - monotonic()) * 1000)))
        if known is not None:
            became = _became(known, asked)
            await answering.before()
            _answer(became, call, run)
            return
        is_awaited = recording.join()
        try:
            await answering.ask()
        except Exception as error:
            await self._end(reply_id, _failed(run, recording, error))
            raise
        finally:
            if is_awaited:
                recording.leave()
        await self._end(reply_id, _answered(run, recording))

    def _names(self, run: Run) -> tuple[str, str]:
        """What the key is kept under, which is nobody else's, and what it was taken for."""
        chosen, request, who = run.request.headers[HEADER], run.request, run.principal
        if not chosen or len(chosen) > MOST_KEY_CHARS:
            raise InvalidRequest(f"{HEADER}: from 1 to {MOST_KEY_CHARS} characters.", param=HEADER)
        whose = (who.organisation, who.team, who.user, who.key_id, request.path, request.query, chosen)
        told = hmac.digest(self._pepper, _encode(whose), "sha256").hex()
        try:
            asked = msgspec.json.encode(msgspec.json.decode(run.body), order="deterministic")
        except (msgspec.MsgspecError, RecursionError):
            asked = run.body
        return f"{GENERATED}{told[:48]}", hmac.digest(self._pepper, asked, "sha256").hex()

    async def _begin(self, reply_id: str, asked: str, left_ms: int) -> Reply | None:
        try:
            return await _beside(
                lambda: self._replies.begin(reply_id, asked, now_ms=_now_ms(), underway_ms=left_ms + GRACE_MS)
            )
        except StoreError as error:
            message = f"{str(error)[:1].upper()}{str(error)[1:]}."
            raise Overloaded(message, code="store_unavailable", retry_after_s=1) from None

    async def _end(self, reply_id: str, became: Became | None) -> None:
        """Keep what came of a request; ``None``: nothing did, and the key is free again."""

        def end() -> None:
            if became is None:
                self._replies.forget(reply_id)
            else:
                status = 200 if became.failure is None else became.failure.status
                self._replies.end(reply_id, status, _encode(became), now_ms=became.at_ms, kept_ms=self._kept_ms)

        try:
            await _beside(end)
        except StoreError as error:  # whoever asks again hears that it is under way, until it cannot be any more
            log.error("what came of a request with an idempotency key is not kept: %s", error)


def _became(known: Reply, asked: str) -> Became:
    """What is known of the same request."""
    if known.request and known.request != asked:
        raise KeyReused("This idempotency key was another request's; choose a new one.", param=HEADER)
    if known.status == UNDERWAY:
        message = "The request of this idempotency key is under way; ask again in a moment."
        raise Conflict(message, code="idempotency_key_in_use", retry_after_s=1)
    return _decode(known.body) if known.body else Became(0)


def _answer(became: Became, call: Call, run: Run) -> None:
    """Say what a request came to."""
    run.cache = "replay"
    if became.failure is not None:
        raise Repeated(became.failure)
    if became.kept is None or became.body is None:
        message = "The request of this idempotency key has been answered, and the answer was not kept."
        raise Conflict(message, code="idempotency_answer_gone", param=HEADER)
    run.kept = replace(became.kept, age_s=max(0, _now_ms() - became.at_ms) // 1000)
    write_kept(run, run.kept, became.body, stream=call.stream)


def _answered(run: Run, recording: Recording) -> Became | None:
    kept = run.kept or kept_of(run, recording)
    if kept is None:
        return None
    is_private, body = run.knobs is not None and run.knobs.no_log, recording.body
    is_left_out = is_private or recording.dropped or len(body) > MOST_BYTES
    return Became(_now_ms(), kept, None if is_left_out else body)


def _failed(run: Run, recording: Recording, error: Exception) -> Became | None:
    """What came of a request that has failed: where it had begun, what its client got."""
    if run.begun:
        return _answered(run, recording)
    if not isinstance(error, RequestError) or not run.maybe_done:
        return None
    return Became(_now_ms(), failure=report_of(error))


async def _beside(work: Callable[[], T]) -> T:
    """What the database says, asked on a thread of its own."""
    said: list[T] = []

    async def asked() -> None:
        said.append(await asyncio.to_thread(work))

    await OnLoop(asked())
    return said[0]


def _now_ms() -> int:
    return time_ns() // 1_000_000
