"""``:countTokens``: contents, or a whole request, answered with a number."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from dragoman.dialects.canonical import Request
from dragoman.dialects.dialect import Outgoing, Path, Target
from dragoman.dialects.fields import parse_fields
from dragoman.dialects.gemini.read_request import read_request
from dragoman.dialects.gemini.write_request import write_request
from dragoman.dialects.lenient import count
from dragoman.dialects.losses import Losses


def read_count_request(body: bytes, path: Path) -> Request:
    """The request whose tokens a client wants counted."""
    fields = parse_fields(body)
    inner = fields.mapping("generateContentRequest")
    return read_request(body if inner is None else msgspec.json.encode(inner), path)


def write_count_request(request: Request, target: Target) -> Outgoing:
    """The question for Google."""
    whole = msgspec.json.decode(write_request(request, target, Losses()).body)
    body = {"generateContentRequest": {"model": f"models/{target.model}", **whole}}
    path = f"/models/{quote(target.model, safe='/:@')}:countTokens"
    return Outgoing(path=path, body=msgspec.json.encode(body))


def read_count(body: bytes) -> int:
    """The number of an answer."""
    return count(parse_fields(body).take("totalTokens"))


def write_count(tokens: int) -> bytes:
    """An answer."""
    return msgspec.json.encode({"totalTokens": tokens})
