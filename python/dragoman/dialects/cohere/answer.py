"""Whole answers."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from dragoman.dialects.canonical import Answer, Audio, Block, Choice, Image, Json, Reasoning, Refusal, Text, ToolCall
from dragoman.dialects.cohere.content import NAME, PLAN, read_assistant, write_assistant, write_citation
from dragoman.dialects.cohere.stops import read_stop, reason_of
from dragoman.dialects.cohere.usage import read_usage, write_usage
from dragoman.dialects.dialect import Asked, Target
from dragoman.dialects.fields import parse_fields


def read_answer(body: bytes, target: Target) -> Answer:
    """The answer that a provider gave. It says no model."""
    fields = parse_fields(body)
    message = fields.required("message", fields.fields("message"))
    message.take("role")
    blocks = read_assistant(message)
    called = any(isinstance(block, ToolCall) for block in blocks)
    native = fields.text("finish_reason")
    choice = Choice(blocks=blocks, stop=read_stop(native, called=called), native_stop=native, extra=message.left)
    usage = read_usage(fields.take("usage"))
    answer_id = fields.text("id")
    return Answer(dialect=NAME, id=answer_id, model=target.model, choices=(choice,), usage=usage, extra=fields.left)


def write_answer(answer: Answer, asked: Asked) -> bytes:
    """The answer for a client of this dialect."""
    own = answer.dialect == NAME
    first = answer.choices[0]
    message = write_assistant(first.blocks) | first.extra if own else write_message(first)
    written: Json = {
        "id": answer.id if own and answer.id else asked.request_id,
        "message": message,
        "finish_reason": reason_of(first.stop, first.native_stop),
        **(answer.extra if own else {}),
    }
    if answer.usage is not None:
        written["usage"] = write_usage(answer.usage, own=own)
    return msgspec.json.encode(written)


def write_message(choice: Choice) -> Json:
    """The message of another dialect's answer."""
    called = any(isinstance(block, ToolCall) for block in choice.blocks)
    blocks = [told for block in choice.blocks if (told := told_here(block, called=called)) is not None]
    written = write_assistant(blocks)
    notes = [write_citation(one) for block in choice.blocks if isinstance(block, Text) for one in block.citations]
    return {**written, "citations": notes} if notes else written


def told_here(block: Block, *, called: bool) -> Block | None:
    """A block as this dialect's answers have it; ``None`` where they have none such."""
    if isinstance(block, Text | Refusal):
        return Text(text=block.text, extra={PLAN: True} if called else {}) if block.text else None
    if isinstance(block, Reasoning):
        return Reasoning(text=block.text) if block.text else None
    if isinstance(block, ToolCall):
        return replace(block, extra={})
    if isinstance(block, Audio):
        return Text(text=block.transcript) if block.transcript else None
    if isinstance(block, Image):
        source = block.source
        return Text(text=f"![image]({source.url or f'data:{source.media_type};base64,{source.data}'})")
    return None
