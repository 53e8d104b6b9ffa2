"""Whole answers."""

from __future__ import annotations

import msgspec

from dragoman.dialects.anthropic.blocks import NAME, input_of, read_content, write_citation
from dragoman.dialects.anthropic.conversation import own_block, own_reasoning
from dragoman.dialects.anthropic.stops import STOPS, reason_of
from dragoman.dialects.anthropic.usage import read_usage, write_usage
from dragoman.dialects.canonical import (
    Answer,
    Audio,
    Block,
    Choice,
    Image,
    Json,
    Reasoning,
    Refusal,
    Request,
    Text,
    ToolCall,
)
from dragoman.dialects.continuity import seal
from dragoman.dialects.dialect import Asked, Target
from dragoman.dialects.fields import parse_fields
from dragoman.dialects.ids import fitted_id


def read_answer(body: bytes, target: Target) -> Answer:
    """The answer that a provider gave."""
    fields = parse_fields(body)
    model = fields.text("model") or target.model
    blocks = read_content(fields.required("content", fields.take("content")), "content", model)
    native = fields.text("stop_reason")
    return Answer(
        dialect=NAME,
        id=fields.text("id"),
        model=model,
        choices=(
            Choice(
                blocks=blocks,
                stop=STOPS.get(native, "stop"),
                native_stop=native,
                stop_sequence=fields.maybe_text("stop_sequence"),
            ),
        ),
        usage=read_usage(fields.take("usage")),
        extra=fields.left,
    )


def thinks(request: Request) -> bool:
    """Whether the client has asked for thoughts, and so can be given blocks of them."""
    thinking = request.thinking
    return thinking is not None and not thinking.extra.get("_effort") and thinking.effort != "none"


def write_answer(answer: Answer, asked: Asked) -> bytes:
    """The answer for a client of this dialect."""
    own = answer.dialect == NAME
    first = answer.choices[0]
    if own:
        content = [written for block in first.blocks for written in own_block(block)]
    else:
        shows = thinks(asked.request)
        content = [written for block in first.blocks for written in write_block(block, shows=shows)]
    written: Json = {
        "id": answer.id if own and answer.id else f"msg_{asked.request_id}",
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": content,
        "stop_reason": reason_of(first.stop, first.native_stop, first.stop_sequence),
        "stop_sequence": first.stop_sequence,
        "usage": {"input_tokens": 0, "output_tokens": 0}
        if answer.usage is None
        else write_usage(answer.usage, own=own),
    }
    if own:
        written |= {name: value for name, value in answer.extra.items() if name not in written}
    return msgspec.json.encode(written)


def write_block(block: Block, *, shows: bool) -> list[Json]:
    """A block of another dialect's answer. ``shows``: the client knows what to do with thoughts."""
    if isinstance(block, Text):
        citations = [one for citation in block.citations if (one := write_citation(citation, own=False))]
        text: Json = {"type": "text", "text": block.text}
        return [{**text, "citations": citations} if citations else text] if block.text else []
    if isinstance(block, Refusal):
        return [{"type": "text", "text": block.text}]
    if isinstance(block, ToolCall):
        call: Json = {"type": "tool_use", "id": fitted_id(block.id), "name": block.name, "input": input_of(block)}
        if block.proof is None or not shows:
            return [call]
        return [sealed_thought(block), call]
    if isinstance(block, Reasoning):
        return [own_reasoning(block)] if shows else []
    return [{"type": "text", "text": said}] if (said := text_for(block)) else []


def sealed_thought(call: ToolCall) -> Json:
    """What proves a call, as a thought before it: clients send thoughts back as they were."""
    proof = call.proof
    if proof is None:
        return {"type": "thinking", "thinking": "", "signature": ""}
    bound = msgspec.structs.replace(proof, call_id=fitted_id(call.id))
    return {"type": "thinking", "thinking": "", "signature": seal(bound)}


def text_for(block: Block) -> str:
    """What is said where the dialect's answers have no such block; empty: nothing, of what is another's own."""
    if isinstance(block, Image):
        source = block.source
        return f"![image]({source.url or f'data:{source.media_type};base64,{source.data}'})"
    if isinstance(block, Audio):
        return block.transcript or "(audio)"
    return ""
