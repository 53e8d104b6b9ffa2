"""A gateway before providers of every dialect: a deployment of each, named after the dialect."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.gateway.gateway import SECRET, Gateway
from tests.gateway.speakers import speak
from tests.gateway.upstream import Step, Upstream, expect

from dragoman.access.secret import create_secret

KINDS = {
    "openai_chat": "groq",
    "openai_responses": "openai",
    "anthropic": "anthropic",
    "gemini": "gemini",
    "bedrock": "bedrock",
    "vertex_claude": "vertex-anthropic",
    "cohere": "cohere",
    "ollama": "ollama",
}
# A tool of the clients', and a question that makes the model call it.
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
ASKED = "What is the weather?"
KEY = create_secret()


def running(folder: Path) -> Iterator[Gateway]:
    """The gateway, until the tests are done."""
    for gateway, _ in with_speaker(folder, speak, {}):
        yield gateway


def with_speaker(
    folder: Path, speaker: Step, more: dict[str, Any], environ: dict[str, str] | None = None
) -> Iterator[tuple[Gateway, Upstream]]:
    """The gateway and the one provider behind all, which answers as told.

    :param more: what the configuration has beside.
    """
    with Upstream() as upstream:
        upstream.reply(expect, speaker)
        providers = {
            name: {"kind": kind, "base_url": upstream.base_url, "api_key": SECRET, "allow_private": True}
            for name, kind in KINDS.items()
        }
        providers["openai_responses"]["dialects"] = ["openai_responses"]
        providers["ollama"] |= {"dialects": ["ollama"], "base_url": f"{upstream.base_url}/ollama"}
        deployments = {name: {"provider": name, "model": "m"} for name in KINDS}
        config: dict[str, Any] = {
            "server": {"http2": True},
            "providers": providers,
            "deployments": deployments,
            "keys": [{"name": "sdk", "secret": KEY, "organisation": "acme"}],
        }
        with Gateway(config | more, folder, environ) as gateway:
            yield gateway, upstream
