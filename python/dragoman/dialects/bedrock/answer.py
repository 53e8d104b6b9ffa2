"""Whole answers."""

from __future__ import annotations

import msgspec

from dragoman.dialects.bedrock.blocks import (
    NAME,
    input_of,
    own_block,
    read_blocks,
    write_citation,
    write_media,
    write_reasoning,
)
from dragoman.dialects.bedrock.stops import STOPS, reason_of
from dragoman.dialects.bedrock.usage import read_usage, write_usage
from dragoman.dialects.canonical import (
    Answer,
    Audio,
    Block,
    Choice,
    Image,
    Json,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    Usage,
)
from dragoman.dialects.continuity import seal
from dragoman.dialects.dialect import Asked, Target
from dragoman.dialects.fields import parse_fields
from dragoman.dialects.ids import fitted_id


def read_answer(body: bytes, target: Target) -> Answer:
    """The answer that a provider gave. It says neither an id nor a model."""
    fields = parse_fields(body)
    output = fields.required("output", fields.fields("output"))
    message = output.required("message", output.fields("message"))
    blocks = read_blocks(message.take("content"), message.path("content"), target.model)
    native = fields.text("stopReason")
    choice = Choice(blocks=blocks, stop=STOPS.get(native, "stop"), native_stop=native)
    usage = read_usage(fields.take("usage"))
    return Answer(dialect=NAME, id="", model=target.model, choices=(choice,), usage=usage, extra=fields.left)


def write_answer(answer: Answer, asked: Asked) -> bytes:
    """The answer for a client of this dialect."""
    del asked  # the request's id is a header
    own = answer.dialect == NAME
    first = answer.choices[0]
    content = [own_block(block) for block in first.blocks]
    if not own:
        content = [written for block in first.blocks for written in write_block(block)]
    written: Json = {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": reason_of(first.stop, first.native_stop),
        "metrics": {"latencyMs": 0},
        **(answer.extra if own else {}),
    }
    if answer.usage is not None or not own:  # the SDKs' users count on it
        written["usage"] = write_usage(answer.usage or Usage(), own=own)
    return msgspec.json.encode(written)


def write_block(block: Block) -> list[Json]:
    """A block of another dialect's answer."""
    if isinstance(block, Text | Refusal):
        if isinstance(block, Text) and block.citations:
            citations = [write_citation(citation) for citation in block.citations if citation.url]
            return [{"citationsContent": {"content": [{"text": block.text}], "citations": citations}}]
        return [{"text": block.text}] if block.text else []
    if isinstance(block, ToolCall):
        call = {"toolUse": {"toolUseId": fitted_id(block.id), "name": block.name, "input": input_of(block)}}
        return [call] if block.proof is None else [sealed_thought(block), call]
    if isinstance(block, Reasoning):
        return [write_reasoning(block)]
    if isinstance(block, Image):
        return [written] if (written := write_media("image", block)) else [{"text": block.source.url or "(image)"}]
    if isinstance(block, Audio):
        return [{"text": block.transcript or "(audio)"}]
    return []


def sealed_thought(call: ToolCall) -> Json:
    """What proves a call, as a thought before it: clients send thoughts back as they were."""
    signature = ""
    if call.proof is not None:
        signature = seal(msgspec.structs.replace(call.proof, call_id=fitted_id(call.id)))
    return {"reasoningContent": {"reasoningText": {"text": "", "signature": signature}}}
