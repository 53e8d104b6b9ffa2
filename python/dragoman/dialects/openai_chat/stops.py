"""Why an answer ended: OpenAI's five words, and what hosts say instead."""

from __future__ import annotations

from dragoman.dialects.canonical import Stop

STOPS: dict[str, Stop] = {
    "stop": "stop",
    "end_turn": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "complete": "stop",
    "COMPLETE": "stop",
    "STOP": "stop",
    "stop_sequence": "sequence",
    "length": "length",
    "max_tokens": "length",
    "MAX_TOKENS": "length",
    "model_length": "length",
    "insufficient_system_resource": "error",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "tool_use": "tool_calls",
    "content_filter": "filter",
    "SAFETY": "filter",
    "refusal": "refusal",
    "error": "error",
}
REASONS: dict[Stop, str] = {
    "stop": "stop",
    "sequence": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "filter": "content_filter",
    "refusal": "content_filter",
    "pause": "stop",
    "error": "stop",
}


def read_stop(reason: str, *, called: bool) -> Stop:
    """What a ``finish_reason`` means, given whether tools were called: many hosts say ``stop`` all the same."""
    stop = STOPS.get(reason, "stop")
    if called and stop == "stop":
        return "tool_calls"
    return "stop" if stop == "tool_calls" and not called else stop
