"""Usage, which this dialect counts with what was generated and what was thought apart."""

from __future__ import annotations

from typing import Any

from dragoman.dialects.canonical import Json, Usage
from dragoman.dialects.lenient import count


def _of_modality(details: Any, modality: str) -> int:
    if type(details) is not list:
        return 0
    return sum(count(one.get("tokenCount")) for one in details if type(one) is dict and one.get("modality") == modality)


def read_usage(usage: Any) -> Usage | None:
    """The usage of an answer; fields that are nought are left out by the provider."""
    if type(usage) is not dict or not usage:
        return None
    prompt = count(usage.get("promptTokenCount")) + count(usage.get("toolUsePromptTokenCount"))
    candidates, thoughts = count(usage.get("candidatesTokenCount")), count(usage.get("thoughtsTokenCount"))
    total = count(usage.get("totalTokenCount"))
    output = candidates + thoughts
    if thoughts and total == prompt + candidates:
        output = candidates  # old versions counted thoughts among what was generated
    cached_audio = _of_modality(usage.get("cacheTokensDetails"), "AUDIO")
    return Usage(
        input=prompt,
        output=output,
        cached=count(usage.get("cachedContentTokenCount")),
        reasoning=thoughts,
        audio_input=max(0, _of_modality(usage.get("promptTokensDetails"), "AUDIO") - cached_audio),
        audio_output=_of_modality(usage.get("candidatesTokensDetails"), "AUDIO"),
        cached_audio=cached_audio,
        image_input=_of_modality(usage.get("promptTokensDetails"), "IMAGE"),
        image_output=_of_modality(usage.get("candidatesTokensDetails"), "IMAGE"),
        extra=usage,
    )


def write_usage(usage: Usage, *, own: bool) -> Json:
    """The usage as a client of this dialect reads it."""
    if own and usage.extra:
        return usage.extra
    written: Json = {
        "promptTokenCount": usage.input,
        "candidatesTokenCount": max(0, usage.output - usage.reasoning),
        "totalTokenCount": usage.input + usage.output,
    }
    if usage.cached:
        written["cachedContentTokenCount"] = usage.cached
    if usage.reasoning:
        written["thoughtsTokenCount"] = usage.reasoning
    return written
