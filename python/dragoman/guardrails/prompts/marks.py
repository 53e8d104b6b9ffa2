"""Marks for a provider's prompt cache, where it has to be told what to keep and they pay.

Writing to the cache costs a quarter more than reading without, reading from it a tenth. So marked is what will come
again: instructions and tools, which every request brings, and a conversation that has gone on before. Neither where it
is shorter than the model's least (which is not kept, and not said), nor where the client has marked anything itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from dragoman.dialects.anthropic.models import claude
from dragoman.dialects.canonical import Message, Request, Text, Tool, ToolCall, ToolResult
from dragoman.guardrails.prompts.decorate import leading

if TYPE_CHECKING:
    from dragoman.dialects.dialect import Target

# Dialects that have to be told.
MARKED = frozenset({"anthropic", "bedrock", "bedrock_invoke", "vertex_claude"})
# So many bytes are a token at most, of any language but for rare letters: what is shorter is surely too short.
TOKEN_BYTES = 4
DEFAULT = ""  # for as long as the provider keeps what is marked


def marked(request: Request, target: Target) -> Request:
    """The request, with marks where they pay."""
    if "claude" not in target.model or _has_marks(request):
        return request
    least = claude(target.model).cache_min * TOKEN_BYTES
    count = leading(request.messages)
    head = sum(map(_size, request.messages[:count])) + len(msgspec.json.encode(request.tools))
    whole = head + sum(map(_size, request.messages[count:]))
    messages, tools = list(request.messages), list(request.tools)
    if head >= least:
        if count:
            messages[count - 1] = _mark(messages[count - 1])
        elif tools:
            tools[-1] = replace(tools[-1], cache=DEFAULT)
    if whole >= least and any(message.role == "assistant" for message in messages):
        messages[-1] = _mark(messages[-1])
    return replace(request, messages=tuple(messages), tools=tuple(tools))


def _mark(message: Message) -> Message:
    """A message, marked at its end, if that is of a kind that can be."""
    last: Any = message.blocks[-1] if message.blocks else None
    if not isinstance(last, Text | ToolCall | ToolResult) or (type(last) is Text and not last.text.strip()):
        return message
    return replace(message, blocks=(*message.blocks[:-1], replace(last, cache=DEFAULT)))


def _has_marks(request: Request) -> bool:
    if "cache_control" in request.extra:
        return True
    things: list[Any] = [*request.tools, *(block for message in request.messages for block in message.blocks)]
    return any(getattr(thing, "cache", None) is not None for thing in things)


def _size(message: Message | Tool) -> int:
    return len(msgspec.json.encode(message))
