"""The cache of answers as types."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from dragoman.config.part import Part

CacheMode = Literal["off", "ask", "on"]
Seconds = Annotated[float, Meta(gt=0, le=31_536_000)]
PositiveInt = Annotated[int, Meta(ge=1)]


class Cache(Part, frozen=True, kw_only=True):
    """Answers that are kept, to be given to whoever asks exactly the same again."""

    mode: Annotated[CacheMode, "ask: for requests that ask for it; on: for all that do not refuse"] = "ask"
    scope: Annotated[Literal["key", "team", "organisation"], "who shares answers; a key without one, with nobody"] = (
        "key"
    )
    ttl_s: Annotated[Seconds, "how long an answer is kept, where the request does not say"] = 3600.0
    max_ttl_s: Annotated[Seconds, "the longest that a request may ask for"] = 30 * 86_400.0
    max_bytes: Annotated[PositiveInt, "all answers together, in memory"] = 64 * 1024 * 1024
    max_entry_bytes: Annotated[PositiveInt, "a larger answer is not kept"] = 1024 * 1024
    share_in_flight: Annotated[bool, "requests for the same answer at the same time share one call"] = True
