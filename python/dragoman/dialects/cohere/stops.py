"""Why an answer ended."""

from __future__ import annotations

from dragoman.dialects.canonical import Stop

STOPS: dict[str, Stop] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "sequence",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR": "error",
    "ERROR_TOXIC": "filter",
    "TIMEOUT": "error",
}
REASONS: dict[Stop, str] = {
    "stop": "COMPLETE",
    "sequence": "STOP_SEQUENCE",
    "length": "MAX_TOKENS",
    "tool_calls": "TOOL_CALL",
    "filter": "ERROR_TOXIC",
    "refusal": "COMPLETE",
    "pause": "COMPLETE",
    "error": "ERROR",
}


def read_stop(native: str, *, called: bool) -> Stop:
    """What a ``finish_reason`` means, given whether tools were called (edge case 8)."""
    stop = STOPS.get(native, "stop")
    return "tool_calls" if called and stop == "stop" else stop


def reason_of(stop: Stop | None, native: str) -> str:
    """The ``finish_reason`` of an answer: the provider's own word where it is this dialect's."""
    return native if native in STOPS else REASONS[stop or "stop"]
