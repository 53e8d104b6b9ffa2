"""One request as it arrived, and the reading of its body within limits.

granian waits for a body as long as the client likes and takes as much as it sends, so the limits are kept here: a
length that is declared too large is refused unread, an undeclared one as soon as it crosses the limit, and a body that
comes too slowly is given up (by :class:`~dragoman.server.app.App`, which looks after all requests in flight).
"""

from __future__ import annotations

from asyncio import CancelledError
from random import getrandbits
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from dragoman.core import Recording, Reply
from dragoman.errors import (
    BodyTooLarge,
    ClientGone,
    Internal,
    InvalidRequest,
    RequestTimeout,
    ShuttingDown,
    UnsupportedMedia,
)

if TYPE_CHECKING:
    from granian._granian import RSGIHTTPProtocol as HTTPProtocol

    from dragoman.config.schema import Limits
    from dragoman.core import Adopted, Exchange
    from dragoman.express import Passing


class Follower(Protocol):
    """What gives a request the answer to another."""

    def cancel(self) -> None:
        """Look whether it is still wanted."""


Stage = Literal["accepted", "reading", "sending", "answered"]

# A body up to this size is taken in one piece: progress on it is not worth watching.
ONE_PIECE_BYTES = 64 * 1024
# A length of fewer digits than this is certainly one of those.
ONE_PIECE_DIGITS = 5
# Before a slow body is given up.
GRACE_S = 5.0


def new_id(at_ms: int) -> str:
    """An id for a request that came then. The time first: rows are looked up by it, and an index takes ids that only
    grow far more easily."""
    return f"req_{at_ms:012x}{getrandbits(64):016x}"


class Request:
    """A request in flight."""

    __slots__ = (
        "adopted",
        "arrived_s",
        "body_by_s",
        "client",
        "exchanges",
        "followed",
        "gone",
        "headers",
        "id",
        "method",
        "path",
        "proto",
        "query",
        "reading",
        "recording",
        "reply",
        "stage",
        "started_at_ms",
        "stopping",
        "unframed",
        "watched",
    )

    def __init__(self, request_id: str, proto: HTTPProtocol, reply: Reply, started_at_ms: int = 0) -> None:
        self.id = request_id
        self.proto = proto
        self.reply = reply
        self.client = ""  # its address
        self.method = ""
        self.path = ""
        self.query = ""
        self.headers: dict[str, str] = {}
        self.adopted: Adopted | None = None  # what has been done for it by the front and the express way
        self.arrived_s = monotonic()
        self.started_at_ms = started_at_ms
        self.stage: Stage = "accepted"
        self.body_by_s = 0.0
        self.reading: Any = None  # granian's future of the next piece of the body
        self.exchanges: list[Exchange] = []  # attempts under way
        self.followed: list[Follower] = []  # those of others that the answer is taken from
        self.recording: Recording | None = None  # of the answer, for others
        self.gone = False
        self.stopping = False
        self.unframed = False  # a body may come that no header tells of
        self.watched = False

    @classmethod
    def of(cls, adopted: Adopted) -> Request:
        """One that has come by the front, and perhaps the express way, and goes on by this."""
        request = cls(adopted.id, cast("HTTPProtocol", adopted.proto), adopted.reply, adopted.started_at_ms)
        request.adopted = adopted
        request.arrived_s -= adopted.age_s
        request.gone, request.stopping = adopted.is_gone, adopted.is_stopping
        return request

    @property
    def passing(self) -> Passing | None:
        """What it went by, where an attempt has been made for it by the express way."""
        return None if self.adopted is None else cast("Passing | None", self.adopted.told)

    def part(self, proto: Any = None) -> Request:
        """A request of its own for a part of this one, such as a session's turn, that is recorded by itself.

        :param proto: whom it is answered to; None: the same.
        """
        now_ms = time_ns() // 1_000_000
        proto = self.proto if proto is None else proto
        part = Request(new_id(now_ms), proto, Reply(proto, ""), now_ms)
        part.client = self.client
        return part

    def record(self, recording: Recording) -> Recording:
        """Record the answer, unless it is recorded already: there is one recording for all who want it.

        Returns:
            What it is recorded in.
        """
        if self.recording is None:
            self.recording = recording
            self.reply.record(recording)
        return self.recording

    def begin_reading(self) -> None:
        """Ask for a small body before anything else is done with the request, so that it comes meanwhile.

        Not where the client waits to be told to send it: it is told once its key is known to be good.
        """
        if self.adopted is not None:
            return
        declared = self.headers.get("content-length", "")
        small = declared.isdigit() and 0 < len(declared) < ONE_PIECE_DIGITS
        if small and "expect" not in self.headers:
            self.reading = self.proto()

    def give_up(self) -> None:
        """End whatever the request is waiting for: the client is gone or too slow, or the process is stopping."""
        for follower in list(self.followed):
            follower.cancel()
        if self.gone and not self.is_abandoned:
            return
        for exchange in list(self.exchanges):
            exchange.cancel()
        if self.stage == "reading" and self.reading is not None:
            self.reading.cancel()

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody waits for the answer: neither its client nor another's."""
        return self.gone and (self.stopping or self.recording is None or not self.recording.followers)

    def check_wanted(self) -> None:
        """Look whether an answer is still wanted, before more is done for it.

        Raises:
            ClientGone: nobody waits for it.
            ShuttingDown: the process waits for it no longer.
        """
        if self.is_abandoned:
            raise ClientGone("the client hung up")
        if self.stopping:
            raise ShuttingDown("The gateway is shutting down.", retry_after_s=1)


async def read_body(request: Request, limits: Limits) -> bytes:
    """Read the whole body.

    Raises:
        BodyTooLarge: declared or found to be over the limit.
        UnsupportedMedia: it is compressed, and might grow beyond any limit.
        InvalidRequest: its chunks are not in order.
        RequestTimeout: it came too slowly.
        ClientGone: the client hung up in the middle.
        ShuttingDown: the process waits for it no longer.
    """
    length = declared_length(request.headers)
    if length is not None and length > limits.max_body_bytes:
        raise too_large(limits.max_body_bytes)
    if length == 0 or (length is None and not request.unframed and "transfer-encoding" not in request.headers):
        return b""
    encoding = request.headers.get("content-encoding", "")
    if encoding.lower() not in {"", "identity"}:
        raise UnsupportedMedia(f"The content encoding {encoding!r} is not read here.", param="content-encoding")
    if request.adopted is not None:
        return _adopted_body(request, request.adopted)
    request.stage = "reading"
    try:
        if length is not None and length <= ONE_PIECE_BYTES:
            _allow(request, limits, length)
            if request.reading is None:
                request.reading = request.proto()
            body: bytes = await request.reading
        else:
            body = await _in_pieces(request, limits)
    except RuntimeError:
        raise ClientGone("the client hung up while sending its body") from None
    except CancelledError:
        request.check_wanted()
        raise too_slow() from None
    finally:
        request.stage = "accepted"
        request.reading = None
    if length is not None and len(body) != length:
        raise ClientGone("the body ended before its declared length")
    return body


def _adopted_body(request: Request, adopted: Adopted) -> bytes:
    if adopted.trouble == "late":
        request.check_wanted()
        raise too_slow()
    if adopted.trouble == "failed":
        raise Internal("The gateway failed on this request; its log says why.")
    if adopted.body is None:
        raise ClientGone("the client hung up while sending its body")
    return adopted.body


async def _in_pieces(request: Request, limits: Limits) -> bytes:
    pieces: list[bytes] = []
    size = 0
    stream = request.proto.__aiter__()
    while True:
        _allow(request, limits, size)
        request.reading = stream.__anext__()
        piece: bytes = await request.reading
        if not piece:
            if not _is_over(stream):
                raise InvalidRequest("The body broke off, or has trailers.", code="incomplete_body")
            return b"".join(pieces)
        size += len(piece)
        if size > limits.max_body_bytes:
            raise too_large(limits.max_body_bytes)
        pieces.append(piece)


def _allow(request: Request, limits: Limits, size: int) -> None:
    """Allow a body of this size the time that the slowest pace needs for it."""
    earned_s = GRACE_S + size / limits.body_min_bytes_s
    request.body_by_s = request.arrived_s + min(limits.body_timeout_s, earned_s)


def _is_over(stream: Any) -> bool:
    """Whether an empty piece was the end of the body. granian gives one for an error as well, and goes on."""
    try:
        stream.__anext__()
    except StopAsyncIteration:
        return True
    return False


def declared_length(headers: dict[str, str]) -> int | None:
    """The body's declared length.

    Raises:
        InvalidRequest: it is not a number.
    """
    declared = headers.get("content-length")
    if declared is None:
        return None
    if not declared.isascii() or not declared.isdigit():
        raise InvalidRequest("Content-Length is not a number.", code="invalid_header", param="content-length")
    return int(declared)


def too_large(limit: int) -> BodyTooLarge:
    """The error of a body over the limit."""
    return BodyTooLarge(f"The body is over {limit} bytes (server.limits.max_body_bytes).")


def too_slow() -> RequestTimeout:
    """The error of a body that came too slowly."""
    return RequestTimeout("The body did not arrive in time (server.limits.body_timeout_s, body_min_bytes_s).")
