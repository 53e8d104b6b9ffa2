"""Whole answers."""

from __future__ import annotations

from typing import Any

import msgspec

from dragoman.dialects.canonical import (
    Answer,
    Audio,
    Block,
    Choice,
    Image,
    Json,
    Opaque,
    Reasoning,
    Refusal,
    Request,
    Stop,
    Text,
    ToolCall,
)
from dragoman.dialects.continuity import seal
from dragoman.dialects.dialect import Asked, Target
from dragoman.dialects.fields import Fields, parse_fields
from dragoman.dialects.lenient import count, text_of
from dragoman.dialects.openai_chat.content import url_of_source
from dragoman.dialects.openai_responses.content import NAME, write_annotation
from dragoman.dialects.openai_responses.items import own_item, read_item
from dragoman.dialects.openai_responses.usage import read_usage, write_usage

INCOMPLETE: dict[str, Stop] = {"max_output_tokens": "length", "content_filter": "filter"}

# Of the tiers that hosts tell, those that the SDK knows.
TIERS = frozenset({"auto", "default", "flex", "scale", "priority"})


def stop_of(response: Json, *, called: bool) -> tuple[Stop | None, str]:
    """Why a response ended, and the provider's word for it."""
    status = text_of(response, "status")
    if status == "incomplete":
        details: Any = response.get("incomplete_details")
        reason = text_of(details, "reason") if type(details) is dict else ""
        return INCOMPLETE.get(reason, "length"), reason or status
    if status in ("failed", "cancelled"):
        return "error", status
    if status in ("queued", "in_progress"):  # made in the background; its usage comes with it
        return None, status
    return ("tool_calls" if called else "stop"), status


def read_answer(body: bytes, target: Target) -> Answer:
    """The answer that a provider gave. One that has failed stops with ``error``."""
    fields = parse_fields(body)
    model = text_of(fields.left, "model") or target.model
    blocks = read_output(fields, model)
    called = any(isinstance(block, ToolCall) for block in blocks)
    stop, native = stop_of(fields.left, called=called)
    return Answer(
        dialect=NAME,
        id=text_of(fields.left, "id"),
        model=model,
        created_s=count(fields.left.get("created_at")),
        choices=(Choice(blocks=blocks, stop=stop, native_stop=native),),
        usage=read_usage(fields.left.get("usage")),
        service_tier=text_of(fields.left, "service_tier"),
        extra=fields.left,
    )


def read_output(fields: Fields, model: str) -> tuple[Block, ...]:
    """The blocks of all items of the output. The output remains: it is what goes back to this dialect."""
    output = fields.left.get("output")
    blocks: list[Block] = []
    for item in fields.each("output"):
        blocks += read_item(item, model).blocks
    if output is not None:
        fields.left["output"] = output
    return tuple(blocks)


def write_answer(answer: Answer, asked: Asked) -> bytes:
    """The answer for a client of this dialect."""
    if answer.dialect == NAME:
        return msgspec.json.encode(answer.extra)
    first = answer.choices[0]
    items = Items(asked)
    for block in first.blocks:
        items.add(block)
    response = response_of(asked, answer.model, answer.created_s)
    response["output"] = items.written
    end(response, first.stop or "stop")
    if answer.usage is not None:
        response["usage"] = write_usage(answer.usage, own=False)
    if answer.service_tier in TIERS:
        response["service_tier"] = answer.service_tier
    return msgspec.json.encode(response)


def response_of(asked: Asked, model: str, created_s: int = 0) -> Json:
    """A response before anything has been said: what was asked, as the API repeats it."""
    request = asked.request
    own = request.dialect == NAME
    extra: Json = request.extra if own else {}
    return {
        "id": f"resp_{asked.request_id}",
        "object": "response",
        "created_at": created_s or asked.created_s,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": _instructions(request),
        "max_output_tokens": request.max_tokens,
        "model": model,
        "output": [],
        "parallel_tool_calls": request.parallel_tools is not False,
        "previous_response_id": request.previous_id or extra.get("_previous"),
        "reasoning": _reasoning(request),
        "store": request.store is not False,
        "temperature": request.temperature,
        "text": _text(request),
        "tool_choice": _tool_choice(request),
        "tools": [_tool(tool) for tool in request.tools],
        "top_p": request.top_p,
        "truncation": extra.get("truncation", "disabled"),
        "usage": None,
        "user": request.user or None,
        "metadata": request.metadata or {},
    }


def _instructions(request: Request) -> str | None:
    top = next((message for message in request.messages if message.top), None)
    return None if top is None or not top.blocks else getattr(top.blocks[0], "text", None)


def _reasoning(request: Request) -> Json:
    told: Json = request.thinking.extra if request.thinking is not None else {}
    return {"effort": told.get("effort"), "summary": told.get("summary")}


def _text(request: Request) -> Json:
    form = request.format
    written: Json = {"format": {"type": "text"}}
    if form is not None and form.kind == "json":
        written = {"format": {"type": "json_object"}}
    elif form is not None and form.kind == "schema":
        schema: Json = {"type": "json_schema", "name": form.name, "schema": form.schema, "strict": form.strict}
        written = {"format": schema}
    return written if request.verbosity is None else {**written, "verbosity": request.verbosity}


def _tool_choice(request: Request) -> Json | str:
    choice = request.tool_choice
    if choice is None:
        return "auto"
    return choice.extra or choice.mode


def _tool(tool: Any) -> Json:
    if tool.kind == "server":
        return dict(tool.extra)
    described = {"description": tool.description or None}
    if tool.kind == "custom":
        return {"type": "custom", "name": tool.name, **described, **tool.extra}
    strict = tool.strict is not False
    return {"type": "function", "name": tool.name, **described, "parameters": tool.parameters, "strict": strict}


def end(response: Json, stop: Stop) -> None:
    """Say how a response has ended."""
    if stop == "length":
        response |= {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    elif stop == "filter":
        response |= {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}
    else:
        response["status"] = "completed"


def shows_proofs(request: Request) -> bool:
    """Whether the client takes OpenAI's own encrypted reasoning: it asks for it, or has nothing kept.

    What another family has proved is always told, since nobody else keeps it.
    """
    included = request.extra.get("include") if request.dialect == NAME else None
    asked = type(included) is list and "reasoning.encrypted_content" in included
    return asked or request.store is False


class Items:
    """The items of an output, each with an id of its own."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.shows = shows_proofs(asked.request)
        self.written: list[Json] = []

    def name(self, prefix: str) -> str:
        """An id for the next item."""
        return f"{prefix}_{self.asked.request_id}_{len(self.written)}"

    def add(self, block: Block) -> None:
        """Add a block: text to the message that is open, everything else as an item of its own."""
        if isinstance(block, Text | Refusal):
            part = part_of(block)
            if self.written and self.written[-1]["type"] == "message":
                self.written[-1]["content"].append(part)
            else:
                self.written.append({**message_item(self.name("msg")), "status": "completed", "content": [part]})
        elif isinstance(block, ToolCall):
            if block.proof is not None:
                self.written.append(self.proof_item(block))
            self.written.append(call_item(block, self.name("fc"), block.arguments))
        elif isinstance(block, Reasoning):
            self.written.append(self.reasoning_item(block, self.name("rs")))
        elif isinstance(block, Image):
            self.written.append(image_item(block, self.name("ig")))
        elif isinstance(block, Audio):
            self.add(Text(text=block.transcript))
        elif isinstance(block, Opaque) and block.dialect == NAME:
            self.written.append(block.raw)

    def proof_item(self, call: ToolCall) -> Json:
        """What proves a call, as reasoning before it: clients bring it back."""
        item: Json = {"id": self.name("rs"), "type": "reasoning", "summary": []}
        if call.proof is not None:
            item["encrypted_content"] = seal(msgspec.structs.replace(call.proof, call_id=call.id))
        return item

    def reasoning_item(self, block: Reasoning, item_id: str) -> Json:
        """An item of reasoning, told as a summary."""
        parts = [{"type": "summary_text", "text": block.text}] if block.text else []
        item: Json = {"id": item_id, "type": "reasoning", "summary": parts}
        proof = block.proof
        native = proof is not None and proof.kind == "encrypted" and proof.family in ("openai", "xai")
        if proof is not None and (self.shows or not native):
            item["encrypted_content"] = proof.value if native else seal(proof)
        return item


def message_item(item_id: str) -> Json:
    """A message without its content."""
    return {"id": item_id, "type": "message", "role": "assistant", "status": "in_progress", "content": []}


def part_of(block: Text | Refusal) -> Json:
    """Text as a part of a message."""
    if isinstance(block, Refusal):
        return {"type": "refusal", "refusal": block.text}
    notes = [note for citation in block.citations if (note := write_annotation(citation))]
    return {"type": "output_text", "text": block.text, "annotations": notes, "logprobs": []}


def call_item(block: ToolCall, item_id: str, arguments: str, status: str = "completed") -> Json:
    """A call."""
    known = {"id": item_id, "call_id": block.id, "name": block.name, "status": status}
    if block.kind == "custom":
        return {"type": "custom_tool_call", **known, "input": arguments}
    return {"type": "function_call", **known, "arguments": arguments}


def image_item(block: Image, item_id: str) -> Json:
    """A picture that the model made."""
    data = block.source.data or url_of_source(block.source)
    return {"id": item_id, "type": "image_generation_call", "status": "completed", "result": data}


__all__ = ["Items", "own_item", "read_answer", "write_answer"]
