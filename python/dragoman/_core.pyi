"""The engines in Rust; this file is their documentation.

Import from :mod:`dragoman.core`. Counts are tokens, sizes bytes, unless a name says otherwise.
"""

from typing import Self, final

__all__ = [
    "Answer",
    "AnswerError",
    "BodyError",
    "FrameError",
    "RequestBody",
    "SseEvent",
    "SseReader",
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
        """A count was negative, broken or out of range and was bent to fit: better counted anew."""
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
