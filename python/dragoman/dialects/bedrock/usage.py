"""Usage, which this dialect counts without the cached part of the prompt."""

from __future__ import annotations

from typing import Any

from dragoman.dialects.canonical import Json, Usage
from dragoman.dialects.lenient import count, objects_of


def read_usage(usage: Any) -> Usage | None:
    """The usage of an answer; ``None`` where it has none."""
    if type(usage) is not dict:
        return None
    read, write = count(usage.get("cacheReadInputTokens")), count(usage.get("cacheWriteInputTokens"))
    details = objects_of(usage, "cacheDetails")
    return Usage(
        input=count(usage.get("inputTokens")) + read + write,
        output=count(usage.get("outputTokens")),
        cached=read,
        cache_write=write,
        cache_write_1h=sum(count(one.get("inputTokens")) for one in details if one.get("ttl") == "1h"),
        extra=usage,
    )


def write_usage(usage: Usage, *, own: bool) -> Json:
    """The usage as a client of this dialect reads it."""
    if own and usage.extra:
        return usage.extra
    fresh = max(0, usage.input - usage.cached - usage.cache_write)
    written: Json = {
        "inputTokens": fresh,
        "outputTokens": usage.output,
        "totalTokens": usage.input + usage.output,
    }
    if usage.cached or usage.cache_write:
        written |= {"cacheReadInputTokens": usage.cached, "cacheWriteInputTokens": usage.cache_write}
    return written
