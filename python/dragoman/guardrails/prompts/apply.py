"""A request as prompt controls leave it: in its client's dialect still, so that all that follows sees what is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from dragoman.dialects.dialect import Path, Target
from dragoman.dialects.fields import Unreadable, parse_fields
from dragoman.dialects.losses import Losses
from dragoman.dialects.table import ARRAYS, DIALECTS
from dragoman.errors import InvalidRequest
from dragoman.guardrails.prompts.decorate import decorated, leading, with_instructions
from dragoman.guardrails.prompts.parameters import apply_policies, with_defaults
from dragoman.guardrails.prompts.template import Called, Filled

if TYPE_CHECKING:
    from dragoman.core import RequestBody
    from dragoman.dialects.canonical import Message
    from dragoman.guardrails.prompts.build import Rules
    from dragoman.routing.surface import Surface

_encode = msgspec.json.encode
# Where a dialect's conversation stands that is not called messages. With a template it may be missing.
CONVERSATIONS = {"openai_responses": "input", "gemini": "contents"}


class Shaped(Struct, frozen=True):
    """What came of it."""

    raw: bytes
    changed: str = ""  # parameters that are not as they were asked


def called_in(body: RequestBody, *, is_text_too: bool) -> Called | None:
    """The template that a body calls.

    :param is_text_too: the field may also be the prompt itself, as in legacy completions.

    Raises:
        InvalidRequest: it is called in a way that cannot be read.
    """
    raw = body.field("prompt")
    if raw is None or raw == b"null" or (is_text_too and not raw.startswith(b"{")):
        return None
    try:
        return msgspec.json.decode(raw, type=Called)
    except msgspec.ValidationError as error:
        message = f"The field prompt is not {{id, version, variables}}: {error}."
        raise InvalidRequest(message, code="invalid_prompt", param="prompt") from None


def without_call(raw: bytes, filled: Filled, surface: Surface, at: Path) -> bytes:
    """A request without its call of a template, and with what the template gives for what it lacks."""
    body = parse_fields(raw).left
    del body["prompt"]
    if not body.get("model") and not at.model and filled.model:
        body["model"] = filled.model
    body.setdefault(conversation_of(surface.dialect), [])
    with_defaults(body, surface.dialect, filled.parameters)
    return _encode(body)


def shaped(raw: bytes, surface: Surface, at: Path, filled: Filled | None, rules: Rules, canary: str = "") -> Shaped:
    """The request with all that is put into and around it, and its parameters held to the policies.

    :param canary: instructions that are put behind others, where there are any.

    Raises:
        InvalidRequest: it asks for what is forbidden, or is of a kind that cannot be decorated.
    """
    if surface.task or (filled is None and not canary and not rules.decorators and not rules.policies):
        return Shaped(raw)
    changed: list[str] = []
    if rules.policies:
        body = parse_fields(raw).left
        if surface.known_by and surface.known_by not in body:
            raise _unreadable(surface)
        changed = apply_policies(body, surface.dialect, rules.policies)
        raw = _encode(body)
    if rules.decorators or filled is not None or (canary and surface.translated):
        raw = _reworded(raw, surface, at, filled, rules, canary)
    return Shaped(raw, ", ".join(changed))


def _reworded(raw: bytes, surface: Surface, at: Path, filled: Filled | None, rules: Rules, canary: str) -> bytes:
    if not surface.translated or (surface.known_by and surface.known_by not in parse_fields(raw).left):
        raise _unreadable(surface)
    try:
        request = (ARRAYS if at.array else DIALECTS)[surface.dialect].read_request(raw, at)
    except Unreadable as error:
        raise InvalidRequest(error.message, param=error.at or None) from None
    messages = request.messages
    if filled is not None:
        messages = _with_template(messages, filled.messages, surface.dialect)
    messages = decorated(messages, rules.decorators, surface.dialect)
    if canary and leading(messages):
        messages = with_instructions(messages, canary, surface.dialect, last=True)
    if messages == request.messages:
        return raw
    target = Target(model=request.model, stream_usage=request.include_usage)
    extra = {name: value for name, value in request.extra.items() if name != conversation_of(surface.dialect)}
    changed = replace(request, messages=messages, extra=extra)
    return DIALECTS[surface.dialect].write_request(changed, target, Losses()).body


def conversation_of(dialect: str) -> str:
    """The field that a dialect's conversation stands in."""
    return CONVERSATIONS.get(dialect, "messages")


def _with_template(messages: tuple[Message, ...], template: tuple[Message, ...], dialect: str) -> tuple[Message, ...]:
    """The template's words before the client's, its instructions before the client's instructions."""
    count = leading(messages)
    turns = tuple(message for message in template if message.role != "system")
    messages = (*messages[:count], *turns, *messages[count:])
    for message in reversed(template):
        if message.role == "system":
            text = "".join(getattr(block, "text", "") for block in message.blocks)
            messages = with_instructions(messages, text, dialect, last=False)
    return messages


def _unreadable(surface: Surface) -> InvalidRequest:
    message = f"Prompts and parameters are controlled here, and this kind of {surface.endpoint} request is not read."
    return InvalidRequest(message, code="uncontrolled_prompt", param="model")
