"""Usage: ``tokens`` is what went in and out; ``billed_units``, which leaves the template out, is kept beside it."""

from __future__ import annotations

from typing import Any

from dragoman.dialects.canonical import Json, Usage
from dragoman.dialects.lenient import count


def read_usage(usage: Any) -> Usage | None:
    """The usage of an answer; ``None`` where it has none."""
    if type(usage) is not dict:
        return None
    tokens, billed = usage.get("tokens"), usage.get("billed_units")
    counted: Any = tokens if type(tokens) is dict else billed if type(billed) is dict else None
    if counted is None:
        return None
    prompt = count(counted.get("input_tokens"))
    cached = min(count(usage.get("cached_tokens")), prompt)
    return Usage(input=prompt, output=count(counted.get("output_tokens")), cached=cached, extra=usage)


def write_usage(usage: Usage, *, own: bool) -> Json:
    """The usage as a client of this dialect reads it."""
    if own and usage.extra:
        return usage.extra
    tokens = {"input_tokens": usage.input, "output_tokens": usage.output}
    return {"billed_units": tokens, "tokens": tokens, "cached_tokens": usage.cached}
