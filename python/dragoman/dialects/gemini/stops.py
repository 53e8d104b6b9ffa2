"""Why an answer ended."""

from __future__ import annotations

from dragoman.dialects.canonical import Stop

STOPS: dict[str, Stop] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    **dict.fromkeys(
        (
            "SAFETY",
            "RECITATION",
            "BLOCKLIST",
            "PROHIBITED_CONTENT",
            "SPII",
            "LANGUAGE",
            "MODEL_ARMOR",
            "IMAGE_SAFETY",
            "IMAGE_PROHIBITED_CONTENT",
            "IMAGE_RECITATION",
            "IMAGE_OTHER",
        ),
        "filter",
    ),
    **dict.fromkeys(
        (
            "MALFORMED_FUNCTION_CALL",
            "UNEXPECTED_TOOL_CALL",
            "MALFORMED_RESPONSE",
            "MISSING_THOUGHT_SIGNATURE",
            "TOO_MANY_TOOL_CALLS",
            "NO_IMAGE",
            "OTHER",
        ),
        "error",
    ),
}
REASONS: dict[Stop, str] = {
    "stop": "STOP",
    "sequence": "STOP",
    "length": "MAX_TOKENS",
    "tool_calls": "STOP",
    "filter": "SAFETY",
    "refusal": "SAFETY",
    "pause": "STOP",
    "error": "OTHER",
}


def read_stop(native: str, *, called: bool) -> Stop:
    """What a ``finishReason`` means: there is no word for calls (edge case 8)."""
    stop = STOPS.get(native, "stop")
    return "tool_calls" if called and stop == "stop" else stop


def reason_of(stop: Stop | None, native: str) -> str:
    """The ``finishReason`` of an answer: the provider's own word where it is this dialect's."""
    return native if native in STOPS else REASONS[stop or "stop"]
