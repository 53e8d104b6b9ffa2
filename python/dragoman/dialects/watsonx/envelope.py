"""watsonx.ai's chat: OpenAI's answers, and requests that are nearly OpenAI's.

https://cloud.ibm.com/apidocs/watsonx-ai#text-chat. The model is ``model_id``, whether to stream is in the path, and a
mode of choosing tools has a field of its own. Where a request is billed (``project_id`` or ``space_id``) is the
provider's ``body`` in the configuration.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from dragoman.dialects import openai_chat
from dragoman.dialects.canonical import Json, Report, Request
from dragoman.dialects.dialect import Outgoing, Path, Target
from dragoman.dialects.lenient import objects_of, text_of
from dragoman.dialects.losses import Losses

NAME = "watsonx"
# The version of the API, which every path has to name.
VERSION = "2025-02-11"
_decode, _encode = msgspec.json.decode, msgspec.json.encode


def read_request(body: bytes, path: Path) -> Request:
    """A client's request, in OpenAI's words but for the model's name."""
    request = openai_chat.DIALECT.read_request(body, path)
    model = request.extra.get("model_id")
    return replace(request, model=model) if isinstance(model, str) and not request.model else request


def write_request(request: Request, target: Target, losses: Losses) -> Outgoing:
    """The request as watsonx.ai gets it."""
    written = openai_chat.DIALECT.write_request(request, target, losses)
    body: Json = _decode(written.body)
    body["model_id"] = body.pop("model")
    for name in ("stream", "stream_options"):
        body.pop(name, None)
    if "max_completion_tokens" in body:
        body["max_tokens"] = body.pop("max_completion_tokens")
    if isinstance(body.get("tool_choice"), str):
        body["tool_choice_option"] = body.pop("tool_choice")
    action = "chat_stream" if request.stream else "chat"
    return replace(written, path=f"/text/{action}?version={VERSION}", body=_encode(body))


def read_error(status: int, headers: dict[str, str], body: bytes) -> Report:
    """The first of the errors of an answer."""
    try:
        told: Any = _decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        told = None
    found = objects_of(told, "errors") if isinstance(told, dict) else []
    if found:
        first = {"message": text_of(found[0], "message"), "code": text_of(found[0], "code"), "type": ""}
        body = _encode({"error": first})
    return openai_chat.DIALECT.read_error(status, headers, body)
