"""W3C trace context (https://www.w3.org/TR/trace-context/): continued, with a span of our own as the parent."""

from __future__ import annotations

from random import getrandbits

from msgspec import Struct

from dragoman.core import read_traceparent


class Trace(Struct, frozen=True):
    """The trace that a request belongs to."""

    trace_id: str
    traceparent: str
    tracestate: str


def outgoing_trace(headers: dict[str, str]) -> Trace | None:
    """The trace context to send on; ``None`` where the client sent none that can be read."""
    given = headers.get("traceparent")
    if given is None:
        return None
    read = read_traceparent(given)
    if read is None:
        return None
    trace_id, flags = read
    return Trace(trace_id, f"00-{trace_id}-{getrandbits(64) or 1:016x}-{flags}", headers.get("tracestate", ""))
