"""Whole answers."""

from __future__ import annotations

from typing import Any

import msgspec

from dragoman.dialects.canonical import (
    Answer,
    Audio,
    Choice,
    Image,
    Json,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
)
from dragoman.dialects.dialect import Asked, Target
from dragoman.dialects.fields import Fields, Unreadable, one_by_one, parse_fields
from dragoman.dialects.lenient import count, text_of
from dragoman.dialects.openai_chat.content import NAME
from dragoman.dialects.openai_chat.message import (
    detail_of,
    detail_of_call,
    read_assistant,
    write_annotation,
    write_call,
    write_image,
)
from dragoman.dialects.openai_chat.stops import REASONS, read_stop
from dragoman.dialects.openai_chat.usage import read_usage, write_usage


def read_answer(body: bytes, target: Target) -> Answer:
    """The answer that a provider gave."""
    del target
    fields = parse_fields(body)
    choices = one_by_one(fields.items("choices"), _read_choice, "choices")
    if not choices:
        raise Unreadable("The answer has no choices.", "choices")
    return Answer(
        dialect=NAME,
        id=fields.text("id"),
        model=fields.text("model"),
        created_s=count(fields.take("created")),
        choices=choices,
        usage=read_usage(fields.take("usage")),
        service_tier=fields.text("service_tier"),
        extra=fields.left,
    )


def _read_choice(choice: Fields) -> Choice:
    message = choice.required("message", choice.fields("message"))
    message.take("role")
    blocks = read_assistant(message)
    reason = choice.text("finish_reason")
    native = text_of(choice.left, "native_finish_reason") or reason
    extra = choice.left
    extra["finish_reason"] = reason
    index = count(choice.take("index"))
    logprobs = choice.mapping("logprobs")
    if message.left:
        extra["message"] = message.left
    called = any(isinstance(block, ToolCall) for block in blocks)
    stop = read_stop(reason, called=called)
    return Choice(blocks=blocks, stop=stop, native_stop=native, index=index, logprobs=logprobs, extra=extra)


def write_answer(answer: Answer, asked: Asked) -> bytes:
    """The answer for a client of this dialect."""
    own = answer.dialect == NAME
    written: Json = {
        "id": answer.id if own and answer.id else f"chatcmpl-{asked.request_id}",
        "object": "chat.completion",
        "created": answer.created_s or asked.created_s,
        "model": answer.model,
        "choices": [_write_choice(choice, own=own) for choice in answer.choices],
    }
    if answer.usage is not None:
        written["usage"] = write_usage(answer.usage, own=own)
    if answer.service_tier:
        written["service_tier"] = answer.service_tier
    if own:
        written |= {name: value for name, value in answer.extra.items() if name not in written}
    return msgspec.json.encode(written)


def _write_choice(choice: Choice, *, own: bool) -> Json:
    extra: Json = choice.extra if own else {}
    stop = choice.stop or "stop"
    written: Json = {
        "index": choice.index,
        "message": {**write_message(choice, own=own), **extra.get("message", {})},
        "finish_reason": REASONS[stop],
        "logprobs": choice.logprobs,
        **{name: value for name, value in extra.items() if name != "message"},
    }
    if choice.native_stop and choice.native_stop != written["finish_reason"] and not own:
        written["native_finish_reason"] = choice.native_stop
    if choice.stop_sequence is not None:
        written["stop_sequence"] = choice.stop_sequence
    return written


def write_message(choice: Choice, *, own: bool) -> Json:
    """The message of a choice."""
    message: Json = {"role": "assistant", "content": None, "refusal": None}
    texts = [block for block in choice.blocks if isinstance(block, Text)]
    if texts:
        message["content"] = "".join(block.text for block in texts)
    notes = _annotations(texts, own=own)
    if notes:
        message["annotations"] = notes
    refusals = [block.text for block in choice.blocks if isinstance(block, Refusal)]
    if refusals:
        message["refusal"] = "".join(refusals)
    for block in choice.blocks:
        if isinstance(block, Audio):
            message["audio"] = _write_audio(block)
    images = [image for block in choice.blocks if isinstance(block, Image) and (image := write_image(block))]
    if images:
        message["images"] = images
    calls = [block for block in choice.blocks if isinstance(block, ToolCall)]
    if own and calls and calls[-1].extra.get("function_call"):
        message["function_call"] = {"name": calls[-1].name, "arguments": calls[-1].arguments}
    elif calls:
        message["tool_calls"] = [write_call(call, own=own) for call in calls]
    if not own:
        message |= write_reasoning([block for block in choice.blocks if isinstance(block, Reasoning | ToolCall)])
    return message


def _annotations(texts: list[Text], *, own: bool) -> list[Any]:
    """The citations of all texts, counted in what they are joined to; of other dialects those of pages alone."""
    notes = []
    offset = 0
    for block in texts:
        for citation in block.citations:
            note = write_annotation(citation) or (citation.extra if own else {})
            if offset and "url_citation" in note:
                note["url_citation"]["start_index"] += offset
                note["url_citation"]["end_index"] += offset
            if note:
                notes.append(note)
        offset += len(block.text)
    return notes


def _write_audio(block: Audio) -> Json:
    return {
        "id": block.id,
        "data": block.source.data or "",
        "transcript": block.transcript,
        "expires_at": 0,
        **block.extra,
    }


def write_reasoning(blocks: list[Reasoning | ToolCall]) -> Json:
    """The fields of a message's reasoning: its text, and the entries that a client sends back."""
    details: list[Json] = []
    text = ""
    for block in blocks:
        if isinstance(block, Reasoning):
            details += detail_of(block, len(details))
            text += block.text
        elif block.proof is not None:
            details.append(detail_of_call(block.id, block.proof, len(details)))
    written: Json = {}
    if text:
        written["reasoning_content"] = text
    if details:
        written["reasoning_details"] = details
    return written
