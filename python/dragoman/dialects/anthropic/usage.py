"""Usage, which this dialect counts without the cached part of the prompt."""

from __future__ import annotations

from typing import Any

from dragoman.dialects.canonical import Json, Usage
from dragoman.dialects.lenient import count


def read_usage(usage: Any, before: Usage | None = None) -> Usage | None:
    """The usage of an answer; of a stream's end, what was said at its beginning is kept where it says nothing new."""
    if type(usage) is not dict:
        return before
    told: Json = {**(before.extra if before is not None else {}), **{k: v for k, v in usage.items() if v is not None}}
    read, write = count(told.get("cache_read_input_tokens")), count(told.get("cache_creation_input_tokens"))
    made: Any = told.get("cache_creation")
    details: Any = told.get("output_tokens_details")
    return Usage(
        input=count(told.get("input_tokens")) + read + write,
        output=count(told.get("output_tokens")),
        cached=read,
        cache_write=write,
        cache_write_1h=count(made.get("ephemeral_1h_input_tokens")) if type(made) is dict else 0,
        reasoning=count(details.get("thinking_tokens")) if type(details) is dict else 0,
        extra=told,
    )


def write_usage(usage: Usage, *, own: bool) -> Json:
    """The usage as a client of this dialect reads it."""
    if own and usage.extra:
        return usage.extra
    short = max(0, usage.cache_write - usage.cache_write_1h)
    written: Json = {
        "input_tokens": max(0, usage.input - usage.cached - usage.cache_write),
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": usage.cache_write_1h},
        "output_tokens": usage.output,
    }
    if usage.reasoning:
        written["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return written
