"""``/v1/messages/count_tokens``: a Messages request without a limit, answered with a number."""

from __future__ import annotations

import msgspec

from dragoman.dialects.anthropic.write_request import body_of
from dragoman.dialects.canonical import Request
from dragoman.dialects.dialect import Outgoing, Target
from dragoman.dialects.fields import parse_fields
from dragoman.dialects.lenient import count
from dragoman.dialects.losses import Losses

PATH = "/messages/count_tokens"
# Of a request's body, what counts.
COUNTED = ("messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control")


def write_count_request(request: Request, target: Target) -> Outgoing:
    """The question for Anthropic."""
    body, _, _ = body_of(request, target, Losses())
    asked = {"model": target.model, **{name: body[name] for name in COUNTED if name in body}}
    return Outgoing(path=PATH, body=msgspec.json.encode(asked), headers=[("anthropic-version", "2023-06-01")])


def read_count(body: bytes) -> int:
    """The number of an answer."""
    return count(parse_fields(body).take("input_tokens"))


def write_count(tokens: int) -> bytes:
    """An answer."""
    return msgspec.json.encode({"input_tokens": tokens})
