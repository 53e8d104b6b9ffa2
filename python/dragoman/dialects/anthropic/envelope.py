"""Anthropic's bodies as clouds take them: with their version inside, and less what a cloud refuses."""

from __future__ import annotations

from msgspec import Struct

from dragoman.dialects.anthropic.write_request import body_of
from dragoman.dialects.canonical import Json, Request
from dragoman.dialects.dialect import Target
from dragoman.dialects.losses import Losses
from dragoman.dialects.undo import Undo


class Envelope(Struct, frozen=True):
    """What one cloud makes of them."""

    cloud: str
    version: str
    refused: tuple[str, ...]  # fields of Anthropic's own requests

    def wrapped(self, request: Request, target: Target, losses: Losses) -> tuple[Json, list[str], Undo]:
        """The body, the betas it needs, and what is to be undone in the answer.

        What a client of the same envelope has written stands as it is.
        """
        body, betas, undo = body_of(request, target, losses)
        if "anthropic_version" not in request.extra:
            for name in self.refused:
                if name in body:
                    losses.drop(name, f"{self.cloud} does not take it")
                    del body[name]
        return {"anthropic_version": self.version, **body}, betas, undo
