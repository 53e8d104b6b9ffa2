"""Why an answer ended."""

from __future__ import annotations

from dragoman.dialects.canonical import Stop

STOPS: dict[str, Stop] = {
    "end_turn": "stop",
    "stop_sequence": "sequence",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "refusal",
    "pause_turn": "pause",
    "compaction": "stop",
}
REASONS: dict[Stop, str] = {
    "stop": "end_turn",
    "sequence": "stop_sequence",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "filter": "refusal",
    "refusal": "refusal",
    "pause": "pause_turn",
    "error": "end_turn",
}


def reason_of(stop: Stop | None, native: str, stop_sequence: str | None) -> str:
    """The ``stop_reason`` of an answer: the provider's own word where it is this dialect's."""
    if native in STOPS:
        return native
    if stop == "sequence" and stop_sequence is None:
        return "end_turn"
    return REASONS[stop or "stop"]
