"""What a dialect is: a row of functions between its wire format and the canonical form, and the state of a stream.

Each dialect is a package beside this file, whose ``__init__`` makes the one :class:`Dialect` that it is known by. A
dialect serves both as an API that clients call and as one that providers speak. Functions are pure: no clock, no
chance, no I/O; what they need of these comes with :class:`Asked`.

Whatever is read is hostile. Readers check the types of what they read, take what is missing as absent, and raise
:class:`~dragoman.dialects.fields.Unreadable` (naming the field), never anything else. Whoever calls them knows whether
that is the client's fault or the provider's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from msgspec import Struct

from dragoman.dialects.canonical import Answer, Event, Report, Request
from dragoman.dialects.losses import Losses
from dragoman.dialects.undo import Undo

# How events are cut out of a body: server-sent events, Amazon's binary frames, a JSON value a line.
Framing = Literal["sse", "eventstream", "ndjson"]
# An event's name (empty where it has none) and its data. Of binary frames the name is ``:event-type``, or
# ``exception:`` and the ``:exception-type`` (for ``:message-type`` error: ``error:`` and the ``:error-code``).
Frame = tuple[str, bytes]
Headers = list[tuple[str, str]]


class Path(Struct, frozen=True, kw_only=True):
    """What a request's path and headers say beside its body."""

    model: str = ""  # empty: the body says
    stream: bool | None = None  # None: the body says
    array: bool = False  # a stream is wanted as one JSON array, which is told piece by piece
    action: str = ""  # such as ``generateContent``, where a dialect has several
    headers: dict[str, str] = {}


class Target(Struct, frozen=True, kw_only=True):
    """What a request is written for."""

    model: str  # in the provider's words
    provider: str = ""  # its kind, as the catalogue has it
    max_output: int | None = None  # the model's limit
    context: int | None = None
    max_tokens_field: Literal["either", "max_tokens", "max_completion_tokens"] = "either"
    unsupported: frozenset[str] = frozenset()  # fields, as OpenAI chat calls them, that the provider refuses
    unknown_fields: bool = True  # False: it refuses fields that are not in its own schema
    stream_usage: bool = True  # whether it takes stream_options.include_usage
    family: str = ""  # whose proofs the model can read


class Asked(Struct, frozen=True, kw_only=True):
    """What an answer is written for: the client's own request."""

    request: Request
    request_id: str
    created_s: int


class Outgoing(Struct, frozen=True, kw_only=True):
    """A request as a provider gets it."""

    path: str  # behind the provider's base URL
    body: bytes
    headers: Headers = []
    undo: Undo = Undo()


class EventReader(Protocol):
    """Reads one stream."""

    def read(self, frames: list[Frame]) -> list[Event]:
        """The events of some frames.

        Raises:
            Unreadable: a frame is not what the dialect says.
        """

    def finish(self) -> list[Event]:
        """The events that the end of the body means, such as the ``Finished`` of a dialect that has no word for it.

        Raises:
            Unreadable: the stream ended before its end.
        """


class EventWriter(Protocol):
    """Writes one stream. What it returns is sent as it is."""

    def write(self, events: list[Event]) -> bytes:
        """The bytes of some events; empty where there is nothing to say yet."""

    def finish(self) -> bytes:
        """What ends a good stream."""

    def fail(self, report: Report) -> bytes:
        """What ends a stream that has failed after it began."""

    def ping(self) -> bytes:
        """What keeps a silent connection alive; means nothing to the client."""


class Dialect(Struct, frozen=True, kw_only=True):
    """A wire format."""

    name: str
    wraps: str = ""  # the dialect whose bodies it puts into an envelope of its own
    framing: Framing
    stream_type: str  # the content type of a stream
    # The client's request. Raises Unreadable.
    read_request: Callable[[bytes, Path], Request]
    # The provider's. What it cannot carry goes to ``Losses``.
    write_request: Callable[[Request, Target, Losses], Outgoing]
    read_answer: Callable[[bytes, Target], Answer]  # raises Unreadable
    write_answer: Callable[[Answer, Asked], bytes]
    reader: Callable[[Target], EventReader]
    writer: Callable[[Asked], EventWriter]
    # An error's answer: its status, headers (names in lower case) and body. Never raises.
    read_error: Callable[[int, dict[str, str], bytes], Report]
    # The same for a client: the status it has in this dialect, headers beside the usual, the body.
    write_error: Callable[[Report, str], tuple[int, Headers, bytes]]
