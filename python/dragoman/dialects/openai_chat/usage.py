"""Usage, as OpenAI and the hosts of its dialect count it."""

from __future__ import annotations

from typing import Any

from dragoman.dialects.canonical import Json, Usage
from dragoman.dialects.lenient import count

_READ = frozenset({"prompt_tokens", "completion_tokens", "total_tokens"})


def read_usage(usage: Any) -> Usage | None:
    """The usage of an answer; ``None`` where it has none.

    Cached tokens are told at four places, reasoning outside ``completion_tokens`` by some: the total tells.
    """
    if type(usage) is not dict or not _READ & usage.keys():
        return None
    inputs: Any = usage.get("prompt_tokens_details")
    outputs: Any = usage.get("completion_tokens_details")
    inputs = inputs if type(inputs) is dict else {}
    outputs = outputs if type(outputs) is dict else {}
    prompt, completion = count(usage.get("prompt_tokens")), count(usage.get("completion_tokens"))
    reasoning = count(outputs.get("reasoning_tokens")) or count(usage.get("reasoning_tokens"))
    total = count(usage.get("total_tokens"))
    if reasoning and total == prompt + completion + reasoning:
        completion += reasoning
    cached = count(inputs.get("cached_tokens"))
    if not cached:
        cached = count(usage.get("prompt_cache_hit_tokens")) or count(usage.get("num_cached_tokens"))
    cached = min(cached, prompt)  # a part is at most its whole, whatever Grok on Azure says
    made: Any = inputs.get("cache_creation")
    return Usage(
        input=prompt,
        output=completion,
        cached=cached,
        cache_write=count(inputs.get("cache_write_tokens")),
        cache_write_1h=count(made.get("ephemeral_1h_input_tokens")) if type(made) is dict else 0,
        reasoning=reasoning,
        audio_input=count(inputs.get("audio_tokens")),
        audio_output=count(outputs.get("audio_tokens")),
        extra=usage,
    )


def write_usage(usage: Usage, *, own: bool = False) -> Json:
    """The usage as a client of this dialect reads it. Of an answer of this dialect it is what the provider said."""
    if own and usage.extra:
        return usage.extra
    inputs: Json = {"cached_tokens": usage.cached, "audio_tokens": usage.audio_input}
    if usage.cache_write:
        inputs["cache_write_tokens"] = usage.cache_write
        short = usage.cache_write - usage.cache_write_1h
        kinds = {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": usage.cache_write_1h}
        inputs["cache_creation"] = kinds
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": inputs,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning, "audio_tokens": usage.audio_output},
    }
