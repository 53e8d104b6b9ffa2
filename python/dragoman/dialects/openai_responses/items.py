"""Items: what the Responses API's input and output are lists of. One item is one canonical message.

Which side an item belongs to follows from its type: a call is the assistant's, its output the client's.
"""

from __future__ import annotations

from typing import Any

import msgspec

from dragoman.dialects.canonical import (
    Block,
    Image,
    Json,
    Message,
    Opaque,
    Proof,
    Reasoning,
    Role,
    Source,
    ToolCall,
    ToolResult,
)
from dragoman.dialects.continuity import unseal
from dragoman.dialects.fields import Fields, parse_fields
from dragoman.dialects.lenient import objects_of, text_of
from dragoman.dialects.openai_responses.content import NAME, own_part, read_content

ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system", "developer": "developer"}
# Types of items that the client writes; all others are the model's, or the provider's for it.
CLIENT_ITEMS = ("_output", "item_reference", "mcp_approval_response", "additional_tools", "configuration_update")


def read_item(item: Fields, model: str = "") -> Message:
    """One item."""
    raw = item.left.copy()
    kind = text_of(raw, "type") or ("message" if "role" in raw else "")
    if kind == "message":
        return _read_message(item)
    blocks: tuple[Block, ...]
    if kind == "function_call":
        call_id, name, arguments = item.text("call_id"), item.text("name"), item.text("arguments")
        blocks = (ToolCall(id=call_id, name=name, arguments=arguments),)
    elif kind == "custom_tool_call":
        call_id, name, text = item.text("call_id"), item.text("name"), item.text("input")
        blocks = (ToolCall(id=call_id, name=name, arguments=text, kind="custom"),)
    elif kind in ("function_call_output", "custom_tool_call_output"):
        output = item.take("output")
        result = ToolResult(
            call_id=item.text("call_id"),
            content=read_content(output, item.path("output")),
            kind="function" if kind == "function_call_output" else "custom",
            extra={"_list": True} if type(output) is list else {},
        )
        return Message(role="tool", blocks=(result,), extra=item.left)
    elif kind == "reasoning":
        blocks = (read_reasoning(item, model),)
        item.left["_whole"] = raw
    elif kind == "image_generation_call" and type(raw.get("result")) is str:
        data = item.text("result")
        form = text_of(raw, "output_format") or "png"
        blocks = (Image(source=Source(media_type=f"image/{form}", data=data)),)
    else:
        role: Role = "user" if kind.endswith(CLIENT_ITEMS) else "assistant"
        return Message(role=role, blocks=(Opaque(dialect=NAME, type=kind, raw=raw),))
    return Message(role="assistant", blocks=blocks, extra=item.left)


def _read_message(item: Fields) -> Message:
    role = item.text("role")
    if role not in ROLES:
        raise item.unknown("role", role)
    content = item.take("content")
    if type(content) is list:
        item.left["_list"] = True
    return Message(role=ROLES[role], blocks=read_content(content, item.path("content")), extra=item.left)


def read_reasoning(item: Fields, model: str) -> Reasoning:
    """An item of reasoning: its summary, or on hosts that show it the reasoning itself."""
    summary = "\n\n".join(text_of(part, "text") for part in objects_of(item.left, "summary"))
    shown = "".join(text_of(part, "text") for part in objects_of(item.left, "content"))
    encrypted = text_of(item.left, "encrypted_content")
    family = "xai" if "grok" in model else "openai"
    own = Proof(kind="encrypted", value=encrypted, family=family, model=model)  # type: ignore[arg-type]
    proof = unseal(encrypted, own) if encrypted else None
    return Reasoning(text=shown or summary, summary=not shown, proof=proof, id=text_of(item.left, "id"))


def own_item(message: Message) -> Json:
    """An item of this dialect, as it was."""
    extra = {name: value for name, value in message.extra.items() if not name.startswith("_")}
    first = message.blocks[0] if message.blocks else None
    if message.role == "tool" and isinstance(first, ToolResult):
        output: Any = [own_part(part) for part in first.content]
        if "_list" not in first.extra:
            output = getattr(first.content[0], "text", "") if first.content else None
        return {"call_id": first.call_id, "output": output, **extra}
    if isinstance(first, Opaque) and "role" not in extra and "_list" not in message.extra:
        return first.raw
    if isinstance(first, ToolCall):
        name = "input" if first.kind == "custom" else "arguments"
        return {"call_id": first.id, "name": first.name, name: first.arguments, **extra}
    if isinstance(first, Reasoning):
        whole: Json = message.extra["_whole"]
        return whole
    if isinstance(first, Image) and extra.get("type") == "image_generation_call":
        return {"result": first.source.data, **extra}
    content: Any = [own_part(block) for block in message.blocks]
    if "_list" not in message.extra and len(message.blocks) <= 1:
        content = getattr(first, "text", "")
    return {"role": message.role, "content": content, **extra}


# What is kept of answers ------------------------------------------------------------------------------------------


def input_items(request: Json) -> list[Json]:
    """The input of a request as items."""
    given = request.get("input")
    if type(given) is str:
        return [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": given}]}]
    return [item for item in given if type(item) is dict] if type(given) is list else []


def continued(request: Json, before: list[Json], previous_id: str) -> Json:
    """A request that goes on from stored items: they come before its own, and nothing else does."""
    own = {name: value for name, value in request.items() if name != "previous_response_id"}
    return {**own, "input": [*before, *input_items(request)], "_previous": previous_id}


def response_in(data: bytes) -> Json | None:
    """The response that a whole answer is, or that the last event of a stream tells; ``None`` where there is none.

    Raises:
        Unreadable: it is not JSON.
    """
    if data.startswith(b"{"):
        whole: Json = parse_fields(data).left
        return whole
    for line in reversed(data.splitlines()):
        if line.startswith(b"data:") and line != b"data: [DONE]":
            told = parse_fields(line[5:]).left.get("response")
            return told if type(told) is dict else None
    return None


def listed(items: list[Json], response_id: str) -> list[Json]:
    """Items as the list of a stored answer's input shows them: each with an id and a type."""
    shown = []
    for number, item in enumerate(items):
        kind = text_of(item, "type") or "message"
        one: Json = {"id": f"item_{response_id}_{number}", "type": kind, **item}
        if kind == "message":
            one.setdefault("status", "completed")
            if type(one.get("content")) is str:
                role = text_of(item, "role")
                part = "output_text" if role == "assistant" else "input_text"
                one["content"] = [{"type": part, "text": one["content"]}]
        shown.append(one)
    return shown


def encode(value: Any) -> bytes:
    """JSON, as it is kept."""
    return msgspec.json.encode(value)
