"""The paths that generate, in every dialect: the way of a request is the pipeline's."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from dragoman import pipeline
from dragoman.dialects.dialect import Path
from dragoman.endpoints.count_tokens import CountTokens
from dragoman.endpoints.surfaces import COUNTS, STREAMED, place
from dragoman.errors import MethodNotAllowed, NotFound

if TYPE_CHECKING:
    from dragoman.gateway import Gateway
    from dragoman.routing.surface import Surface
    from dragoman.server.request import Request


class Generate:
    """A path whose requests name the model in their body."""

    always = False

    def __init__(self, gateway: Gateway, surface: Surface) -> None:
        self.gateway = gateway
        self.surface = surface

    async def serve(self, request: Request) -> None:
        """Answer through a provider."""
        await pipeline.serve(self.gateway, request, self.surface, Path(headers=request.headers))


class GenerateByPath:
    """Paths that name the model themselves."""

    always = False

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def serve(self, request: Request) -> None:
        """Answer through a provider."""
        placed = place(request.path)
        if placed is None:
            raise NotFound(f"There is no {request.method} {request.path}.")
        if request.method != "POST":
            raise MethodNotAllowed(f"{request.path} takes POST.")
        at = placed.at
        array = at.action == STREAMED and parse_qs(request.query).get("alt") != ["sse"]
        told = Path(model=at.model, stream=at.stream, array=array, action=at.action, headers=request.headers)
        if at.action in COUNTS:
            await CountTokens(self.gateway, placed.surface.dialect).answer(request, told)
            return
        await pipeline.serve(self.gateway, request, placed.surface, told)
