"""Messages and their parts, read and written.

Text that an assistant says before it calls tools has a field of its own here, ``tool_plan``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dragoman.dialects.canonical import (
    Block,
    Citation,
    Image,
    Json,
    Message,
    Opaque,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from dragoman.dialects.fields import Fields, Unreadable
from dragoman.dialects.lenient import objects_of, text_of
from dragoman.dialects.openai_chat.content import source_of_url, url_of_source

NAME = "cohere"
ROLES = {"user", "assistant", "system", "tool"}
# How a block says that it is the plan, or that its content was a string.
PLAN, WHOLE = "_plan", "_string"


def read_message(message: Fields) -> Message:
    """One message."""
    role = message.required("role", message.maybe_text("role"))
    if role not in ROLES:
        raise message.unknown("role", role)
    if role == "tool":
        call_id = message.text("tool_call_id")
        content = read_content(message.take("content"), message.path("content"))
        result = ToolResult(call_id=call_id, content=content)
        return Message(role="tool", blocks=(result,), extra=message.left)
    if role == "assistant":
        return Message(role="assistant", blocks=read_assistant(message), extra=message.left)
    blocks = read_content(message.take("content"), message.path("content"))
    return Message(role="user" if role == "user" else "system", blocks=blocks, extra=message.left)


def read_assistant(message: Fields) -> tuple[Block, ...]:
    """What an assistant says: thoughts and text, the plan, the calls."""
    blocks = list(read_content(message.take("content"), message.path("content")))
    notes = [read_citation(note) for note in objects_of(message.left, "citations")]
    if notes:
        blocks = _cited(blocks, notes)
    if plan := message.maybe_text("tool_plan"):
        blocks.append(Text(text=plan, extra={PLAN: True}))
    blocks += [_read_call(call) for call in message.each("tool_calls")]
    return tuple(blocks)


def _cited(blocks: list[Block], notes: list[Citation]) -> list[Block]:
    """The blocks, with the citations at the last text, as they count in all of it."""
    last = next((at for at in range(len(blocks) - 1, -1, -1) if isinstance(blocks[at], Text)), None)
    if last is None:
        return blocks
    text = blocks[last]
    assert isinstance(text, Text)  # noqa: S101 - for the type checker
    blocks[last] = Text(text=text.text, citations=tuple(notes), extra=text.extra)
    return blocks


def read_citation(note: Json) -> Citation:
    """A citation; its sources are tools' results and documents, of which some name a URL."""
    start, end = note.get("start"), note.get("end")
    documents = [one.get("document") for one in objects_of(note, "sources")]
    page = next((one for one in documents if type(one) is dict and text_of(one, "url")), {})
    return Citation(
        url=text_of(page, "url"),
        title=text_of(page, "title"),
        cited_text=text_of(note, "text"),
        start=start if type(start) is int else None,
        end=end if type(end) is int else None,
        extra=note,
    )


def _read_call(call: Fields) -> ToolCall:
    function = call.fields("function") or Fields({})
    return ToolCall(
        id=call.text("id"), name=function.text("name"), arguments=function.text("arguments") or "{}", extra=call.left
    )


def read_content(content: Any, at: str) -> tuple[Block, ...]:
    """Content of any message."""
    if content is None:
        return ()
    if type(content) is str:
        return (Text(text=content, extra={WHOLE: True}),)
    if type(content) is not list:
        raise Unreadable(f"The field {at} is neither a string nor a list.", at)
    return tuple(read_part(Fields(part, f"{at}[{index}]")) for index, part in enumerate(content))


def read_part(part: Fields) -> Block:
    """One part."""
    raw = part.left.copy()
    kind = part.text("type", "text")
    if kind == "text":
        return Text(text=part.text("text"), extra=part.left)
    if kind == "thinking":
        return Reasoning(text=part.text("thinking"), extra=part.left)
    if kind == "image_url":
        image = part.required("image_url", part.fields("image_url"))
        url = image.required("url", image.maybe_text("url"))
        return Image(source=source_of_url(url), detail=image.text("detail"), extra=part.left)
    return Opaque(dialect=NAME, type=kind, raw=raw)


# Writing ----------------------------------------------------------------------------------------------------------


def own_message(message: Message) -> Json:
    """A message of this dialect, as it was."""
    first = message.blocks[0] if message.blocks else None
    if isinstance(first, ToolResult):
        told: Json = {"role": "tool", "tool_call_id": first.call_id, "content": write_content(first.content)}
        return {**told, **message.extra}
    if message.role == "assistant":
        return {**write_assistant(message.blocks), **message.extra}
    return {"role": message.role, "content": write_content(message.blocks), **message.extra}


def write_assistant(blocks: Iterable[Block]) -> Json:
    """What an assistant has said. Text beside calls is its plan."""
    kept = list(blocks)
    calls = [block for block in kept if isinstance(block, ToolCall)]
    plans = [block for block in kept if isinstance(block, Text) and PLAN in block.extra]
    said = [block for block in kept if not isinstance(block, ToolCall) and block not in plans]
    written: Json = {"role": "assistant"}
    if said:
        written["content"] = write_content(said)
    if plans:
        written["tool_plan"] = "".join(block.text for block in plans)
    if calls:
        written["tool_calls"] = [write_call(call) for call in calls]
    return written


def write_call(call: ToolCall) -> Json:
    """A call."""
    function = {"name": call.name, "arguments": call.arguments or "{}"}
    return {"id": call.id, "type": "function", "function": function}


def write_content(blocks: Iterable[Block]) -> Any:
    """Parts, or the string that they were."""
    kept = list(blocks)
    only = kept[0] if len(kept) == 1 else None
    if isinstance(only, Text) and WHOLE in only.extra:
        return only.text
    return [part for block in kept if (part := write_part(block)) is not None]


def write_part(block: Block) -> Json | None:
    """A part; ``None`` where the dialect has no word for it."""
    extra: Json = {name: value for name, value in getattr(block, "extra", {}).items() if not name.startswith("_")}
    if isinstance(block, Text | Refusal):
        return {"type": "text", "text": block.text, **extra}
    if isinstance(block, Reasoning):
        return {"type": "thinking", "thinking": block.text, **extra}
    if isinstance(block, Image):
        url = url_of_source(block.source, "image/png")
        told = {"url": url, **({"detail": block.detail} if block.detail else {})}
        return None if url is None else {"type": "image_url", "image_url": told, **extra}
    return block.raw if isinstance(block, Opaque) and block.dialect == NAME else None


def write_citation(citation: Citation) -> Json:
    """A citation."""
    if "sources" in citation.extra:
        return citation.extra
    document = {"url": citation.url, "title": citation.title}
    source: Json = {"type": "document", "id": citation.url, "document": document}
    return {
        "start": citation.start or 0,
        "end": citation.end or 0,
        "text": citation.cited_text,
        "sources": [source],
        "type": "TEXT_CONTENT",
    }
