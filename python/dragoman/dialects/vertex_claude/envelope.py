"""Claude through Vertex AI: Anthropic's own bodies with their version inside, and the model in the path."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from dragoman.dialects import anthropic
from dragoman.dialects.anthropic.write_request import body_of
from dragoman.dialects.canonical import Json, Report, Request
from dragoman.dialects.dialect import Outgoing, Path, Target
from dragoman.dialects.gemini.errors import read_error as read_google_error
from dragoman.dialects.losses import Losses

NAME = "vertex_claude"
VERSION = "vertex-2023-10-16"
# What Vertex refuses of Anthropic's own requests.
UNKNOWN = ("tags", "container", "inference_geo", "speed", "context_management")
_decode, _encode = msgspec.json.decode, msgspec.json.encode


def read_request(body: bytes, path: Path) -> Request:
    """The request that a client sent to ``...:rawPredict``. Inside it is one of Anthropic's dialect."""
    return anthropic.DIALECT.read_request(body, path)


def write_request(request: Request, target: Target, losses: Losses) -> Outgoing:
    """The request as Vertex gets it."""
    body, betas, undo = body_of(request, target, losses)
    own = "anthropic_version" in request.extra
    for name in UNKNOWN:
        if name in body and not own:
            losses.drop(name, "Vertex does not take it")
            del body[name]
    sent: Json = {"anthropic_version": VERSION, **body} | ({"stream": True} if request.stream else {})
    action = "streamRawPredict" if request.stream else "rawPredict"
    headers = [("anthropic-beta", ",".join(betas))] if betas else []
    path = f"/models/{quote(target.model.removeprefix('models/'), safe='@:')}:{action}"
    return Outgoing(path=path, body=_encode(sent), headers=headers, undo=undo)


def read_error(status: int, headers: dict[str, str], body: bytes) -> Report:
    """An error of Claude's, in Anthropic's shape, or of the platform's, in Google's."""
    try:
        told: Any = _decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        told = None
    claudes = isinstance(told, dict) and told.get("type") == "error"
    return (anthropic.DIALECT.read_error if claudes else read_google_error)(status, headers, body)
