"""Why an answer ended."""

from __future__ import annotations

from dragoman.dialects.canonical import Stop

STOPS: dict[str, Stop] = {
    "end_turn": "stop",
    "stop_sequence": "sequence",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "filter",
    "content_filtered": "filter",
    "malformed_model_output": "error",
    "malformed_tool_use": "error",
}
REASONS: dict[Stop, str] = {
    "stop": "end_turn",
    "sequence": "stop_sequence",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "filter": "content_filtered",
    "refusal": "content_filtered",
    "pause": "end_turn",
    "error": "end_turn",
}


def reason_of(stop: Stop | None, native: str) -> str:
    """The ``stopReason`` of an answer: the provider's own word where it is this dialect's."""
    return native if native in STOPS else REASONS[stop or "stop"]
