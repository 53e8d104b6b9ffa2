"""``/model/.../count-tokens``: a Converse request, or the body of an InvokeModel, answered with a number."""

from __future__ import annotations

import base64
import binascii

import msgspec

from dragoman.dialects.bedrock.read_request import read_request
from dragoman.dialects.bedrock.write_request import path_of
from dragoman.dialects.canonical import Request
from dragoman.dialects.dialect import Outgoing, Path, Target
from dragoman.dialects.fields import Unreadable, parse_fields
from dragoman.dialects.lenient import count
from dragoman.dialects.losses import Losses


def read_count_request(body: bytes, path: Path) -> Request:
    """The request whose tokens a client wants counted."""
    from dragoman.dialects.anthropic import DIALECT as ANTHROPIC

    fields = parse_fields(body)
    asked = fields.required("input", fields.fields("input"))
    converse = asked.mapping("converse")
    if converse is not None:
        return read_request(msgspec.json.encode(converse), path)
    invoked = asked.required("invokeModel", asked.fields("invokeModel"))
    try:
        inner = base64.b64decode(invoked.text("body"), validate=True)
    except (binascii.Error, ValueError):
        raise invoked.wrong("body", "base64") from None
    return ANTHROPIC.read_request(inner, path)


def write_count_request(request: Request, target: Target) -> Outgoing:
    """The question for Bedrock, in the form that counts tools as well."""
    from dragoman.dialects.bedrock_invoke.envelope import write_request as write_invoked

    whole = write_invoked(request, target, Losses())
    body = {"input": {"invokeModel": {"body": base64.b64encode(whole.body).decode()}}}
    return Outgoing(path=path_of(target.model, "count-tokens"), body=msgspec.json.encode(body))


def read_count(body: bytes) -> int:
    """The number of an answer."""
    fields = parse_fields(body)
    if "inputTokens" not in fields.left:
        raise Unreadable("The answer has no number of tokens.", "inputTokens")
    return count(fields.take("inputTokens"))


def write_count(tokens: int) -> bytes:
    """An answer."""
    return msgspec.json.encode({"inputTokens": tokens})
