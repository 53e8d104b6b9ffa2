"""The texts of requests and answers, with their places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from dragoman.dialects.canonical import (
    Answer,
    Audio,
    Block,
    Citation,
    Document,
    Opaque,
    Reasoning,
    Refusal,
    Request,
    Text,
    ToolCall,
    ToolResult,
)
from dragoman.guardrails.verdict import Passage

if TYPE_CHECKING:
    from dragoman.config.guards import Place
    from dragoman.dialects.tasks.task import Embed, Rank

# Strings this deep in a structure are looked at; nothing that is read here is deeper.
DEPTH = 128


def of_request(request: Request) -> list[Passage]:
    """All that a request says."""
    found: list[Passage] = []
    for message in request.messages:
        for block in message.blocks:
            found += _of_block(block, "input", message.role)
    for tool in request.tools:
        texts = [tool.name, tool.description, *strings(tool.parameters)]
        found += [Passage("input", text, "tools") for text in texts if text]
    return found


def of_task(asked: Embed | Rank) -> list[Passage]:
    """The texts of which vectors or a ranking are wanted."""
    return [Passage("input", text) for text in asked.texts]


def of_body(body: bytes) -> list[Passage]:
    """All strings of a body that nobody here knows more of."""
    try:
        return [Passage("input", text) for text in strings(msgspec.json.decode(body)) if text]
    except (msgspec.DecodeError, RecursionError):
        return []


def of_text(body: bytes) -> list[Passage] | None:
    """All strings of an answer that nobody here knows more of: JSON, lines and events of it, any text; ``None``: it is
    none."""
    found = of_body(body)
    if found or not body:
        return found
    try:
        lines = body.decode().splitlines()
    except UnicodeDecodeError:
        return None
    whole = Passage("output", "\n".join(lines))
    return [whole, *(told for line in lines for told in of_body(line.removeprefix("data:").encode()))]


def of_answer(answer: Answer) -> list[Passage]:
    """All that an answer says."""
    return [
        replace(passage, choice=choice.index) if choice.index else passage
        for choice in answer.choices
        for block in choice.blocks
        for passage in _of_block(block, "output", "assistant")
    ]


def said_by(answer: Answer) -> str:
    """The words of the first answer alone."""
    return "".join(block.text for block in answer.choices[0].blocks if type(block) is Text)


def _of_block(block: Block, place: Place, role: str) -> Iterable[Passage]:
    match block:
        case Text(text=text, citations=cited):
            said = [Passage(place, text, role)] if text else []
            return said + [Passage(place, told, role, aside=True) for one in cited for told in of_citation(one)]
        case Reasoning(text=text):
            return [Passage(place, text, role, aside=True)] if text else []
        case Refusal(text=text) | Audio(transcript=text):
            return [Passage(place, text, role)] if text else []
        case ToolCall():
            return [Passage("tool_arguments", text, role) for text in (block.name, block.arguments) if text]
        case ToolResult():
            return [
                Passage("tool_results", inner.text, "tool")
                for part in block.content
                for inner in _of_block(part, place, role)
            ]
        case Document():
            texts = (block.name, block.context, block.source.text or "")
            return [Passage(place, text, role) for text in texts if text]
        case Opaque():
            return [Passage(place, text, role, aside=True) for text in strings(block.raw) if text]
        case _:
            return []


def of_citation(cited: Citation) -> list[str]:
    """All that a citation says."""
    return [text for text in (cited.url, cited.title, cited.cited_text, *strings(cited.extra)) if text]


def strings(value: Any, depth: int = DEPTH) -> Iterator[str]:
    """All strings in a structure, keys included."""
    if isinstance(value, str):
        yield value
    elif depth and isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from strings(inner, depth - 1)
    elif depth and isinstance(value, list | tuple):
        for inner in value:
            yield from strings(inner, depth - 1)
