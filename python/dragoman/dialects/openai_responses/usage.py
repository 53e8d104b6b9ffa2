"""Usage."""

from __future__ import annotations

from typing import Any

from dragoman.dialects.canonical import Json, Usage
from dragoman.dialects.lenient import count


def read_usage(usage: Any) -> Usage | None:
    """The usage of an answer; ``None`` where it has none."""
    if type(usage) is not dict:
        return None
    inputs: Any = usage.get("input_tokens_details")
    outputs: Any = usage.get("output_tokens_details")
    inputs = inputs if type(inputs) is dict else {}
    outputs = outputs if type(outputs) is dict else {}
    return Usage(
        input=count(usage.get("input_tokens")),
        output=count(usage.get("output_tokens")),
        cached=count(inputs.get("cached_tokens")),
        cache_write=count(inputs.get("cache_write_tokens")),
        reasoning=count(outputs.get("reasoning_tokens")),
        audio_input=count(inputs.get("audio_tokens")),
        audio_output=count(outputs.get("audio_tokens")),
        extra=usage,
    )


def write_usage(usage: Usage, *, own: bool) -> Json:
    """The usage as a client of this dialect reads it."""
    if own and usage.extra:
        return usage.extra
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    }
