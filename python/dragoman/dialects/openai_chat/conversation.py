"""Writes the messages of a chat request.

From a dialect whose turns hold several kinds of block, one turn becomes several messages: results of tools first, each
a message of its own, because every call must be answered before anybody else speaks; then what of the results is no
text, and then the user's own words.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from dragoman.dialects.canonical import (
    Audio,
    Block,
    Image,
    Json,
    Message,
    Opaque,
    Reasoning,
    Refusal,
    Request,
    Text,
    ToolCall,
    ToolResult,
)
from dragoman.dialects.continuity import readable
from dragoman.dialects.dialect import Target
from dragoman.dialects.ids import fitted_id
from dragoman.dialects.losses import Losses
from dragoman.dialects.openai_chat.content import NAME, write_part
from dragoman.dialects.openai_chat.message import REASONING_FIELDS, detail_of, write_annotation, write_call
from dragoman.dialects.openai_chat.models import CACHE_CONTROL, OPENAI_HOSTS, REASONING_BACK, thinks
from dragoman.dialects.turns import with_ids
from dragoman.dialects.undo import as_function

# OpenAI takes no longer ids.
ID_CHARS = 40
EMPTY = "(empty)"


def write_messages(request: Request, target: Target, losses: Losses, names: dict[str, str]) -> list[Json]:
    """The messages; ``names``: what renamed tools are called."""
    if request.dialect == NAME:
        return [_own(message) for message in request.messages]
    written: list[Json] = []
    for index, message in enumerate(with_ids(request.messages)):
        at = f"messages[{index}]"
        if message.role == "assistant":
            _add_assistant(written, message, _Way(request, target, losses, names, at))
        elif message.role in ("system", "developer"):
            _add_instructions(written, message, target, losses, at)
        else:
            _add_user(written, message, target, losses, at)
    return written


class _Way:
    """What the writing of an assistant's message needs beside it."""

    def __init__(self, request: Request, target: Target, losses: Losses, names: dict[str, str], at: str) -> None:
        self.target = target
        self.losses = losses
        self.names = names
        self.at = at
        first_party = target.provider in OPENAI_HOSTS
        self.custom = frozenset() if first_party else {tool.name for tool in request.tools if tool.kind == "custom"}


def _own(message: Message) -> Json:
    """A message of this dialect, as it was."""
    named = {"name": message.name} if message.name else {}
    none = Losses()
    if message.role == "tool":
        result = message.blocks[0]
        assert isinstance(result, ToolResult)  # noqa: S101 - the reader makes no other
        said = {"content": _content(result.content, none, own=True)}
        if message.extra.get("role") == "function":
            return {**message.extra, **named, **said}
        return {"role": "tool", "tool_call_id": result.call_id, **named, **said, **message.extra}
    if message.role != "assistant":
        return {"role": message.role, **named, "content": _content(message.blocks, none, own=True), **message.extra}
    return {"role": "assistant", **named, **_own_assistant(message)}


def _own_assistant(message: Message) -> Json:
    written: Json = {}
    said = [block for block in message.blocks if not isinstance(block, Reasoning | ToolCall | Audio)]
    shown = [block for block in said if not isinstance(block, Image)]
    written["content"] = _content(shown, Losses(), own=True) if shown else None
    for block in message.blocks:
        if isinstance(block, Refusal) and not block.extra and written["content"] == block.text:
            written |= {"content": None, "refusal": block.text}
        if isinstance(block, Text) and block.citations:
            notes = [citation.extra if not citation.url else write_annotation(citation) for citation in block.citations]
            written["annotations"] = notes
        if isinstance(block, Audio):
            written["audio"] = {"id": block.id, **block.extra}
    calls = [block for block in message.blocks if isinstance(block, ToolCall)]
    if calls and calls[-1].extra.get("function_call"):
        written["function_call"] = {"name": calls[-1].name, "arguments": calls[-1].arguments}
    elif calls:
        written["tool_calls"] = [write_call(call, own=True) for call in calls]
    return {**written, **message.extra}


def _content(blocks: Sequence[Block], losses: Losses, *, own: bool, at: str = "") -> str | list[Json]:
    """Blocks as content: a string where they are text and nothing else."""
    if len(blocks) == 1 and type(blocks[0]) in (Text, Refusal) and not (own and blocks[0].extra):  # type: ignore[union-attr]
        return blocks[0].text  # type: ignore[union-attr]
    if not blocks:
        return ""
    return [
        part
        for index, block in enumerate(blocks)
        for part in write_part(block, f"{at}.content[{index}]", losses, own=own)
    ]


def _add_instructions(written: list[Json], message: Message, target: Target, losses: Losses, at: str) -> None:
    developer = message.role == "developer" and target.provider in OPENAI_HOSTS and thinks(target.model)
    blocks = [block for block in message.blocks if not (isinstance(block, Text) and not block.text)]
    if blocks:
        content = _marked(blocks, target, losses, at)
        written.append({"role": "developer" if developer else "system", "content": content})


def _add_user(written: list[Json], message: Message, target: Target, losses: Losses, at: str) -> None:
    """Results, then what of them is no text, then the user's words."""
    beside: list[Block] = []
    said: list[Block] = []
    for block in message.blocks:
        if isinstance(block, ToolResult):
            texts = [part for part in block.content if isinstance(part, Text)]
            beside += [part for part in block.content if not isinstance(part, Text)]
            text = "\n".join(part.text for part in texts)
            if block.is_error:
                text = f"Error: {text}" if text else "Error"
            content = text or (EMPTY if not beside else "(see below)")
            written.append({"role": "tool", "tool_call_id": fitted_id(block.call_id, ID_CHARS), "content": content})
        elif not (isinstance(block, Text) and not block.text):
            said.append(block)
    blocks = [*beside, *said]
    if beside:
        losses.approximate(f"{at}.tool_result", "what is no text follows as the user's")
    if blocks:
        named = {"name": message.name} if message.name else {}
        written.append({"role": "user", **named, "content": _marked(blocks, target, losses, at)})


def _marked(blocks: list[Block], target: Target, losses: Losses, at: str) -> str | list[Json]:
    """Content with its marks for the prompt cache, where the target knows them."""
    if all(getattr(block, "cache", None) is None for block in blocks):
        return _content(blocks, losses, own=False, at=at)
    if target.provider not in CACHE_CONTROL:
        losses.drop("cache_control", "the provider caches by itself")
        return _content(blocks, losses, own=False, at=at)
    parts: list[Json] = []
    for index, block in enumerate(blocks):
        new = write_part(block, f"{at}.content[{index}]", losses, own=False)
        mark = getattr(block, "cache", None)
        if new and mark is not None:
            new[-1]["cache_control"] = {"type": "ephemeral", **({"ttl": mark} if mark else {})}
        parts += new
    return parts


def _add_assistant(written: list[Json], message: Message, way: _Way) -> None:
    """A turn of the model's: joined to the one before, where another dialect had cut it."""
    said: list[Block] = []
    thoughts: list[Reasoning] = []
    calls: list[Json] = []
    for index, block in enumerate(message.blocks):
        if isinstance(block, Reasoning):
            thoughts.append(block)
        elif isinstance(block, ToolCall):
            calls.append(_call(block, way))
        elif isinstance(block, Text | Refusal):
            said.append(block)
        else:
            what = block.type if isinstance(block, Opaque) else type(block).__name__
            way.losses.drop(f"{way.at}.content[{index}]", f"a block of type {what} in an answer")
    text = "".join(block.text for block in said if isinstance(block, Text | Refusal))
    last = written[-1] if written and written[-1]["role"] == "assistant" else None
    if last is None:
        if not (text or calls or thoughts):
            return
        last = {"role": "assistant", "content": None}
        written.append(last)
    if text:
        last["content"] = (last["content"] or "") + text
    if calls:
        last["tool_calls"] = last.get("tool_calls", []) + calls
    _think(last, thoughts, way)
    if last["content"] is None and "tool_calls" not in last:
        last["content"] = ""


def _call(block: ToolCall, way: _Way) -> Json:
    proof = readable(block.proof, way.target.family, way.target.model)
    call = replace(block, id=fitted_id(block.id, ID_CHARS), name=way.names.get(block.name, block.name), proof=proof)
    if block.name in way.custom:
        call = replace(call, kind="function", arguments=as_function(block.arguments))
    return write_call(call, own=False)


def _think(last: Json, thoughts: list[Reasoning], way: _Way) -> None:
    """The reasoning, for hosts whose models go on from it; others do not want it."""
    field = REASONING_BACK.get(way.target.provider)
    if not thoughts:
        # DeepSeek refuses a turn with calls whose reasoning is gone; an empty one passes.
        if field == "reasoning_content" and "tool_calls" in last:
            last.setdefault(field, "")
        return
    if field is None:
        way.losses.drop("reasoning", "earlier reasoning is not sent back")
    elif field == "reasoning_details":
        details = last.setdefault(field, [])
        for block in thoughts:
            kept = replace(block, proof=readable(block.proof, way.target.family, way.target.model))
            details += detail_of(kept, len(details))
    else:
        last[field] = last.get(field, "") + "".join(block.text for block in thoughts)


__all__ = ["EMPTY", "REASONING_FIELDS", "write_messages"]
