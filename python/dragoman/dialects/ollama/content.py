"""Messages, read and written: a text, its pictures, its thoughts and its calls are fields of one object."""

from __future__ import annotations

import msgspec

from dragoman.dialects.canonical import Block, Image, Json, Message, Reasoning, Source, Text, ToolCall, ToolResult
from dragoman.dialects.fields import Fields, Unreadable, object_of

NAME = "ollama"
ROLES = {"user", "assistant", "system", "tool"}
# What a picture is, by how its base64 begins.
_KINDS = (("iVBOR", "image/png"), ("/9j/", "image/jpeg"), ("R0lGOD", "image/gif"), ("UklGR", "image/webp"))


def read_message(message: Fields) -> Message:
    """One message."""
    role = message.required("role", message.maybe_text("role"))
    if role not in ROLES:
        raise message.unknown("role", role)
    if role == "tool":
        named = message.text("tool_name") or message.text("name")
        content = (Text(text=message.text("content")),)
        result = ToolResult(call_id=message.text("tool_call_id"), content=content, name=named)
        return Message(role="tool", blocks=(result,), extra=message.left)
    known = "user" if role == "user" else "assistant" if role == "assistant" else "system"
    return Message(role=known, blocks=tuple(read_blocks(message)), extra=message.left)  # type: ignore[arg-type]


def read_blocks(message: Fields) -> list[Block]:
    """What a message says: thoughts, pictures, text, calls."""
    blocks: list[Block] = []
    if thoughts := message.text("thinking"):
        blocks.append(Reasoning(text=thoughts))
    for index, data in enumerate(message.items("images")):
        if type(data) is not str:
            at = f"{message.path('images')}[{index}]"
            raise Unreadable(f"The field {at} is not base64.", at)
        blocks.append(Image(source=Source(media_type=kind_of(data), data=data)))
    if text := message.text("content"):
        blocks.append(Text(text=text))
    blocks += [read_call(call) for call in message.each("tool_calls")]
    return blocks


def kind_of(data: str) -> str:
    """A picture's media type."""
    return next((kind for begins, kind in _KINDS if data.startswith(begins)), "image/png")


def read_call(call: Fields) -> ToolCall:
    """A call; its arguments are an object."""
    function = call.required("function", call.fields("function"))
    arguments = function.take("arguments")
    text = arguments if type(arguments) is str else msgspec.json.encode(arguments or {}).decode()
    return ToolCall(id=call.text("id"), name=function.text("name"), arguments=text, extra=function.left)


def write_message(role: str, blocks: list[Block]) -> Json:
    """A message of these."""
    message: Json = {"role": role, "content": "".join(block.text for block in blocks if isinstance(block, Text))}
    if thoughts := "".join(block.text for block in blocks if isinstance(block, Reasoning)):
        message["thinking"] = thoughts
    images = [block.source.data for block in blocks if isinstance(block, Image) and block.source.data]
    if images:
        message["images"] = images
    if calls := [write_call(block) for block in blocks if isinstance(block, ToolCall)]:
        message["tool_calls"] = calls
    return message


def write_call(call: ToolCall) -> Json:
    """A call; newer servers give it an id and its place among the calls."""
    place = {"index": call.extra["index"]} if "index" in call.extra else {}
    function = {**place, "name": call.name, "arguments": object_of(call.arguments) or {}}
    return {"id": call.id, "function": function} if call.id else {"function": function}
