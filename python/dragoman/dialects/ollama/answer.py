"""Whole answers."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from dragoman.dialects.canonical import Answer, Audio, Block, Choice, Image, Reasoning, Refusal, Text, ToolCall
from dragoman.dialects.dialect import Asked, Target
from dragoman.dialects.fields import parse_fields
from dragoman.dialects.ollama.content import NAME, read_blocks, write_message
from dragoman.dialects.ollama.counts import last_line, moment, read_counts, read_stop


def read_answer(body: bytes, target: Target) -> Answer:
    """The answer that a provider gave. Calls get ids by their order where they have none."""
    fields = parse_fields(body)
    message = fields.required("message", fields.fields("message"))
    model, created = fields.text("model"), fields.text("created_at")
    message.take("role")
    blocks = numbered(read_blocks(message), created)
    called = any(isinstance(block, ToolCall) for block in blocks)
    stop = read_stop(fields.left, called=called)
    usage = read_counts(fields.left)
    choice = Choice(blocks=tuple(blocks), stop=stop, native_stop=fields.text("done_reason"), extra=message.left)
    extra = fields.left | {"created_at": created, "done_reason": choice.native_stop}
    return Answer(dialect=NAME, id="", model=model or target.model, choices=(choice,), usage=usage, extra=extra)


def numbered(blocks: list[Block], answer: str, first: int = 0) -> list[Block]:
    """The blocks, with an id at each call: of the answer's time and the call's number."""
    number, given = first, []
    for block in blocks:
        if isinstance(block, ToolCall) and not block.id:
            block = replace(block, id=call_id(answer, number))
            number += 1
        given.append(block)
    return given


def call_id(answer: str, number: int) -> str:
    """An id for a call that has none."""
    digits = "".join(character for character in answer if character.isalnum())[:40]
    return f"call_{digits}_{number}"


def write_answer(answer: Answer, asked: Asked) -> bytes:
    """The answer for a client of this dialect."""
    first, own = answer.choices[0], answer.dialect == NAME
    blocks = [told for block in first.blocks if (told := told_here(block)) is not None]
    message = write_message("assistant", blocks) | (first.extra if own else {})
    about = {"model": answer.model or asked.request.model, "created_at": moment(asked.created_s), "message": message}
    return msgspec.json.encode(about | last_line(first.stop, answer.usage, answer.extra if own else None))


def told_here(block: Block) -> Block | None:
    """A block as this dialect's answers have it; ``None`` where they have none such."""
    if isinstance(block, Text | Refusal):
        return Text(text=block.text)
    if isinstance(block, Reasoning):
        return Reasoning(text=block.text) if block.text else None
    if isinstance(block, Audio):
        return Text(text=block.transcript) if block.transcript else None
    if isinstance(block, Image) and not block.source.data:
        return Text(text=f"![image]({block.source.url})")
    return block if isinstance(block, ToolCall | Image) else None
