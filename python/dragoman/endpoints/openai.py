"""``POST /v1/chat/completions``, ``/v1/completions`` and ``/v1/embeddings``: the way of a request is the pipeline's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman import pipeline

if TYPE_CHECKING:
    from dragoman.gateway import Gateway
    from dragoman.server.request import Request

# Path of ours -> name of the endpoint, path behind a provider's base URL.
PATHS: dict[str, tuple[pipeline.Generation, str]] = {
    "/v1/chat/completions": ("chat", "/chat/completions"),
    "/v1/completions": ("completions", "/completions"),
    "/v1/embeddings": ("embeddings", "/embeddings"),
}


class Generate:
    """One of the three paths."""

    always = False

    def __init__(self, gateway: Gateway, name: pipeline.Generation, path: str) -> None:
        self.gateway = gateway
        self.name = name
        self.path = path

    async def serve(self, request: Request) -> None:
        """Answer through a provider."""
        await pipeline.serve(self.gateway, request, self.name, self.path)
