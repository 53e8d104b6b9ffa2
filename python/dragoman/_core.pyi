"""The engines in Rust; this file is their documentation.

Import from :mod:`dragoman.core`. Counts are tokens, sizes bytes, unless a name says otherwise.
"""

from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable, Generator
from contextvars import Context
from typing import Literal, Protocol, Self, TypedDict, final, type_check_only

__all__ = [
    "Answer",
    "AnswerError",
    "BodyError",
    "Exchange",
    "FrameError",
    "Outcome",
    "Reply",
    "RequestBody",
    "SseEvent",
    "SseReader",
    "Target",
    "Terms",
    "Upstream",
    "Usage",
    "read_answer",
    "read_error",
]

# Request bodies --------------------------------------------------------------------------------------------------

class BodyError(ValueError):
    """A JSON document is refused."""

    code: str
    """``invalid_json``, ``not_an_object``, ``duplicate_key`` (in any object, compared without escapes),
    ``invalid_encoding`` (not UTF-8, half a surrogate pair, a NUL in a key or a name), ``too_deep``, ``not_finite``
    (``NaN``, ``Infinity``, ``1e999``) or ``invalid_value`` (a field that the gateway reads has a wrong type or range).
    """
    offset: int
    """The byte where it shows, from 0."""
    path: str
    """The field, as ``messages[3].content``; empty when none is at fault."""
    message: str
    """The fault in words, without offset and path."""

@final
class RequestBody:
    """A client's request, checked whole in one strict pass (about 0.6 us a KB) and edited without being rewritten.

    :param body: a JSON object in UTF-8; a byte order mark is passed over.
    :param max_depth: how many objects and arrays may nest.
    :raises BodyError: what is wrong, and where.

    Null counts as absent. Numbers keep all their digits, since no byte changes that no edit names.
    """

    def __new__(cls, body: bytes, max_depth: int = 128) -> Self: ...
    @property
    def model(self) -> str | None:
        """The field ``model``."""
    @property
    def stream(self) -> bool:
        """The field ``stream``."""
    @property
    def include_usage(self) -> bool:
        """``stream_options.include_usage``: the client wants the usage of a stream."""
    @property
    def max_tokens(self) -> int | None:
        """``max_completion_tokens``, else ``max_tokens``; 0 or more."""
    @property
    def n(self) -> int | None:
        """How many choices are asked for; 1 or more."""
    @property
    def end_user(self) -> str | None:
        """``user``, else ``safety_identifier``."""
    def field(self, name: str) -> bytes | None:
        """The value of a top-level field as it stands in the body: JSON."""
    def rewrite(self, *, model: str | None, ask_usage: bool, remove: tuple[str, ...] = ()) -> bytes:
        """The body with edits made and every other byte as it was, but for a byte order mark, which goes.

        :param model: the value of ``model`` from now on; None leaves it.
        :param ask_usage: set ``stream_options.include_usage`` and keep the rest of ``stream_options``.
        :param remove: top-level fields to take away before the others are set.
        """

# Answers ---------------------------------------------------------------------------------------------------------

class FrameError(ValueError):
    """An event of a stream is larger than the reader allows; nothing more comes out of the reader."""

    events: list[SseEvent]
    """The events that were complete before it."""

@final
class SseEvent:
    """One server-sent event, or a comment or other block that a blank line ends."""

    @property
    def raw(self) -> bytes:
        """Exactly as received, with the blank line."""
    @property
    def event(self) -> str | None:
        """The ``event:`` field."""
    @property
    def data(self) -> bytes:
        """The ``data:`` fields, joined by LF."""
    @property
    def is_comment(self) -> bool:
        """There is no ``data:`` field: a comment, an ``id:``, a ``retry:`` or a lone blank line."""

@final
class SseReader:
    """Cuts a stream into events as section 9.2.6 of the HTML standard says, however the network split it.

    Lines end in LF, CRLF or CR; a byte order mark is passed over. Each byte is looked at once.

    :param max_event_bytes: the most that one event may hold.
    """

    def __new__(cls, max_event_bytes: int) -> Self: ...
    def feed(self, chunk: bytes) -> list[SseEvent]:
        """The events that these bytes complete.

        :raises FrameError: an event is too large.
        """
    def finish(self) -> tuple[list[SseEvent], bytes]:
        """What the end of the stream completes, and the bytes that no blank line ended, which the standard drops."""

@final
class Usage:
    """Tokens as a provider counted them, the many shapes of the report made one.

    ``input`` includes the cached and the cache-written tokens, ``output`` the reasoning; a part is never more than its
    whole, and no count negative or beyond 2**63 - 1.
    """

    @property
    def input(self) -> int:
        """Tokens of the prompt."""
    @property
    def output(self) -> int:
        """Tokens that were generated."""
    @property
    def cached_input(self) -> int:
        """Read from the provider's cache."""
    @property
    def cache_write(self) -> int:
        """Written to the provider's cache."""
    @property
    def reasoning(self) -> int:
        """Generated but not shown."""
    @property
    def audio_input(self) -> int:
        """Audio in the prompt."""
    @property
    def audio_output(self) -> int:
        """Audio that was generated."""
    @property
    def total(self) -> int | None:
        """The provider's own sum, as it stands."""
    @property
    def suspect(self) -> bool:
        """A count was negative, broken or beyond all range, and was bent to fit: better counted anew."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class AnswerError:
    """An error as a provider told it, in any of the shapes that providers use."""

    @property
    def status(self) -> int | None:
        """The HTTP status that it amounts to, where the error says so by number or by name."""
    @property
    def kind(self) -> str:
        """The provider's ``type``, or Google's ``status``; empty when there is none."""
    @property
    def code(self) -> str:
        """The provider's ``code``, a number as text; empty when there is none."""
    @property
    def message(self) -> str:
        """At most 2,048 bytes of it."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Answer:
    """What a whole answer of the OpenAI dialect says about itself."""

    @property
    def usage(self) -> Usage | None:
        """None when the provider counted no tokens."""
    @property
    def finish_reason(self) -> str | None:
        """Of the first choice that has one."""
    @property
    def model(self) -> str | None:
        """The model that served, in the provider's words."""
    @property
    def error(self) -> AnswerError | None:
        """An error that came with a status of success."""
    @property
    def choices(self) -> int:
        """How many there are."""
    @property
    def vectors(self) -> int:
        """How many an answer to an embeddings request holds."""
    @property
    def dimensions(self) -> int | None:
        """The length that every vector has; None when they differ, are encoded in base64 or there are none."""
    @property
    def text(self) -> str:
        """What was generated, with reasoning and tool calls; empty unless asked for."""

def read_answer(body: bytes, *, keep_text_bytes: int = 0) -> Answer:
    """Reads a whole answer; about 1 us a KB.

    :param keep_text_bytes: how much of the generated text to keep.
    :raises BodyError: the body is no complete JSON document.
    """

def read_error(body: bytes) -> AnswerError | None:
    """Reads the body of an answer that failed; None if it holds no error in a shape that is known, as with HTML."""

# The upstream client ---------------------------------------------------------------------------------------------

@type_check_only
class _Transport(Protocol):
    def send_bytes(self, data: bytes, /) -> object: ...

@type_check_only
class _Protocol(Protocol):
    """The part of an RSGI protocol object that answers; each method is called from the client's own thread."""

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes, /) -> object: ...
    def response_stream(self, status: int, headers: list[tuple[str, str]], /) -> _Transport: ...

@type_check_only
class _Connecting(TypedDict):
    connect_timeout_s: float
    """For dialling and the TLS handshake together."""
    allow_private: bool
    """Loopback, private and link-local addresses may be connected to."""
    http2: bool
    """HTTP/2 is offered inside TLS."""
    proxy: str
    """A URL; empty: the environment's; ``none``."""
    ca_pem: bytes | None
    """Roots that are trusted besides the platform's."""

@final
class Upstream:
    """A thread that speaks HTTP/1.1 and HTTP/2 to providers; what all targets share.

    :param event_loop: where tasks that await an :class:`Exchange` run.

    Make it in the process that uses it: threads do not survive a fork. The thread ends when this and all its targets
    are dropped.
    """

    def __new__(cls, event_loop: AbstractEventLoop) -> Self: ...
    def target(self, base_url: str, headers: list[tuple[str, str]], options: _Connecting) -> Target:
        """A pool of connections of its own.

        :param base_url: paths are appended to it.
        :param headers: sent with every request, the credential among them.
        :raises ValueError: the URL, a header or the roots cannot be used.
        """

@final
class Terms:
    """What bounds an attempt, and what its answer may be.

    :param lane: ``whole`` (JSON, checked before it is passed on), ``stream`` (server-sent events of OpenAI's dialect),
        ``stream_without_usage`` (the same, with the usage that only the gateway asked for taken out), ``raw``
        (anything, passed on from its first byte).
    :param answer_headers: of the answer; its content type, the provider's rate limits and the times are added to them.
    :param timeouts_s: to the first byte, between two, for all of it, and of a provider's silence after which the client
        gets a comment.
    :param sizes: bytes of a whole answer, and of one event.
    :param hold: a whole answer, and the end of a stream, are left to the caller to write.
    """

    def __new__(
        cls,
        lane: str,
        method: str,
        answer_headers: list[tuple[str, str]],
        timeouts_s: tuple[float, float, float, float],
        sizes: tuple[int, int] = (67108864, 4194304),
        hold: bool = False,
    ) -> Self: ...

@final
class Target:
    """One deployment with one credential."""

    def send(self, reply: Reply, path: str, body: bytes, headers: list[tuple[str, str]], terms: Terms) -> Exchange:
        """Start an attempt; what comes of it goes to ``reply``.

        :param path: appended to the base URL, with its query.
        :raises ValueError: the path or a header cannot be sent.
        """

@final
class Reply:
    """The way back to one client.

    :param proto: an RSGI protocol object, or one like it.
    :param client: the peer's address, ``ip:port``: a slow reader is noticed by its socket.
    :param outstanding_bytes: how much of a stream may be under way to it before the provider is not read on.
    :param write_timeout_s: a client that takes nothing for so long is disconnected.
    """

    def __new__(
        cls, proto: _Protocol, client: str, outstanding_bytes: int = 262144, write_timeout_s: float = 60.0
    ) -> Self: ...
    def taken(self) -> bool:
        """Whether an attempt has begun to answer. Of several, only the first may."""
    def times_ms(self) -> tuple[float, float]:
        """Milliseconds since this was made: the caller's own, and those spent in attempts that are over."""
    def send(self, data: bytes) -> bool:
        """Send a piece of a stream that has begun. False: the client is gone, or no stream has begun."""
    def finish(self) -> None:
        """End a stream."""

@final
class Exchange(Awaitable[Outcome]):
    """An attempt under way. Awaiting it gives its outcome, and never raises."""

    def __await__(self) -> Generator[object, None, Outcome]: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Self: ...
    def on_done(self, callback: Callable[[Exchange], object]) -> None:
        """Call back when the attempt is over, on the thread that ends it."""
    def cancel(self, msg: object = None) -> bool:
        """End the attempt; the outcome follows. False: it is over already."""
    _asyncio_future_blocking: bool
    def get_loop(self) -> AbstractEventLoop: ...
    def add_done_callback(self, callback: Callable[[Exchange], object], *, context: Context) -> None: ...
    def done(self) -> bool:
        """Whether the attempt is over."""
    def result(self) -> Outcome:
        """The outcome.

        :raises RuntimeError: the attempt is not over.
        """

@final
class Outcome:
    """How an attempt ended. Times are milliseconds since its start."""

    @property
    def status(self) -> int:
        """The provider's; 0 where it did not answer."""
    @property
    def failure(
        self,
    ) -> Literal[
        "",
        "unreachable",
        "tls",
        "refused",
        "protocol",
        "status",
        "reported",
        "first_byte_timeout",
        "idle_timeout",
        "total_timeout",
        "cut",
        "client_gone",
        "beaten",
    ]:
        """Why the client does not have the whole answer; empty where it has.

        ``refused``: by the address policy. ``status``: outside 2xx. ``reported``: an error inside a 200.
        ``beaten``: another attempt answered first.
        """
    @property
    def detail(self) -> str:
        """The failure in words, for operators."""
    @property
    def reported(self) -> tuple[int | None, str, str] | None:
        """Status, type and code of a reported error."""
    @property
    def sent(self) -> bool:
        """Whether bytes of the request may have reached the provider."""
    @property
    def written(self) -> Literal["", "partly", "whole"]:
        """How much of the answer has reached the client."""
    @property
    def body(self) -> bytes:
        """A whole answer, or the body of an error."""
    @property
    def headers(self) -> list[tuple[str, str]]:
        """The provider's."""
    def header(self, name: str) -> str | None:
        """One of them, by its name in lower case."""
    @property
    def usage(self) -> tuple[int, int, int, int, int, int, int] | None:
        """Tokens as the provider counted them: input, output, cached input, cache write, reasoning, audio input,
        audio output; ``None`` where it did not, or where its figures cannot be true."""
    @property
    def finish_reason(self) -> str: ...
    @property
    def served_model(self) -> str:
        """The model that served, in the provider's words."""
    @property
    def text(self) -> str:
        """What a stream has generated so far (up to 256 KiB), to count what it did not report."""
    @property
    def text_truncated(self) -> bool:
        """There was more text than was kept."""
    @property
    def content_events(self) -> int: ...
    @property
    def missing_done(self) -> bool:
        """The stream ended well, but without ``[DONE]``; the client has got one."""
    @property
    def first_byte_ms(self) -> float | None: ...
    @property
    def first_token_ms(self) -> float | None: ...
    @property
    def total_ms(self) -> float: ...
