"""Claude through Vertex AI: Anthropic's own bodies with their version inside, and the model in the path."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from dragoman.dialects import anthropic
from dragoman.dialects.anthropic.envelope import Envelope
from dragoman.dialects.canonical import Report, Request
from dragoman.dialects.dialect import Outgoing, Target
from dragoman.dialects.gemini.errors import read_error as read_google_error
from dragoman.dialects.losses import Losses

NAME = "vertex_claude"
VERTEX = Envelope("Vertex", "vertex-2023-10-16", ("tags", "container", "inference_geo", "speed", "context_management"))


def write_request(request: Request, target: Target, losses: Losses) -> Outgoing:
    """The request as Vertex gets it."""
    body, betas, undo = VERTEX.wrapped(request, target, losses)
    if request.stream:
        body["stream"] = True
    action = "streamRawPredict" if request.stream else "rawPredict"
    headers = [("anthropic-beta", ",".join(betas))] if betas else []
    path = f"/models/{quote(target.model.removeprefix('models/'), safe='@:')}:{action}"
    return Outgoing(path=path, body=msgspec.json.encode(body), headers=headers, undo=undo)


def read_error(status: int, headers: dict[str, str], body: bytes) -> Report:
    """An error of Claude's, in Anthropic's shape, or of the platform's, in Google's."""
    try:
        told: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        told = None
    claudes = isinstance(told, dict) and told.get("type") == "error"
    return (anthropic.DIALECT.read_error if claudes else read_google_error)(status, headers, body)
