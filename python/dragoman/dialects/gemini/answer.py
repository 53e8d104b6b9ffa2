"""Whole answers."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from dragoman.dialects.canonical import (
    Answer,
    Audio,
    Block,
    Choice,
    Citation,
    Image,
    Json,
    Opaque,
    Text,
    ToolCall,
)
from dragoman.dialects.dialect import Asked, Target
from dragoman.dialects.fields import Fields, Unreadable, parse_fields
from dragoman.dialects.gemini.contents import own_part, signature_of
from dragoman.dialects.gemini.extras import read_citations, read_logprobs, write_citations, write_logprobs
from dragoman.dialects.gemini.parts import NAME, arguments_of, camel, read_content
from dragoman.dialects.gemini.stops import read_stop, reason_of
from dragoman.dialects.gemini.usage import read_usage, write_usage
from dragoman.dialects.lenient import count, text_of


def call_id(response_id: str, number: int) -> str:
    """An id for a call that came without one, unlike any other of its answer's and of other answers'."""
    return f"call_{response_id or 'gemini'}_{number}"


def read_answer(body: bytes, target: Target) -> Answer:
    """The answer that a provider gave."""
    fields = parse_fields(body)
    response_id = text_of(fields.left, "responseId")
    model = text_of(fields.left, "modelVersion") or target.model
    candidates = [_read_candidate(one, response_id, model) for one in fields.each("candidates")]
    if not candidates:
        candidates = [_blocked(fields.left.get("promptFeedback"))]
    return Answer(
        dialect=NAME,
        id=response_id,
        model=model,
        choices=tuple(candidates),
        usage=read_usage(fields.take("usageMetadata")),
        extra=fields.left,
    )


def _blocked(feedback: Any) -> Choice:
    """What takes the place of an answer that the provider has not let be."""
    if type(feedback) is not dict or not text_of(feedback, "blockReason"):
        raise Unreadable("The answer has no candidates.", "candidates")
    return Choice(blocks=(), stop="filter", native_stop=text_of(feedback, "blockReason"), extra={"_blocked": True})


def _read_candidate(candidate: Fields, response_id: str, model: str) -> Choice:
    raw = candidate.left.copy()
    content: Any = candidate.take("content")
    blocks = list(read_content(content, candidate.path("content"), model))
    numbered = 0
    for index, block in enumerate(blocks):
        if isinstance(block, ToolCall):
            if not block.id:
                blocks[index] = replace(block, id=call_id(response_id, numbered), extra={**block.extra, "_id": True})
            numbered += 1
    text = "".join(block.text for block in blocks if isinstance(block, Text))
    citations = read_citations(raw, text)
    last = next((at for at in range(len(blocks) - 1, -1, -1) if isinstance(blocks[at], Text)), None)
    if citations and last is not None:
        blocks[last] = replace(blocks[last], citations=citations)
    native = candidate.text("finishReason")
    extra = candidate.left
    if type(content) is dict:
        extra["_role"] = content.get("role")
    index = count(raw.get("index"))
    stop = read_stop(native, called=any(isinstance(block, ToolCall) for block in blocks))
    return Choice(
        blocks=tuple(blocks), stop=stop, native_stop=native, index=index, logprobs=read_logprobs(raw), extra=extra
    )


def write_answer(answer: Answer, asked: Asked) -> bytes:
    """The answer for a client of this dialect."""
    if answer.dialect == NAME:
        return msgspec.json.encode(_own(answer))
    written: Json = {
        "candidates": [_write_choice(choice) for choice in answer.choices],
        "modelVersion": answer.model,
        "responseId": asked.request_id,
    }
    if answer.usage is not None:
        written["usageMetadata"] = write_usage(answer.usage, own=False)
    return msgspec.json.encode(written)


def _own(answer: Answer) -> Json:
    written: Json = dict(answer.extra)
    if not answer.choices[0].extra.get("_blocked"):
        written["candidates"] = [_own_choice(choice) for choice in answer.choices]
    if answer.usage is not None:
        written["usageMetadata"] = write_usage(answer.usage, own=True)
    return written


def _own_choice(choice: Choice) -> Json:
    extra = {name: value for name, value in choice.extra.items() if not name.startswith("_")}
    parts = [own_answer_part(block) for block in choice.blocks]
    content: Json = {"role": choice.extra.get("_role") or "model", "parts": parts}
    finished = {"finishReason": choice.native_stop} if choice.native_stop else {}
    if not parts:
        content = {"role": choice.extra["_role"]} if choice.extra.get("_role") else {}
    return {"content": content, **finished, **extra}


def own_answer_part(block: Block) -> Json:
    """A part of this dialect; an id that was made up here is not told."""
    if isinstance(block, ToolCall) and "_id" in block.extra:
        block = replace(block, id="")
    return own_part(block)


def _write_choice(choice: Choice) -> Json:
    parts = [part for block in choice.blocks for part in write_part(block)]
    written: Json = {
        "content": {"role": "model", "parts": parts},
        "finishReason": reason_of(choice.stop, choice.native_stop),
        "index": choice.index,
    }
    text = "".join(block.text for block in choice.blocks if isinstance(block, Text))
    cited: list[Citation] = [one for block in choice.blocks if isinstance(block, Text) for one in block.citations]
    grounding = write_citations(text, cited)
    if grounding is not None:
        written["groundingMetadata"] = grounding
    if choice.logprobs is not None:
        written["logprobsResult"] = write_logprobs(choice.logprobs)
    return written


def write_part(block: Block) -> list[Json]:
    """A block of another dialect's answer."""
    if isinstance(block, Opaque):
        return []
    if isinstance(block, ToolCall):
        call: Json = {"functionCall": {"id": block.id, "name": block.name, "args": arguments_of(block)}}
        return [call if block.proof is None else {**call, "thoughtSignature": signature_of(block.proof)}]
    if isinstance(block, Image | Audio) and block.source.data is None:
        said = block.transcript if isinstance(block, Audio) else block.source.url or ""
        return [{"text": said}]
    part = own_part(replace(block, extra={}))
    return [camel(part)] if part.get("text") != "" or "thoughtSignature" in part else []
