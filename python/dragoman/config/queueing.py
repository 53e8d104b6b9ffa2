"""Waiting for deployments that are full, as types."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from dragoman.config.part import Part

Weight = Annotated[float, Meta(ge=0.01, le=100)]


class Queue(Part, frozen=True, kw_only=True):
    """The line before deployments that are at their max_concurrent. Each team is served in proportion to its weight."""

    max_waiting: Annotated[int, Meta(ge=0, le=100_000), "requests in it; more are a 503; 0: nobody waits"] = 1024
    max_wait_s: Annotated[float, Meta(gt=0, le=600), "longer, and it is a 503; a request's deadline counts as well"] = (
        10.0
    )
    weights: Annotated[dict[str, Weight], "by team, or organisation/team; all others have 1"] = {}
