"""The engines in Rust; this file is their documentation.

Import from :mod:`dragoman.core`. Counts are tokens, sizes bytes, unless a name says otherwise.
"""

import os
from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextvars import Context
from pathlib import Path
from typing import Literal, Protocol, Self, TypedDict, TypeVar, final, type_check_only

__all__ = [
    "Adopted",
    "Answer",
    "AnswerError",
    "Apart",
    "Asked",
    "AuditLog",
    "AuditProof",
    "AuditReport",
    "AuditSalt",
    "Balancer",
    "Batch",
    "BodyError",
    "CachePass",
    "Detector",
    "Door",
    "Embedder",
    "Ended",
    "EventStreamReader",
    "ExactCache",
    "Exchange",
    "Express",
    "Fields",
    "FrameError",
    "Front",
    "Given",
    "Growing",
    "Hold",
    "Launched",
    "Launcher",
    "Leaving",
    "Ledger",
    "LedgerScope",
    "MaskSession",
    "Masker",
    "MemberState",
    "Outcome",
    "Pass",
    "Pattern",
    "Piece",
    "PlanStep",
    "Pricing",
    "Quantiles",
    "Rates",
    "Recording",
    "Redis",
    "Refused",
    "Reply",
    "RequestBody",
    "Scope",
    "Sealer",
    "SecretHasher",
    "SemanticIndex",
    "Sent",
    "SharedLedger",
    "Sieve",
    "SseEvent",
    "SseReader",
    "Standing",
    "Target",
    "Terms",
    "Ticket",
    "Tier",
    "TokenCount",
    "TokenCounter",
    "Transport",
    "Typical",
    "Unmasker",
    "Upstream",
    "Usage",
    "UsageBatch",
    "VectorIndex",
    "Words",
    "audit_prove",
    "audit_public_key",
    "audit_recover",
    "audit_scan",
    "audit_segments",
    "audit_take_out",
    "audit_verify",
    "backoff_s",
    "event_stream_message",
    "period_slot",
    "pin_of",
    "read_answer",
    "read_error",
    "read_traceparent",
    "retry_after_s",
    "without_usage",
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
    def asks_for_one(self, raw: bytes) -> bool:
        """Whether one answer is asked for, in the words of any dialect, and not several at once.

        :param raw: the request as its client sent it, where this is what of it a provider may see.
        """
    def rewrite(self, *, model: str | None, ask_usage: bool, remove: tuple[str, ...] = ()) -> bytes:
        """The body with edits made and every other byte as it was, but for a byte order mark, which goes.

        :param model: the value of ``model`` from now on; None leaves it.
        :param ask_usage: set ``stream_options.include_usage`` and keep the rest of ``stream_options``.
        :param remove: top-level fields to take away before the others are set.
        """

@final
class Words:
    """Looks for several words at once: whether a body speaks of anything that something is to be done about."""

    def __new__(cls, *words: bytes) -> Self:
        """:raises ValueError: together they are too large."""

    def are_in(self, body: bytes) -> bool:
        """Whether any of them is in it, anywhere and in these bytes: what is escaped in JSON is another word."""

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
class EventStreamReader:
    """Cuts Amazon's binary event stream (``application/vnd.amazon.eventstream``) into messages, however it was split.

    :param max_message_bytes: the most that one message may hold.
    """

    def __new__(cls, max_message_bytes: int) -> Self: ...
    def feed(self, chunk: bytes) -> list[tuple[str, bytes]]:
        """The messages that these bytes complete: a name and the payload.

        The name is the ``:event-type``; of an exception ``exception:`` and its ``:exception-type``, of an error
        ``error:`` and its ``:error-code``.

        :raises FrameError: a length or checksum is wrong; the stream cannot be read on.
        """
    @property
    def is_amid(self) -> bool:
        """Whether bytes are left that are no whole message."""

def event_stream_message(name: str, payload: bytes, *, exception: bool = False) -> bytes:
    """One such message, with JSON for a payload: an event of that type, or an exception."""

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

def without_usage(events: bytes) -> bytes:
    """Takes the usage out of whole events of a chat stream; all else stays byte by byte as it was."""

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
class _Scope(Protocol):
    """The part of an RSGI scope that says what a request is; ``headers`` has ``items``."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def client(self) -> str: ...

@type_check_only
class _Watcher(Protocol):
    """Whom a server wants to be told by that a request is over."""

    def done(self) -> None: ...

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
    pins: list[bytes]
    """SHA-256 of the SubjectPublicKeyInfo of each key that servers may have; none: any that is certified."""

_Argument = TypeVar("_Argument")

@final
class Upstream:
    """A thread that speaks HTTP/1.1 and HTTP/2 to providers; what all targets share.

    :param event_loop: where tasks that await an :class:`Exchange` run.

    Make it in the process that uses it: threads do not survive a fork. The thread ends when this and all its targets
    are dropped.
    """

    def __new__(cls, event_loop: AbstractEventLoop) -> Self: ...
    def call_soon(self, callback: Callable[[_Argument], object], argument: _Argument) -> None:
        """Call that on the thread, with what has ended there meanwhile. What it raises is unraisable."""
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
        (anything, passed on from its first byte). A pair is ``whole`` for embeddings: how many vectors must come, and
        of what length, where that was asked for. ``json`` (a whole answer of any dialect, left to the caller), and
        ``events:sse``, ``events:eventstream``, ``events:ndjson`` (a stream whose events the caller reads from
        :meth:`Exchange.next_batch`, cut as server-sent events, Amazon's messages, or lines). ``relay:sse`` and so on
        are the same, with the bytes kept for :meth:`Exchange.batch_raw`.
    :param answer_headers: of the answer; its content type, the provider's rate limits and the times are added to them.
    :param timeouts_s: to the first byte, between two, for all of it, and of a provider's silence after which the client
        gets a comment.
    :param sizes: bytes of a whole answer, and of one event; 64 MiB and 4 MiB where it is left out.
    :param hold: a whole answer, and the end of a stream, are left to the caller to write.
    """

    def __new__(
        cls,
        lane: str | tuple[int, int | None],
        method: str,
        answer_headers: list[tuple[str, str]],
        timeouts_s: tuple[float, float, float, float],
        sizes: tuple[int, int] = ...,
        hold: bool = False,
    ) -> Self: ...

@final
class Target:
    """One deployment with one credential."""

    @property
    def base_url(self) -> str:
        """What paths are appended to."""
    def send(self, reply: Reply, path: str, body: bytes, headers: list[tuple[str, str]], terms: Terms) -> Exchange:
        """Start an attempt; what comes of it goes to ``reply``.

        :param path: appended to the base URL, with its query.
        :raises ValueError: the path or a header cannot be sent.
        """

@final
class Launcher:
    """Chooses a member of a tier and sends to it, in one call: the first attempt of what all of them take as it came.

    :param chosen_by: the balancer, and its tier.
    :param seats: every member of the tier: the balancer's ``index``, its ``target``, the ``path`` on it, the ``model``
        that is named in place of the body's own (``None``: none), whether streams are asked to end with their usage
        (``asks_usage``), the headers of its answers that say who gave it (``told``), and what bounds an attempt
        (``first_byte_s``, ``idle_s``, ``total_s``).
    :param fields: of a body: those that are taken out, and those that not all members take.
    :param heartbeat_s: as in :class:`Terms`.
    :param sizes: as in :class:`Terms`.
    :raises ValueError: a path is none.
    """

    def __new__(
        cls,
        chosen_by: tuple[Balancer, Tier],
        seats: Sequence[Mapping[str, object]],
        *,
        fields: tuple[list[str], list[str]],
        heartbeat_s: float,
        sizes: tuple[int, int],
    ) -> Self: ...
    def launch(
        self,
        reply: Reply,
        body: RequestBody,
        *,
        headers: tuple[list[tuple[str, str]], list[tuple[str, str]], list[tuple[str, str]]],
        within_s: tuple[float, float | None],
        ask: tuple[int | None, bool],
    ) -> Launched | None:
        """Start an attempt. ``None``: nobody can be chosen, or the body has a field that one of them does not take.

        :param headers: those sent; those of the answer, before and after the ones that say who gave it.
        :param within_s: until all must be over, and the first byte be there (``None``: as the member has it).
        :param ask: ``session`` and ``last_resort``, as :meth:`Balancer.choose` has them.
        :raises ValueError: a header cannot be sent.
        """

@final
class Launched:
    """An attempt that a :class:`Launcher` has sent."""

    @property
    def exchange(self) -> Exchange: ...
    @property
    def ticket(self) -> Ticket: ...
    @property
    def headers(self) -> list[tuple[str, str]]:
        """Of the answer: the list that it is given with, so what is added before it comes is in it."""

@final
class Express:
    """Serves requests without Python: those that are like one that Python has served, and left a pass.

    All of it may be called from any thread.

    :param upstream: on whose thread requests are served.
    :param hasher: of keys' secrets.
    :param headers: names that mean something, so that Python has to read them; of these, those that say how the answer
        is to be cached: it need not, where requests pass that say the same; and how other names begin that it has to.
    :param body: fields of bodies that do, and words, wherever they stand.
    :param row: the names of a row's values: those of ``usage.row.UsageRow``.
    :param rules: the ``path`` that they come to, how large they may be (``max_headers``, ``max_body_bytes``,
        ``max_json_depth``) and how many there may be at once (``max_concurrent``), those of Python among them; what a
        :class:`Reply` is made with (``outstanding_bytes``, ``write_timeout_s``); a body may take ``body_grace_s`` and,
        for each byte that has come, a ``body_min_bytes_s``-th of a second, and no more than ``body_timeout_s`` in all;
        ``shares_probes``: others are asked before a deployment is probed, so that Python has to; ``elsewhere``: how
        paths begin of which nothing is for the front.
    """

    def __new__(
        cls,
        upstream: Upstream,
        hasher: SecretHasher,
        *,
        headers: tuple[list[str], list[str], str],
        body: tuple[list[str], list[bytes]],
        row: tuple[str, ...],
        rules: Mapping[str, str | float],
    ) -> Self: ...
    def rule(self, rules: Mapping[str, str | float]) -> None:
        """Go by these rules from now on."""
    def open(self, is_open: bool) -> None:
        """Whether requests go this way, which they do not at first; all are Python's otherwise."""
    def on_adopted(self, callback: Callable[[Adopted], None]) -> None:
        """Whom requests are given to that are Python's: those that have been sent on the upstream's thread, others on
        one of their own."""
    @property
    def generation(self) -> int:
        """How often passes have been forgotten."""
    def add(self, generation: int, asker: tuple[bytes, str], alias: str, granted: Pass | CachePass) -> None:
        """Let requests for an alias pass; not, where passes have been forgotten since ``generation`` was read: what the
        pass rests on may not hold any more.

        :param asker: the hash of their key's secret, and what they say of the cache: a line ``name:value`` for each
            such header, in their order.
        """
    def knows(self, asker: tuple[bytes, str], alias: str) -> bool:
        """Whether they pass."""
    def forget(self) -> None:
        """Let none pass until a new pass is added. Requests on their way go on."""
    @property
    def in_flight(self) -> int:
        """How many are on their way."""
    def beside(self, count: int) -> None:
        """How many others are in flight that have come by no front."""
    def abort(self) -> None:
        """End all that are on their way: Python is given them."""
    def take_ended(self) -> list[Ended | Given]:
        """Those that have been served since they were last taken, those together that are alike."""
    def wait_ended(self) -> bool:
        """Wait until there is one. False: none comes any more, since ``close`` was called."""
    def close(self) -> None:
        """End the waiting."""

@final
class Pass:
    """What is known beforehand of the requests of a key for an alias.

    :param known: ``told``, what Python knows such requests by; the ``launcher`` that sends them; ``fares``, for each
        of its members, the one that counts and prices first, a dict of its ``index``, ``counter``, ``model``, ``rates``
        and ``known_as``; ``typical`` outputs; ``guards``, the sieves that ``requests`` have to pass, and whole
        ``answers`` where they are looked at, with ``told``, the header of what came of it, ``None`` where there are no
        guardrails; ``headers`` of every answer; ``deadline_s``, what a request may take; ``is_alone``, whether nothing
        but these members may be tried; ``keeps_bodies``, whether :class:`Ended` is to have them; ``until_s``, the Unix
        time from which on nothing of this may hold; ``limited``, a dict of the ``scope`` that they are held in
        (``None``: nothing limits them), the ``pricing`` of what they come to at most, the tokens ``unsaid`` as
        :meth:`Pricing.of` has them, and ``by_end_user``, whether limits tell apart whom requests name as their end
        users.
    :raises ValueError: no member.
    """

    def __new__(cls, known: Mapping[str, object]) -> Self: ...

@final
class CachePass:
    """What is known beforehand of those that the cache is asked for: they are answered at once where it has the answer,
    and else are Python's.

    :param known: ``told``, what Python knows such requests by; ``apart``, the :class:`Apart` that makes their keys of
        their bodies; ``answers``, the :class:`ExactCache`; ``max_age_ms``, how old an answer may not be, or ``None``;
        ``headers`` of every answer; ``keeps_bodies``, whether :class:`Given` is to have them; ``until_s``, the Unix
        time from which on nothing of this may hold.
    """

    def __new__(cls, known: Mapping[str, object]) -> Self: ...

@final
class Given:
    """Requests that :class:`Express` has answered with what was kept, for one pass; oldest first."""

    @property
    def told(self) -> object:
        """Of their pass."""
    def notes(self) -> list[bytes]:
        """Of each answer, as it was kept."""
    def rows(
        self, common: tuple[object, ...], places: list[int], values: list[tuple[object, ...]]
    ) -> list[tuple[object, ...]]:
        """Their rows of usage.

        :param common: one such row. Each request's own are id, times, end user, trace, and whether it is a stream.
        :param places: of fields that are of what was kept; ``values``, what they have for each request.
        """
    def heard(self) -> list[tuple[int, str, bytes]]:
        """Of each its place among all that were taken, oldest first; its client's address; and its body as it was sent,
        empty where the pass does not keep it."""
    def __len__(self) -> int: ...

@final
class Adopted:
    """A request that has come by the :class:`Front` and is Python's; :class:`Express` may have begun it."""

    @property
    def scope(self) -> Scope: ...
    @property
    def proto(self) -> Door: ...
    @property
    def reply(self) -> Reply: ...
    @property
    def id(self) -> str: ...
    @property
    def started_at_ms(self) -> int: ...
    @property
    def age_s(self) -> float:
        """How long ago it came."""
    @property
    def body(self) -> bytes | None:
        """``None``: it has not come, see ``trouble``."""
    @property
    def trouble(self) -> Literal["", "late", "broken", "failed"]:
        """Why it has not come; ``failed``: through a bug."""
    @property
    def launched(self) -> Launched | None:
        """The attempt that has been made, which is over."""
    @property
    def told(self) -> object:
        """Of its pass, where an attempt has been made."""
    @property
    def hold(self) -> Hold | None:
        """What is held for it then, where it is limited."""
    @property
    def allowance(self) -> object:
        """Of its :class:`Growing` stream, where the length of that is limited."""
    @property
    def is_gone(self) -> bool:
        """Whether its client has left."""
    @property
    def is_stopping(self) -> bool:
        """Whether it was ended by ``abort``."""

@final
class Front:
    """A listener that reads plain requests and answers them, by :class:`Express` or by Python.

    Plain is HTTP/1.1 with a head that comes as a whole and a body of declared length, if any. All other connections are
    relayed, byte for byte, to a server behind.

    :param upstream: on whose thread connections are served.
    :param express: gets the requests.
    :param listener: the descriptor of a socket that listens; it is duplicated.
    :param behind: the address of the server behind, ``host:port``.
    :param bounds: how many ``connections`` there may be; ``idle_s``, how long one may be idle; ``head_bytes``, how long
        a head may be that is read here; ``bodies_bytes``, how much there may be of all long bodies that are on their
        way together (more are relayed); ``write_s``, how long a client may read nothing of an answer.

    Raises:
        ValueError: ``behind`` is no address.
        OSError: the socket cannot be used.
    """

    def __new__(
        cls, upstream: Upstream, express: Express, listener: int, behind: str, bounds: Mapping[str, float]
    ) -> Self: ...
    def client_of(self, seen: str) -> str | None:
        """The client's address, by that which the server behind sees; ``None``: it does not come by the front."""
    @property
    def connections(self) -> int:
        """How many are open."""
    def close(self) -> None:
        """Take no connections any more, and end each with the request that it has."""
    def stop(self) -> None:
        """Wait for no bodies any more."""

@final
class Scope:
    """The head of a request, as a server's scope."""

    @property
    def client(self) -> str:
        """Its address."""
    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def query_string(self) -> str: ...
    @property
    def http_version(self) -> str: ...
    @property
    def headers(self) -> Fields: ...

@final
class Fields:
    """The header fields of a request."""

    def items(self) -> list[tuple[str, str]]:
        """Names, in lower case, and values, in their order."""

@final
class Door:
    """Where a request of the front is answered, as a server's protocol object.

    All of it may be called from any thread.
    """

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Answer as a whole.

        Raises:
            ValueError: a header cannot be written.
        """
    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> Transport:
        """Begin to answer with a stream, which ends when the transport is dropped.

        Raises:
            ValueError: a header cannot be written.
        """
    def client_disconnect(self) -> Leaving:
        """The awaitable of the client's leaving before it has its answer."""
    def done(self) -> None:
        """The request is over."""
    def err(self, error: BaseException) -> None:
        """The request has failed."""

@final
class Transport:
    """Where the pieces of a stream go."""

    def send_bytes(self, data: bytes) -> Sent:
        """Send a piece.

        Raises:
            RuntimeError: when awaited: the client is gone.
        """

@final
class Sent:
    """Awaitable, done at once."""

    def __await__(self) -> Generator[None]: ...

@final
class Leaving:
    """Awaitable of a client's leaving."""

    def __await__(self) -> Generator[Self]: ...
    def add_done_callback(self, callback: Callable[[Self], object]) -> None:
        """Call back once it has left, on the thread of requests that Python serves."""

@final
class Growing:
    """A stream on its way by :class:`Express` that may become longer than is held for; as an :class:`Exchange`.

    ``told.follow(growing)`` of its pass is called with it, on the upstream's thread. What that returns is
    :attr:`Adopted.allowance`, or its ``close()`` is called when the stream is over.
    """

    @property
    def index(self) -> int:
        """The member that it comes from."""
    @property
    def held(self) -> tuple[int, int, int]:
        """Tokens of the prompt, tokens of the answer, nano-dollars of both."""
    def on_generated(self, bytes: int, callback: Callable[[str, int], object]) -> None:
        """As :meth:`Exchange.on_generated`."""
    def cancel(self) -> None:
        """End the attempt."""

@final
class Ended:
    """Requests that :class:`Express` has sent to one member, for one pass, and that got one status; oldest first."""

    @property
    def told(self) -> object:
        """Of their pass."""
    @property
    def index(self) -> int:
        """The member that answered."""
    def rows(self, common: tuple[object, ...], log: tuple[str, str, str]) -> list[tuple[object, ...]]:
        """Their rows of usage.

        :param common: one such row. Beside what :meth:`Given.rows` has, a request's own are the status, the log, why
            the answer ended, tokens and what they cost.
        :param log: of an attempt, in three parts: why it was made and how long it took stand between them.
        """
    def heard(self) -> list[tuple[int, str, bytes]]:
        """As :meth:`Given.heard`."""
    def __len__(self) -> int: ...

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
    def send_alone(self, data: bytes) -> bool:
        """The same, without its being recorded."""
    def answer(
        self,
        outcome: Outcome,
        content_type: str,
        headers: list[tuple[str, str]],
        cost_nanousd: int | None,
        body: bytes,
    ) -> None:
        """Write a whole answer that was left to the caller: the status is the provider's, and its rate limits (unless
        the headers tell of others), the times and the cost are added to the headers."""
    def start_stream(self, headers: list[tuple[str, str]]) -> None:
        """Begin a stream that no attempt answers with, its content type among the headers."""
    def finish(self) -> None:
        """End a stream."""
    def record(self, recording: Recording) -> None:
        """Record every stream that is sent. While others follow the recording, it goes on when the client is gone."""

@final
class Recording:
    """An answer as its client gets it, for others that have asked the same.

    :param max_bytes: of a larger answer nothing is kept; while others follow, of one sixteen times as large.
    """

    def __new__(cls, max_bytes: int) -> Self: ...
    def write(self, content_type: str, body: bytes) -> None:
        """Record an answer that is there as a whole."""
    def end(self) -> None:
        """No more will come."""
    def stir(self) -> None:
        """Wake all that wait for a piece, which is empty where nothing has come."""
    def join(self) -> bool:
        """Count one more follower. False: it is over, or was too large."""
    def leave(self) -> int:
        """Count one less; how many are left."""
    @property
    def followers(self) -> int:
        """How many there are."""
    @property
    def content_type(self) -> str | None:
        """The content type; ``None``: the answer has not begun."""
    @property
    def dropped(self) -> bool:
        """Whether it was too large, and nothing is left of it."""
    @property
    def body(self) -> bytes:
        """What has been recorded."""
    def after(self, position: int) -> Piece:
        """What comes after so many bytes."""

@final
class Piece(Awaitable[bytes | None]):
    """More of a recording. Awaiting it gives all there is, nothing where it was only stirred, ``None`` at the end.

    To be awaited where :class:`Exchange.on_done` calls back; an asyncio task cannot.
    """

    def __await__(self) -> Generator[object, None, bytes | None]: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Self: ...
    def on_done(self, callback: Callable[[Piece], object]) -> None:
        """Call back when there is more, on the thread that brings it."""

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
    def on_generated(self, bytes: int, callback: Callable[[str, int], object]) -> None:
        """Call back once when a stream has generated that much text, in a lane ``stream...`` or ``raw``.

        The callback gets what is kept of the text (its first 256 KiB) and how many bytes there are in all, as the
        stream escapes them, on the thread that relays the stream. The last one that was set holds.
        """
    def next_batch(self) -> Batch:
        """The next events of an attempt in one of the lanes ``events:...`` and ``relay:...``."""
    def batch_raw(self) -> bytes:
        """The bytes that the events of the last batch were cut from, with comments; empty in lanes ``events:...``."""
    def begin(self, content_type: str) -> bool:
        """Begin to answer with a stream, whose pieces ``Reply.send`` then sends, in such a lane.

        The headers are those of the attempt's terms, and of the provider's what :class:`Reply` passes on. False:
        another attempt has begun to answer, or the provider has not. An empty type is the provider's own.
        """
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
class Batch(Awaitable[list[tuple[str, bytes]] | None]):
    """Events to come. Awaiting it gives all that have: a name (empty where there is none) and the data of each.

    An empty list says that the provider is silent, each ``heartbeat_s``. ``None``: the attempt is over, and its outcome
    says how. To be awaited where :class:`Exchange.on_done` calls back; an asyncio task cannot.
    """

    def __await__(self) -> Generator[object, None, list[tuple[str, bytes]] | None]: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Self: ...
    def on_done(self, callback: Callable[[Batch], object]) -> None:
        """Call back when there is something to fetch, on the thread that brings it."""

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

# Choosing deployments --------------------------------------------------------------------------------------------

@final
class Balancer:
    """Chooses a deployment for each attempt and learns from how it ended. Safe to share between threads.

    :param decay_s: the time over which a latency is forgotten.
    :param retry_budget: retries that a first attempt may cost on average, 0 to 1.
    :param seed: makes every choice repeatable; ``None`` draws one from the system.
    :raises ValueError: a parameter is out of range.

    Nothing here waits, and the GIL is kept: a choice among five takes about 0.7 us. Each process has its own.
    """

    def __new__(cls, *, decay_s: float = 10.0, retry_budget: float = 0.1, seed: int | None = None) -> Self: ...
    def register(self, name: str, domain: str = "", max_concurrent: int | None = None) -> int:
        """The index of a member: one deployment with one credential.

        A name that is known keeps its index, and all that has been learnt of it; domain and limit are renewed. So what
        a configuration reloads goes on where it was. A credential that changes should change the name: a refused one
        is not tried for minutes.

        :param domain: what fails together, such as a provider's region; empty: the member stands for itself.
        :param max_concurrent: requests in flight at which it is not chosen any more.
        """
    def tier(
        self,
        members: list[int],
        weights: list[float],
        *,
        prices: list[float] | None = None,
        strategy: Literal["latency", "weighted", "least_busy", "cheapest", "priority", "session"] | str,
    ) -> Tier:
        """Members that are tried together, and how to choose among them.

        - ``latency``: the least load. ``load = latency x forgiveness for silence x in flight, against what was in
          flight when the latency was measured``, by weight; of those within a fifth of the least two are drawn, and
          the better is taken (Peak EWMA and the power of two choices, with three departures that
          ``rust/core/src/balance/load.rs`` argues for). One of which nothing is known comes first.
        - ``weighted``: by chance, in proportion to the weights.
        - ``least_busy``: the fewest in flight for its weight, then the least load.
        - ``cheapest``: the lowest price, then the least load.
        - ``priority``: the first that can be used, in the order given.
        - ``session``: by weighted rendezvous hashing the same for a session each time, unless that one has eight in
          flight and a quarter more than its share of the tier's; without a session as ``latency``.

        :param weights: above zero, one for each member.
        :param prices: in any one unit; infinity, as for all where there are none, sorts last.
        :raises ValueError: lists of unlike length, an unknown member or strategy, a weight or price that is none.
        """
    def choose(
        self,
        tier: Tier,
        *,
        tried: list[int] | tuple[int, ...] = (),
        again: bool = False,
        session: int | None = None,
        last_resort: bool = True,
    ) -> Ticket | None:
        """The member for the next attempt, which counts as begun; ``None`` where none can be chosen.

        Those that are well come first, and of these other failure domains than those tried. A member whose cooldown is
        over is given one request as a probe, and on a retry only where there is nothing better. One that is full is
        never chosen.

        :param tried: members that this request has been sent to, of any tier, in order. Not empty, it makes this a
            retry: nothing is added to the retry budget, and no last resort is taken.
        :param again: those may be chosen again, the least recently tried first. Otherwise they are not.
        :param session: any hash of what should stay together.
        :param last_resort: where all are cooling down, choose the one whose cooldown ends first. ``False`` where
            another tier can be tried instead.
        """
    def plan(
        self,
        tier: Tier,
        *,
        tried: list[int] | tuple[int, ...] = (),
        again: bool = False,
        session: int | None = None,
        last_resort: bool = True,
    ) -> list[PlanStep]:
        """All members of a tier in the order in which :meth:`choose` would take them now, those that it would not at
        the end. Changes nothing. What chance would decide is in the order of likelihood."""
    def may_retry(self, index: int) -> bool:
        """Takes one retry from a budget; counts a denial where it is spent.

        :param index: the member that the request was sent to *first*. Its retries, wherever they go, are at most
            ``retry_budget`` of its first attempts in the last 10 s, or 10 where that is more. Charging the member that
            receives a retry would leave a stand-by, which has no first attempts, without any.
        """
    def hedge_delay_s(self, tier: Tier, percentile: float, max_extra_share: float) -> float | None:
        """How long a stream's first token may be waited for before a second attempt is worth its price.

        The live percentile of the tier's first tokens, at most a tenth too high. ``None`` before 50 are known, while no
        member affords a hedge, and while more than one in ten of the last minute is slower: that is an outage.

        :param percentile: between 0 and 1, such as 0.95.
        :param max_extra_share: hedges a first attempt, such as 0.02.
        """
    def may_hedge(self, index: int, max_extra_share: float) -> bool:
        """Pays for one hedge of a request that was sent to ``index`` first, from what first attempts there have saved
        up; ten at most are saved. The hedge itself is a :meth:`choose` with ``tried=[index]``."""
    def cool_down(self, name: str, seconds: float) -> bool:
        """A member is not to be tried for so long, as another process has found; an hour at most. Nothing while a probe
        finds out. ``False``: there is none of that name."""
    def recover(self, name: str) -> bool:
        """A member may be tried again, as another process's probe has found: as after one of this process's own.
        ``False``: there is none of that name."""
    def members(self) -> list[MemberState]:
        """What is known of every member, at its index."""
    def freeze(self, now_s: float) -> None:
        """Stops the clock at ``now_s`` seconds, for tests and simulations; it goes on by being frozen again, later.

        :raises ValueError: negative, or no number.
        """

@final
class Tier:
    """Members and a strategy, from :meth:`Balancer.tier`. Immutable; use it with the balancer that made it."""

@final
class Ticket:
    """An attempt under way. It counts as in flight until one of the ``finish`` methods is called; the first call
    counts, later ones do nothing. A ticket that is dropped unfinished counts as cancelled: never as a failure."""

    @property
    def index(self) -> int:
        """The member to send to."""
    @property
    def reason(
        self,
    ) -> Literal[
        "latency",
        "untried",
        "weighted",
        "least_busy",
        "cheapest",
        "priority",
        "session",
        "spilled",
        "probe",
        "last_resort",
    ]:
        """Why it was chosen.

        ``untried``: nothing is known of it. ``spilled``: the session's home has no room, or cannot be used. ``probe``:
        its cooldown is over, and this request finds out. ``last_resort``: all are cooling down.
        """
    def first_token(self, first_token_ms: float) -> None:
        """Reports a stream's first token as it comes: a slow member is known, and a recovered one in use again, before
        its long streams end. Optional; call it once, for streams only."""
    def finish_success(self, first_token_ms: float | None, total_ms: float, output_tokens: int) -> None:
        """A whole answer, or a stream to its end.

        :param first_token_ms: of a stream; ``None`` of an answer that came whole, whose latency is taken to be
            ``total_ms x k / (k + output_tokens)``, so that long answers do not condemn. ``k``, a first token's time in
            tokens, is learnt from the tier's streams; 25 before there are any.
        :param output_tokens: 0 where tokens are not what takes the time (embeddings, images).
        """
    def finish_failure(self, retry_after_s: float | None = None) -> None:
        """The member failed: no connection, a timeout, a 5xx, a cut stream, an answer that is none.

        Five in a row, or fewer than half good of 20 in 30 s, open its breaker for 5 s, doubled by each failed probe up
        to 5 min, with up to a quarter more by chance. A failure is entered as a latency of twice the mean.

        :param retry_after_s: what a 503 asked for; the member cools down that long, an hour at most.
        """
    def finish_limited(self, retry_after_s: float | None = None) -> None:
        """The member is well and refuses for now (429). Counts for the ratio only, and fails a probe.

        :param retry_after_s: as for :meth:`finish_failure`.
        """
    def finish_auth(self) -> None:
        """The credential was refused (401, 403): not tried for 5 min, doubled by each refused probe up to an hour."""
    def finish_neutral(self) -> None:
        """The member answered that the request is wrong: it is well, and nothing is learnt of its speed."""
    def finish_cancelled(self, waited_ms: float | None = None) -> None:
        """Nobody waits any more, because the client left or another attempt was quicker.

        :param waited_ms: how long a stream had kept its first token waiting: its latency would have been at least that.
            ``None`` for whole answers, and once a token had come.
        """

@final
class MemberState:
    """A member, as an operator sees it."""

    @property
    def name(self) -> str: ...
    @property
    def domain(self) -> str:
        """Its own name where it was registered without."""
    @property
    def breaker(self) -> Literal["closed", "open", "half_open"]:
        """``open`` also after the cooldown, until a request comes to probe; ``half_open`` while that is under way."""
    @property
    def cooldown_left_s(self) -> float: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def ewma_ms(self) -> float | None:
        """The softened peak mean of latency; ``None`` before the first answer and after an outage."""
    @property
    def success_ratio(self) -> float | None:
        """Of attempts that ended in the last 30 s, since the breaker last closed; ``None`` where none did."""
    @property
    def requests(self) -> int:
        """Attempts begun."""
    @property
    def failures(self) -> int:
        """Attempts that failed, were limited, or had the credential refused."""
    @property
    def retries_denied(self) -> int:
        """By the budget of the requests that came here first."""

@final
class PlanStep:
    """One member's place in a :meth:`Balancer.plan`."""

    @property
    def index(self) -> int: ...
    @property
    def reason(self) -> str | None:
        """As :attr:`Ticket.reason`; ``None`` for one that would not be chosen."""
    @property
    def why(self) -> str:
        """One sentence for people, such as ``cooling down for another 4.2 s``."""
    @property
    def load_ms(self) -> float:
        """What strategies by load compare."""
    @property
    def is_full(self) -> bool:
        """Whether as many requests are under way as it takes."""

def pin_of(certificate: bytes) -> bytes:
    """What pins the key of a certificate: the SHA-256 of its SubjectPublicKeyInfo (RFC 7469, section 2.4).

    :param certificate: in DER form.
    :raises ValueError: it is none.
    """

def read_traceparent(value: str) -> tuple[str, str] | None:
    """The trace's id and flags, of a ``traceparent`` (https://www.w3.org/TR/trace-context/); ``None``: it is none."""

def retry_after_s(headers: list[tuple[str, str]], body: bytes, now_unix: float) -> float | None:
    """How long an answer that says *later* (429, 503, 529) asks to be left alone; ``None`` where it does not say.

    Read in this order: ``retry-after-ms``; ``retry-after`` (seconds, a Unix time in s or ms, a duration such as
    ``1m2.5s``, any HTTP date, RFC 3339); the body's text (``retryDelay``, ``try again in 5.2s``, ``retry after 20
    seconds``); ``x-ratelimit-reset-*`` and its like, of limits with nothing remaining first. Between 0 and 3600: what
    is past is 0. Of two the longer.

    :param headers: names in any case. Dates are compared with the answer's own ``date`` where there is one.
    :param body: as far as it was read; the first 16 KiB count.
    :param now_unix: the local clock.
    """

def backoff_s(attempt: int, random: float) -> float:
    """``random x min(8, 0.25 x 2^attempt)`` seconds: full jitter, for places that do not say when to come back.

    :param attempt: 0 for the first repetition.
    :param random: uniform between 0 and 1.
    """

# Tokens ----------------------------------------------------------------------------------------------------------

@final
class TokenCount:
    """What the prompt of one request is counted to."""

    @property
    def tokens(self) -> int:
        """All of it: ``text_tokens`` and ``image_tokens``."""

    @property
    def text_tokens(self) -> int:
        """Texts, tools and what the provider writes around them; audio and files, which are estimates, too."""

    @property
    def image_tokens(self) -> int: ...
    @property
    def exact(self) -> bool:
        """Whether every rule that was followed is known to be OpenAI's.

        ``False`` for other models than OpenAI's, for audio, files and images whose size is not in the request, for
        shapes of tools that no recorded usage shows, and for a text that was not counted (``max_fresh_bytes``). Of
        recorded requests said to be exact, 98 % are.
        """

    @property
    def most(self) -> int:
        """What they are at most: a quarter more than ``tokens`` where that is not exact."""

@final
class TokenCounter:
    """Counts the tokens of texts, exactly as tiktoken does, and of whole requests.

    :param encoding: ``o200k_base``, ``o200k_harmony``, ``cl100k_base`` or ``p50k_base``.
    :raises ValueError: no such encoding.

    Texts come from strangers: what looks like a special token (``<|endoftext|>``) is counted as ordinary text. Time is
    linear in the text, whatever it is; about 100 MB/s (a count of more than 4 KB releases the GIL). The vocabularies
    are part of the library: nothing is loaded, forked workers share them. Counters of one encoding share what they
    remember and what they learnt. Safe to use from several threads.
    """

    def __new__(cls, encoding: str = "o200k_base") -> Self: ...
    @staticmethod
    def for_model(model: str) -> TokenCounter:
        """The counter for a model, by its name: a provider's prefix (``openai/``) is passed over, ``o200k_base`` taken
        for what is unknown."""

    @staticmethod
    def from_file(path: str) -> TokenCounter:
        """The counter that a Hugging Face ``tokenizer.json`` describes.

        :raises OSError: the file cannot be read.
        :raises ValueError: it is no tokeniser that we can follow.
        """

    @property
    def encoding(self) -> str:
        """The encoding's name, or the file's path."""

    def count(self, text: str) -> int:
        """How many tokens ``text`` is.

        :raises ValueError: it holds half of a surrogate pair.
        """

    def count_many(self, texts: list[str]) -> list[int]:
        """``count`` of each."""

    def encode(self, text: str) -> list[int]:
        """The ids of the tokens of ``text``.

        :raises ValueError: it holds half of a surrogate pair.
        """

    def decode(self, ids: list[int]) -> bytes:
        """The bytes that ids stand for; not always whole characters.

        :raises ValueError: an id is no entry of the vocabulary (special tokens are none).
        """

    def count_request(
        self,
        body: bytes,
        *,
        model: str,
        endpoint: Literal["chat", "completions", "embeddings"] = "chat",
        max_fresh_bytes: int | None = None,
    ) -> TokenCount:
        """What the prompt of a request in OpenAI's dialect will be billed as.

        :param body: the request as it came.
        :param model: the model's name, which decides how messages and tools are laid out and what images cost; the
            body's own ``model`` is not looked at.
        :param max_fresh_bytes: count so much at most; texts beyond that are estimated from their length. Texts of 256
            bytes and more are remembered, so that a history sent again is found at several GB/s.
        :raises ValueError: not JSON, no messages, half a surrogate pair, or no such endpoint.

        A message is its texts, its role and 3 tokens, and the answer's beginning 3 more (the rule of OpenAI's
        cookbook). Tools are counted as the TypeScript namespace that the models read, response formats as compact JSON
        (https://github.com/openai/harmony, and recorded usage where that says nothing), images by the tiles and patches
        of https://platform.openai.com/docs/guides/images-vision, their size read from the headers of data URLs.
        """

    def learn(self, model: str, count: TokenCount, reported: int) -> None:
        """Takes in what the provider reported for a request that was counted.

        A count that is an estimate is multiplied by the model's ratio of tokens reported to tokens counted, a running
        one that favours long and recent requests and yields little to a single report. Exact counts and images teach
        nothing.
        """

@final
class Sealer:
    """Seals what is kept where others may read it: AES-256-GCM (NIST SP 800-38D), a random nonce before each text."""

    def __new__(cls, key: bytes) -> Self:
        """:param key: 32 bytes.

        :raises ValueError: it is of another length.
        """

    def seal(self, plain: bytes, about: bytes) -> bytes:
        """Seals a text: 28 bytes longer than it.

        :param about: what it belongs to; not in the result, but it opens with the same alone.
        :raises RuntimeError: the machine has no randomness.
        """

    def open(self, sealed: bytes, about: bytes) -> bytes | None:
        """The text; ``None`` where it was sealed with another key, for something else, or changed."""

@final
class SecretHasher:
    """What is kept of a secret: its HMAC-SHA256 (RFC 2104) under a pepper."""

    def __new__(cls, pepper: bytes) -> Self: ...
    def __call__(self, secret: str) -> bytes:
        """The 32 bytes. What is no character (half of a surrogate pair) is read as U+FFFD."""

# Masking ---------------------------------------------------------------------------------------------------------

@final
class Masker:
    """Finds personal data and secrets in texts, and hides them.

    Disguises are seen through: invisible and look-alike characters, any script's digits, separators, URL, HTML and
    backslash escapes, base64, base32 and hexadecimal (two deep), digits and addresses written backwards. Time is in
    proportion to the text, whatever it is: at most 1 ms a KiB.
    """

    def __new__(
        cls,
        *,
        entities: list[str] | None = None,
        threshold: float = 0.5,
        action: str = "mask",
        actions: dict[str, str] = {},
        patterns: dict[str, str] = {},
        words: dict[str, list[str]] = {},
    ) -> Self:
        """:param entities: what to look for, of :meth:`known_entities`; ``None``: those that are on by default.
        :param threshold: what is less sure is left; 0 to 1.
        :param action: ``mask`` (a placeholder, and the value again in the answer), ``redact`` (``[EMAIL]``), ``hash``
            (``[EMAIL:4KQ2M4XN]``, the same for the same value), ``partial`` (all but the last four made ``*``),
            ``block`` or ``flag`` (both leave it, and :class:`MaskSession` tells).
        :param actions: the same for single entities.
        :param patterns: regular expressions by name (RE2's syntax, ASCII, at most 4,096 bytes); entity ``CUSTOM``.
        :param words: words and phrases by name, at most 100,000, found whole and in any case; entity ``CUSTOM``.
        :raises ValueError: there is no such entity or action, or a pattern cannot be used; names it.
        """

    @staticmethod
    def known_entities() -> list[tuple[str, bool]]:
        """All entities, and whether each is looked for by default."""

    @staticmethod
    def known_secrets() -> list[str]:
        """All kinds of ``SECRET``, sorted."""

    def find(self, text: str) -> list[tuple[str, str, int, int, float]]:
        """Everything found, from left to right, without overlaps.

        :returns: of each the entity, its kind (such as ``github-pat``; of a custom rule its name), where it starts and
            ends in characters, and how sure it is, 0 to 1.
        """

    def session(self, key: bytes, conversation: bytes = b"") -> MaskSession:
        """What is hidden of one request.

        :param key: the tenant's. The same value gets the same placeholder under the same key, and another under any
            other (HMAC-SHA256).
        :param conversation: what placeholders depend on beside.
        """

@final
class MaskSession:
    """What one request hides, and the way back. Placeholders are names such as ``EMAIL_4KQ2M4XN``."""

    def mask(self, text: str) -> str:
        """The text with what was found in it hidden. What already looks like a placeholder is hidden as well."""

    def mask_body(self, body: bytes) -> bytes:
        """The same for all strings, keys and long numbers of a JSON document, which must be well formed.

        JSON inside strings is read as JSON; what is split over strings that follow each other is found; roles, types,
        ids, signatures and the bytes of media are left. The same object where nothing was found.
        """

    def unmask(self, text: str, *, in_json: bool = False) -> str:
        """The text with this session's placeholders replaced by what they stand for; any others stay.

        :param in_json: values are written as they stand inside a string of JSON.
        """

    def unmask_body(self, body: bytes) -> bytes:
        """The same for all strings of a JSON document."""

    def unmasker(self, *, in_json: bool = False) -> Unmasker:
        """The same for a text that comes in pieces."""

    def leak(self, sent: bytes) -> str | None:
        """The entity of something hidden (of five bytes or more) that still stands in what would be sent."""

    @property
    def found(self) -> list[tuple[str, str, str]]:
        """What was found: of each the entity, its kind, and what was done."""

    @property
    def blocked(self) -> bool:
        """Whether anything was found whose action is ``block``."""

    @property
    def has_placeholders(self) -> bool:
        """Whether there is anything to be shown again."""

@final
class Unmasker:
    """Shows hidden values again in a text that comes in pieces, holding back at most a placeholder's length."""

    def push(self, piece: str) -> str:
        """The next piece, as far as it can be told yet."""

    def finish(self) -> str:
        """What was held back, when the text is over."""

# Judging ---------------------------------------------------------------------------------------------------------

@final
class Detector:
    """Tells prompts that try to take a model over (injection, jailbreaks) from others.

    A linear model over hashed words, letters and meanings; ``benches/README.md`` says how good it is, and how it was
    trained. Disguises are seen through as :class:`Masker` does. At most 50 us for 1 KB.
    """

    def __new__(cls) -> Self: ...
    def judge(self, text: str) -> tuple[float, list[str]]:
        """How likely a text is an attempt, 0 to 1, and what spoke for it, the strongest first (at most five).

        Of a long text the worst part counts. At 0.88, 1 % of harmless prompts are taken for attempts.
        """

@final
class Pattern:
    """A regular expression (RE2's syntax) that takes time in proportion to the text, whatever the text is."""

    def __new__(cls, pattern: str) -> Self:
        """:raises ValueError: it is none, is longer than 4,096 bytes, or takes more than 1 MiB."""

    def found(self, text: str) -> bool:
        """Whether it is anywhere in the text."""

@final
class Sieve:
    """Lets requests and answers through that surely have nothing in them that guardrails look for.

    One look for all of them, in one pass. A text that was let through before is known again by a keyed hash. Texts are
    told apart in OpenAI's chat alone, where it says nothing else.
    """

    def __new__(
        cls,
        *,
        hidden: list[Masker] = [],
        found: list[Masker] = [],
        attempts: float | None = None,
        characters: str = "any",
        signs: list[Pattern] = [],
        repeated: int = 0,
    ) -> Self:
        """:param hidden: these find nothing in any part of a request.
        :param found: these find nothing in any text.
        :param attempts: no text of a user's has this score, or more, of :meth:`Detector.judge`.
        :param characters: no text has any but these: ``ascii``, ``latin`` (letters with accents or without, and the
            signs that are written with them) or ``any``.
        :param signs: these are in no text.
        :param repeated: no answer has so many words in a row that a system prompt has as well; 0: it may.
        :raises ValueError: there are no such characters.
        """

    def request(self, body: bytes) -> int:
        """What of a request is let through, which must be well formed JSON.

        :returns: 0: it may hold something to hide. 1: nothing to hide. 2: nothing at all.
        """

    def answer(self, body: bytes, asked: bytes) -> bool:
        """Whether a whole answer is let through.

        :param asked: the request.
        """

# Cache -----------------------------------------------------------------------------------------------------------

@final
class Apart:
    """What the answers to some requests depend on beside their bodies, taken in once for all of them.

    ``Apart(some).key(*more)`` is ``ExactCache.key([*some, *more])``.
    """

    def __new__(cls, parts: list[bytes]) -> Self: ...
    def key(self, *parts: bytes) -> bytes:
        """The key of one of them, by what tells it from the others: 32 bytes."""

@final
class ExactCache:
    """Answers by the whole of what was asked, within a number of bytes.

    :param max_bytes: of all entries, with their notes and labels and about 200 bytes each for themselves.

    What goes when there is no more room is what is asked for least often and longest ago. Times are milliseconds of
    whatever clock the caller has.
    """

    def __new__(cls, max_bytes: int) -> Self: ...
    @staticmethod
    def key(parts: list[bytes]) -> bytes:
        """The key of what was asked: 32 bytes, SHA-256 over each part after its length, and over what it is for.

        Other parts, or the same otherwise divided, have another key.
        """
    def get(self, key: bytes, now_ms: int, max_age_ms: int | None = None) -> tuple[bytes, bytes, int] | None:
        """The body, its note, and how many milliseconds ago it was put; ``None`` where there is none, or its time is
        over.

        :param max_age_ms: one as old as that, or older, is not wanted.
        :raises ValueError: the key has not 32 bytes, as for all methods.
        """
    def put(
        self,
        key: bytes,
        answer: tuple[bytes, bytes],
        labels: list[str] = [],
        *,
        headers: list[tuple[str, str]] = [],
        now_ms: int,
        ttl_ms: int,
    ) -> None:
        """Keep an answer until ``now_ms + ttl_ms``, in the place of any other of its key.

        :param answer: a body, and a note of what is to be known of it beside.
        :param labels: what it can be purged by.
        :param headers: what whoever is given it is told, where it is given without Python.
        """
    def remove(self, key: bytes) -> bool:
        """Forget one. False: there was none."""
    def entries(self) -> list[tuple[bytes, tuple[bytes, bytes], list[str], int, int]]:
        """All there is: key, answer, labels, when it was put and when it is over."""
    def purge(self, labels: list[str]) -> int:
        """Forget all that have every one of the labels (with none, all); how many these were."""
    @property
    def bytes(self) -> int:
        """What the entries take."""
    def __len__(self) -> int: ...

# Questions that ask the same -------------------------------------------------------------------------------------

@final
class Embedder:
    """Texts as vectors, in microseconds. Of a text over 8 KiB no more is read."""

    @staticmethod
    def spelling(dimensions: int = 256) -> Embedder:
        """Words and their letters, hashed into so many places: needs no weights, and knows no synonyms.

        :raises ValueError: the dimensions are not from 8 to 4096.
        """
    @staticmethod
    def tokens(weights: bytes, dimensions: int, tokenizer: bytes) -> Embedder:
        """The mean of tokens' vectors.

        :param weights: a row of 16-bit floating point numbers a token, little-endian.
        :param tokenizer: a Hugging Face ``tokenizer.json``, whose ids number the rows.
        :raises ValueError: these are not such.
        """
    @property
    def dimensions(self) -> int:
        """How many numbers a vector has."""
    def embed(self, text: str) -> list[float]:
        """The vector of a text, of no particular length; all zeros where the text says nothing."""

@final
class VectorIndex:
    """Vectors by namespace, all of a namespace's looked at in every search, as 8-bit integers (cosines within 0.01).

    :param dimensions: how many numbers a vector has.
    :param most_rows: of a namespace; beyond, the oldest are written over.

    Namespaces and ids have 32 bytes; another length is a ``ValueError``, as is a vector of another length.
    """

    def __new__(cls, dimensions: int, most_rows: int = 50000) -> Self: ...
    def add(self, namespace: bytes, id: bytes, vector: list[float]) -> bytes | None:
        """Add a row in the place of any other of its id; the id of what was written over for it."""
    def remove(self, id: bytes) -> bool:
        """Forget a row: no search gives it any more. False: there is none."""
    def search(
        self, namespace: bytes, vector: list[float], most: int = 4, least_cosine: float = 0.5
    ) -> list[tuple[bytes, float]]:
        """The ids of the nearest rows and their cosines, nearest first."""
    def __len__(self) -> int: ...

@final
class SemanticIndex:
    """Questions by namespace, found again in other words.

    What is near by its vector is read word by word: another number, a negation, another name, another kind of question
    or opposites are never the same; every other difference lowers a score that begins at 1.

    :param most_rows: of a namespace; beyond, the oldest are forgotten.
    :param dimensions: of vectors that are given; by default the embedder's. 0: those of a namespace have the length of
        its first.
    """

    def __new__(cls, embedder: Embedder, most_rows: int = 50000, dimensions: int | None = None) -> Self: ...
    def add(self, namespace: bytes, id: bytes, text: str, vector: list[float] | None = None) -> bool:
        """Add a question. False: it has no vector, since it says nothing, or one of another length."""
    def remove(self, id: bytes) -> bool:
        """Forget one. False: there is none."""
    def find(
        self, namespace: bytes, text: str, least_score: float, vector: list[float] | None = None
    ) -> list[tuple[bytes, float, float]]:
        """Questions that ask the same: id, score and cosine (0.5 at least), best first, of the nearest four."""
    def find_among(
        self, ids: list[bytes], namespace: bytes, text: str, least_score: float, vector: list[float] | None = None
    ) -> list[tuple[bytes, float, float]]:
        """The same of these alone, as far as they are in the namespace: what another index has found."""
    def vectors(self, namespace: bytes) -> tuple[list[bytes], bytes]:
        """A namespace's questions: their ids, and their vectors one behind the other, as :meth:`vector` has them."""
    def text(self, id: bytes) -> str | None:
        """A question as it was asked. ``None``: there is no such question."""
    def count(self, namespace: bytes) -> int:
        """How many questions a namespace has."""
    def vector(self, id: bytes) -> bytes | None:
        """A question's vector as it is kept: of length 127, in signed bytes. ``None``: there is no such question."""
    def judge(self, one: str, other: str) -> tuple[float, str]:
        """The score of a pair, and what spoke against it most; empty where nothing did."""
    def rows(self) -> list[tuple[bytes, bytes, str]]:
        """All there is: namespace, id and question."""
    def __len__(self) -> int: ...

# What took how long ------------------------------------------------------------------------------------------------

@final
class Quantiles:
    """How long things took, in a few bytes that add up.

    Counts in 256 classes whose bounds grow by a tenth: a quantile is right to within 4.8 % from 0.1 to 3.6e9, and what
    lies outside counts in the nearest class. ``encoded`` takes two bytes a value at most, about 100 for thousands of
    them; sketches add up in any order to the sketch of all values. A value is of class
    ``ceil(ln(value * 10) / ln(1.1))``.
    """

    def __new__(cls, encoded: bytes = ...) -> Self:
        """Read what ``encoded`` gave; nothing is one without values. Raises ``ValueError``."""
    def extend(self, values: list[float]) -> None:
        """Count these."""
    def add_class(self, number: int, times: int) -> None:
        """Count values of one class, 0 to 255."""
    def merge(self, encoded: bytes) -> None:
        """Add another. Raises ``ValueError``, having added nothing, for what ``encoded`` never gives."""
    def encoded(self) -> bytes:
        """To be stored."""
    def quantile(self, share: float) -> float | None:
        """What ``share`` (0 to 1) of the values do not exceed; ``None`` without values."""
    @property
    def count(self) -> int:
        """How many values there are."""

_Own = int | None
_Rate = tuple[int, int, _Own, _Own, _Own, _Own, _Own, _Own, _Own, _Own, _Own, int]
_Tokens = tuple[int, int, int, int, int, int, int, int, int, int, int]

@final
class Rates:
    """What tokens cost at a model; :class:`dragoman.usage.price.Rates` reads it from the catalogue.

    :param rate: nano-dollars a million tokens: input, output; then, ``None`` where the kind costs what its parent does,
        cached input, cache write, reasoning, audio input, audio output, cache write for an hour, cached audio, image
        input, image output; then nano-dollars a million requests.
    :param tiers: the rates that replace it, each for requests with more input tokens than its number; lowest first.

    Raises ``OverflowError`` for prices and counts that are negative or of more than 64 bits.
    """

    def __new__(cls, rate: _Rate, tiers: Sequence[tuple[int, _Rate]]) -> Self: ...
    def cost(self, tokens: _Tokens) -> int:
        """Nano-dollars, rounded half up once, at the end; the most that 64 bits hold, where they are more (0.2 us).

        :param tokens: input, output, and of these, in the order above: cached input to image output.
        """

@final
class Typical:
    """How many tokens the answers of each deployment typically have: a mean in which each weighs a twentieth.

    Names are bounded (16,384): one too many has all forgotten.
    """

    def __new__(cls) -> Self: ...
    def output(self, name: str) -> int:
        """Output tokens to expect; 256 before the first answer."""
    def learn(self, name: str, tokens: int) -> None:
        """An answer had that many output tokens. Raises ``OverflowError`` for what is negative or above 64 bits."""

@final
class UsageBatch:
    """Rows of usage that are written together, read once: for their table, and for what they come to.

    Rows of one minute and under the same names are added up as one *group*, which has a place among ``groups``.

    :param fields: the names of a row's values: those of ``usage.row.UsageRow``.
    :param rows: the values of each: strings, whole numbers, floats.
    :raises ValueError: a field is missing.
    :raises TypeError: a value is of another type.
    :raises OverflowError: a number has more than 64 bits.
    """

    def __new__(cls, fields: tuple[str, ...], rows: list[tuple[object, ...]]) -> Self: ...
    @property
    def rows(self) -> list[tuple[object, ...]]: ...
    @property
    def varying(self) -> frozenset[int]:
        """The places of fields in which not all rows have the same."""
    @property
    def groups(self) -> list[tuple[int, str, str, str, str, str, str, str, str, str, str, str]]:
        """What groups are told apart by, in the order in which they first came: when the minute begins (Unix
        milliseconds), organisation, team, user, app, key_id, alias, provider, model, tags, end_user, run."""
    def values(self, once: list[int], each: list[int], first: int, count: int) -> tuple[object, ...]:
        """Of ``count`` rows from ``first`` on: what the first has in some fields, then what each has in others."""
    def cell(self, members: list[int], stored: tuple[int | bytes, ...] | None) -> tuple[int | bytes, ...]:
        """Add up groups, by their places, and what is stored already: the columns of ``usage_rollups`` after its key.

        A figure goes to 2**63 - 1 at most, and a row adds 10**15 to it at most. A sketch that is damaged begins anew.

        :raises ValueError: there is no such group, or what is stored is no cell.
        """
    def __len__(self) -> int: ...

# Limits and budgets -----------------------------------------------------------------------------------------------

_Answered = TypeVar("_Answered")
_Figure = tuple[int, str, int, int, int, int | None]

@final
class Ledger:
    """Who may still use how much. Safe to share between threads; nothing here waits.

    Every limit that a request falls under is charged with the most that it may come to before it is sent, all at once
    or none (:meth:`reserve`), and with the truth when it has ended (:meth:`Hold.settle`): what was spent and what is
    held never come to more than a limit. Use is counted for a *rule* and a *who*, an account; amounts are whole
    numbers: requests, tokens, nano-dollars.

    What a rule counts durably is written down ahead of the spending, in leases of a hundredth of the limit (or one
    more request like the one that comes): :meth:`unsaved` says what is to be written, :meth:`saved` that it has been.
    The clock runs with the monotonic one and follows the wall clock in steps of at most a minute; it never goes back.
    """

    def __new__(cls) -> Self: ...
    def rule(
        self,
        name: str,
        measure: Literal["requests", "tokens", "concurrent", "cost"] | str,
        most: int,
        *,
        period: Literal["sliding", "day", "week", "month", "year", "ever"] | str,
        sliding_s: float | None = None,
        enforced: bool = True,
        durable: bool = False,
        levels: list[float] = [],
    ) -> int:
        """The number of a rule. One of the same name, measure and period keeps its number and what it has counted.

        :param most: the limit. A concurrent one counts requests that are under way, whatever the period.
        :param period: ``sliding`` counts the last ``sliding_s`` seconds, to a sixtieth (never less: no stretch of that
            length holds more than the limit); the others are of the calendar in UTC, weeks from Monday.
        :param enforced: one that is not is counted, and :attr:`Hold.shadowed` names it where it would have refused.
        :param durable: written down ahead of the spending.
        :param levels: shares of the limit whose crossing :meth:`crossings` tells.
        :raises ValueError: an unknown measure or period, or a figure below zero.
        """
    def scope(self, parts: list[tuple[int, str]]) -> LedgerScope:
        """The accounts of these rules and of those whom they count for. Make it once, and reserve with it often.

        :raises OverflowError: a million accounts are in use.
        """
    def reserve(
        self, scope: LedgerScope, *, requests: int = 1, tokens: int = 0, cost_nanousd: int = 0
    ) -> Hold | Refused | None:
        """Hold what a request may come to at most, in every account or in none.

        :returns: ``None``: first :meth:`unsaved` has to be written down; then ask again.
        :raises ValueError: an amount below zero.
        """
    def take(self, scope: LedgerScope, priced: tuple[Pricing, RequestBody], given: int, unsaid: int) -> Hold | None:
        """Hold one request to OpenAI's chat, and what it comes to at most by its body: tokens asked for, choices.

        ``None``: it is refused, or is to be written down first, as :meth:`reserve` says.

        :param given: tokens of its prompt.
        :param unsaid: as in :meth:`Pricing.of`.
        """
    def standings(self, scope: LedgerScope | None = None) -> list[Standing]:
        """What the accounts of a scope stand at, in its order; without one, all accounts."""
    @property
    def held(self) -> int:
        """The sum of all that is held, of every measure: 0 when nothing is under way."""
    def unsaved(self) -> list[_Figure]:
        """What is to be written down: rule, who, the slot, spent, claimed, when it no longer counts (Unix ms)."""
    def saved(self, rows: list[_Figure]) -> None:
        """These have been written down."""
    def closing(self) -> list[_Figure]:
        """All that is durable, with nothing claimed beyond what is used: what an orderly end leaves."""
    def restore(self, rows: list[_Figure]) -> None:
        """What was written down before this start. All that was claimed counts as spent."""
    def crossings(self) -> list[tuple[int, str, float, int]]:
        """Levels that were crossed since the last call, each once a period: rule, who, level, spent."""
    def sweep(self) -> None:
        """Let go of accounts that count nothing."""
    @property
    def now_ms(self) -> int:
        """What the clock says, in Unix milliseconds."""
    def freeze(self, now_ms: int) -> None:
        """Stop the clock there. For tests."""

@final
class LedgerScope:
    """Accounts that requests of one kind fall under."""

    @property
    def counts_tokens(self) -> bool:
        """Whether any of them is about tokens."""
    @property
    def counts_cost(self) -> bool:
        """Whether any of them is about money."""

_Tier = tuple[int, int, tuple[tuple[int, int], tuple[int, int]], tuple[int, int]]

@final
class Pricing:
    """The most that requests may cost at any of some deployments.

    :param deployments: of each the tokens of its longest answer (``None``: not known), and its tiers, lowest first: the
        input tokens above which it holds, then nano-dollars: of a million requests, of a million input tokens (by
        whether some may be written to a cache, and whether some may be audio), of a million output tokens (by whether
        some may be audio). One without tiers costs nothing here.
    :param cached: what a body speaks of that may be written to a cache.
    :param heard: what a body speaks of that may be audio.
    """

    def __new__(
        cls, deployments: Sequence[tuple[int | None, Sequence[_Tier]]], cached: Words, heard: Words
    ) -> Self: ...
    def of(
        self, given: int, longest: int | None, unsaid: int, choices: int, kinds: tuple[bool, bool]
    ) -> tuple[int, int]:
        """Tokens of all answers, and nano-dollars of everything, rounded up.

        :param given: tokens of the prompt.
        :param longest: of one answer, as the request allows; ``None``: it does not say.
        :param unsaid: of an answer of which neither request nor deployment says how long it may be.
        :param kinds: whether tokens may be written to a cache, and be audio.
        """

@final
class Hold:
    """What is held for one request. One that is dropped unsettled is settled at what was held: never free."""

    @property
    def shadowed(self) -> list[int]:
        """Rules that are not enforced and would have refused."""
    @property
    def requests_left(self) -> tuple[int, int, float | None] | None:
        """Of the limit of requests that has the least left: the limit, what is left, seconds until the oldest of it no
        longer counts (``None``: it always does). ``None``: there is no such limit.
        """
    @property
    def tokens_left(self) -> tuple[int, int, float | None] | None:
        """The same of tokens."""
    def headers(self) -> list[tuple[str, str]]:
        """Both, as OpenAI's clients are told: ``x-ratelimit-limit-requests``, ``-remaining-`` and ``-reset-``."""
    @property
    def is_open(self) -> bool:
        """Whether it is still to be settled."""
    def settle(self, *, tokens: int = 0, cost_nanousd: int = 0, requests: int = 1) -> bool:
        """Put what was used in the place of what was held. ``False``: it was settled before, and nothing changes.

        :raises ValueError: an amount below zero.
        """
    def release(self) -> bool:
        """Give everything back: the request was not made. ``False``: it was settled before."""

@final
class Refused:
    """Which limit refuses a request; of several, the one to wait for longest."""

    @property
    def rule(self) -> int: ...
    @property
    def who(self) -> str: ...
    @property
    def used(self) -> int:
        """Spent and held."""
    @property
    def asked(self) -> int: ...
    @property
    def wait_s(self) -> float | None:
        """Until it fits, if nobody else comes; ``None``: waiting does not help."""

@final
class Standing:
    """What an account stands at."""

    @property
    def rule(self) -> int: ...
    @property
    def who(self) -> str: ...
    @property
    def spent(self) -> int: ...
    @property
    def held(self) -> int: ...
    @property
    def resets_s(self) -> float | None:
        """Until the oldest of it no longer counts; ``None``: it always does."""

# What several processes know together ------------------------------------------------------------------------------

_Errand = tuple[str, str, str, int, bool, list[tuple[int, int, int, int, int, int]]]
_Granted = tuple[str, str, str, list[tuple[int, int, int, int, int]]]

@final
class Asked(Awaitable[_Answered]):
    """What Redis answers. To be awaited where :class:`Exchange.on_done` calls back; an asyncio task cannot."""

    def __await__(self) -> Generator[object, None, _Answered]: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Self: ...
    def on_done(self, callback: Callable[[Asked[_Answered]], object]) -> None:
        """Call back when it is there, on the thread that brings it."""

@final
class Redis:
    """A Redis or Valkey server (6.2 or newer), as one process sees it: a thread, and one connection for all.

    It connects by itself, and again; while it is not connected everything fails at once. Start it after forking.
    A single server is meant, or one with replicas that take over: all keys are in one slot.

    :param url: ``redis://``, ``rediss://`` (TLS), ``unix://``; never told again, since it may hold a password.
    :param prefix: what all keys and channels begin with, in braces.
    :param timeout_s: a command that takes longer has failed.
    :raises ValueError: the address is none.
    """

    def __new__(cls, url: str, *, prefix: str = "dragoman", timeout_s: float = 0.05) -> Self: ...
    def ready(self, timeout_s: float) -> bool:
        """Wait until it answers. ``False``: it does not within that time."""
    @property
    def is_up(self) -> bool:
        """Whether it answered last."""
    @property
    def reason(self) -> str:
        """Why it does not; empty while it does."""
    @property
    def evicts(self) -> bool:
        """Whether it lets go of keys when its memory is full, as it said when it was connected to."""
    @property
    def failures(self) -> int:
        """Commands that failed."""
    def ledger(self, process: str) -> SharedLedger:
        """The ledger there.

        :param process: what tells this process from all others, at all times.
        """
    def get(self, name: bytes) -> Asked[bytes | None]:
        """A value; ``None``: there is none, or it cannot be had."""
    def put(self, name: bytes, value: bytes, ttl_s: float) -> None:
        """Keep a value for so long, if it can be kept. Does not wait."""
    def claim(self, name: bytes, value: bytes, ttl_s: float) -> Asked[tuple[bytes, float] | None]:
        """Put a value for so long where there is none: what only one process of all may have. What is there then, and
        for how many seconds; ``None``: nobody knows."""
    def publish(self, channel: str, word: str) -> bool:
        """Tell all that listen. ``False``: nobody was reached. Waits; not for an event loop."""
    def tell(self, channel: str, word: str) -> None:
        """Tell all that listen, if they can be reached. Does not wait."""
    def listen(self, channel: str, callback: Callable[[str], object]) -> None:
        """Be told what is published, on a thread of its own; an empty word where something may have been missed."""

@final
class SharedLedger:
    """What :class:`Ledger` is, counted in one place for all processes; ``rust/wire/src/shared`` says how.

    What is durable has to be granted by the database ahead of the spending. Whoever reserves and finds that it is not
    gets *errands*: what to ask the database, about which it has two seconds; :meth:`grant` takes its answers.
    """

    def rule(
        self,
        name: str,
        measure: Literal["requests", "tokens", "concurrent", "cost"] | str,
        most: int,
        *,
        period: Literal["sliding", "day", "week", "month", "year", "ever"] | str,
        sliding_s: float | None = None,
        enforced: bool = True,
        durable: bool = False,
        levels: list[float] = [],
    ) -> int:
        """As :meth:`Ledger.rule`. Numbers are this process's own."""
    def scope(self, parts: list[tuple[int, str]]) -> LedgerScope:
        """As :meth:`Ledger.scope`."""
    def reserve(
        self, scope: LedgerScope, *, requests: int = 1, tokens: int = 0, cost_nanousd: int = 0
    ) -> Asked[Hold | Refused | list[_Errand] | None]:
        """As :meth:`Ledger.reserve`. A list: the database has to be asked first; then ask again. ``None``: Redis does
        not answer, and nothing is held.

        :raises ValueError: an amount below zero.
        """
    def collect(self) -> list[_Errand]:
        """What the database is to be told of: what was spent, is claimed too much, or too little. Waits.

        An errand is: key, token, id (name, measure, period and who, separated by U+001F), the limit, whether it is
        enforced, and of each slot: its begin and end (Unix ms; 0: none), how much more is needed at least, how much is
        wanted, how much is given back, how much was spent.
        """
    def grant(self, rows: list[_Granted]) -> bool:
        """The database has answered: key, token, id, and of each slot that counts: its begin and end, how much more is
        granted, how much was granted in all, how much of what was spent is written. Waits. ``False``: Redis is gone.
        """
    def beat(self) -> bool:
        """Say that this process lives, tell what could not be told, and end the holds of processes that have been
        silent for 15 seconds, at what they held. Waits. ``False``: Redis does not answer.
        """
    def leave(self) -> bool:
        """Tell the rest, and that this process ends. Waits."""
    @property
    def processes(self) -> int:
        """How many there are, as was heard last."""
    @property
    def reaped(self) -> int:
        """Holds that were ended here whose processes had."""
    @property
    def unsettled(self) -> int:
        """Ends of holds that Redis has not been told of."""
    def standings(self, scope: LedgerScope | None = None) -> list[Standing]:
        """As :meth:`Ledger.standings`; without a scope, those that this process knows. Waits; empty without Redis."""
    @property
    def held(self) -> int:
        """As :attr:`Ledger.held`, of what this process knows."""
    def crossings(self) -> list[tuple[int, str, float, int]]:
        """Levels that were crossed by what this process settled, since the last call."""
    @property
    def now_ms(self) -> int:
        """What Redis's clock says, in Unix milliseconds."""
    def freeze(self, now_ms: int) -> None:
        """Stop the clock there. For tests."""

def period_slot(period: str, sliding_s: float | None, now_ms: int) -> tuple[int, int | None]:
    """When the slot of a rule's period began that a moment falls into, and when it no longer counts, in Unix ms."""

# The audit log ----------------------------------------------------------------------------------------------------

@final
class AuditLog:
    """One process's chain in an audit log: each record's hash covers the one before it, segments are signed.

    A directory holds a folder a writer, with segments of lines ``<seq> <hash> <record>`` and a file of their heads;
    ``rust/core/src/audit`` says what is hashed and signed. A thread writes; :meth:`append` never waits.

    :param writer: letters, digits and ``_``; no other process may ever have had it.
    :param seed: of an Ed25519 key, 32 bytes.
    :param segment_records: a segment is closed after so many, or ``segment_s``.
    :param queue_bytes: what waits to be written, at most.
    :param copy_to: a directory that gets a copy of the heads, so that a log that was cut back shows.
    :raises OSError: the directory cannot be written, or another process has the writer.
    :raises ValueError: a parameter is none.
    """

    def __new__(
        cls,
        directory: str | os.PathLike[str],
        writer: str,
        seed: bytes,
        *,
        segment_records: int = 10_000,
        segment_s: float = 60.0,
        queue_bytes: int = 67_108_864,
        copy_to: str | os.PathLike[str] | None = None,
    ) -> Self: ...
    @property
    def writer(self) -> str: ...
    def append(self, record: bytes, wake: Callable[[bool], object] | None = None) -> bool:
        """Hand a record over: one line of JSON.

        :param wake: called once, on the log's thread: whether the record is durable. Without it, records are synced
            every second, and one that cannot be written waits until it can.
        :returns: ``False``: too much waits already, or with ``wake``, nothing can be written now.
        :raises ValueError: it is no line.
        """
    def extend(self, records: list[bytes]) -> int:
        """Hand several over that nobody waits for.

        :returns: how many were not taken, since too much waits already.
        :raises ValueError: one is no line; then none is taken.
        """
    @property
    def written(self) -> int: ...
    @property
    def queued(self) -> int: ...
    @property
    def dropped(self) -> int:
        """Records that were lost, because too many waited."""
    @property
    def failures(self) -> int:
        """How often writing has failed."""
    @property
    def failure(self) -> str | None:
        """Why nothing can be written now."""
    def close(self) -> None:
        """Write what waits, and sign the last segment."""

@final
class AuditSalt:
    """What tells texts apart in a log that does not say them: HMAC-SHA256 under a person's salt."""

    def __new__(cls, salt: bytes) -> Self: ...
    def digest(self, kind: bytes, text: bytes) -> str:
        """What stands for a text of a kind: the first 16 bytes of ``HMAC(salt, kind || 0 || text)`` in hexadecimal."""

@final
class AuditReport:
    """What :func:`audit_verify` has found."""

    @property
    def chains(self) -> int: ...
    @property
    def segments(self) -> int: ...
    @property
    def records(self) -> int:
        """Whose hashes were computed."""
    @property
    def taken_out(self) -> list[tuple[str, int]]:
        """Of which only the hash is left: the writer, and the number."""
    @property
    def unsigned(self) -> int:
        """Behind the last head of a chain: not signed yet."""
    @property
    def faults(self) -> list[tuple[str, str]]:
        """What is wrong: the place, and what."""
    @property
    def statements(self) -> list[tuple[str, bytes]]:
        """Records that begin as was asked for, with their writer."""
    @property
    def last(self) -> list[tuple[str, int, str]]:
        """Of each chain its writer, the number of its last record, and that one's hash."""

@final
class AuditProof:
    """That a record is in a log, without the log: a few hashes (RFC 9162, 2.1.3) and a signed head."""

    def __new__(
        cls,
        *,
        writer: str,
        seq: int,
        before: str,
        hash: str,
        record: bytes | None,
        index: int,
        size: int,
        path: list[str],
        head: str,
    ) -> Self: ...
    @property
    def writer(self) -> str: ...
    @property
    def seq(self) -> int: ...
    @property
    def before(self) -> str:
        """The hash of the record before it, in hexadecimal as all hashes here."""
    @property
    def hash(self) -> str: ...
    @property
    def record(self) -> bytes | None:
        """``None``: it was taken out, and only that it was there is proved."""
    @property
    def index(self) -> int:
        """Its place in the segment, from 0."""
    @property
    def size(self) -> int:
        """How many records the segment has."""
    @property
    def path(self) -> list[str]:
        """The hashes beside it in the tree, from the leaf upwards."""
    @property
    def head(self) -> str:
        """As it is written, with its signature."""
    def holds(self, public_key: bytes) -> bool:
        """Whether it does, for that signer."""

def audit_public_key(seed: bytes) -> bytes:
    """The key that verifies what a seed signs.

    :raises ValueError: a seed has 32 bytes.
    """

def audit_recover(directory: str | os.PathLike[str], seed: bytes, now_ms: int) -> list[tuple[str, int]]:
    """Sign what processes left unsigned that are gone. Of each, its writer and the bytes of a torn last line.

    :raises OSError: a file cannot be read or written.
    """

def audit_segments(directory: str | os.PathLike[str], writer: str) -> list[tuple[int, Path, str | None]]:
    """A chain's segments, oldest first: number, file, head (``None``: not closed yet).

    :raises OSError: there is no such chain.
    """

def audit_verify(
    directory: str | os.PathLike[str],
    public_key: bytes | None,
    copies: str | os.PathLike[str] | None,
    statement: bytes,
) -> AuditReport:
    """Verify a whole log, about 300 MB a second; the GIL is released.

    :param public_key: the signer of all heads; ``None``: whoever they say, which shows changes but not who made them.
    :param copies: heads that were written elsewhere: all of them have to be here.
    :param statement: records that begin with it are given back.
    :raises OSError: a file cannot be read.
    """

def audit_scan(path: str | os.PathLike[str], needles: list[bytes]) -> list[tuple[int, bytes]]:
    """The records of a segment that hold all of some texts, with their numbers.

    :raises OSError: the file cannot be read.
    """

def audit_prove(directory: str | os.PathLike[str], writer: str, seq: int) -> AuditProof | None:
    """Prove a record; ``None`` where there is none, or its segment is not closed yet.

    :raises OSError: a file cannot be read.
    """

def audit_take_out(path: str | os.PathLike[str], seqs: set[int]) -> int:
    """Take records out of a closed segment, whose hashes stay; says how many. Atomic and durable.

    :raises OSError: the file cannot be written.
    """
