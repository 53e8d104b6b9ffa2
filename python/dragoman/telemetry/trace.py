"""W3C trace context (https://www.w3.org/TR/trace-context/): continued, with a span of our own as the parent."""

from __future__ import annotations

import re
from random import getrandbits

from msgspec import Struct

_PARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")


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
    match = _PARENT.fullmatch(given)
    if match is None:
        return None
    trace_id, flags = match.groups()
    return Trace(trace_id, f"00-{trace_id}-{getrandbits(64) or 1:016x}-{flags}", headers.get("tracestate", ""))
