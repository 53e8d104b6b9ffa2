"""Writes a conversation of another dialect as items."""

from __future__ import annotations

from typing import Any

from dragoman.dialects.canonical import (
    Block,
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
from dragoman.dialects.ids import fitted_id, fitted_name
from dragoman.dialects.losses import Losses
from dragoman.dialects.openai_responses.content import write_part
from dragoman.dialects.turns import with_ids


def write_input(body: Json, request: Request, target: Target, losses: Losses, sent: dict[str, str]) -> None:
    """Instructions and input of a request of another dialect."""
    writer = _Writer(target, losses, sent)
    instructions: list[str] = []
    for index, message in enumerate(with_ids(request.messages)):
        if message.top or (message.role in ("system", "developer") and not writer.items):
            instructions += [block.text for block in message.blocks if isinstance(block, Text)]
        else:
            writer.add(message, f"messages[{index}]")
    if instructions:
        body["instructions"] = "\n\n".join(instructions)
    body["input"] = writer.items


class _Writer:
    """The items so far."""

    def __init__(self, target: Target, losses: Losses, sent: dict[str, str]) -> None:
        self.target = target
        self.losses = losses
        self.sent = sent
        self.items: list[Json] = []
        self.kinds: dict[str, str] = {}  # of calls, by id

    def add(self, message: Message, at: str) -> None:
        """The items of a message: what it says, in its order, calls and results apart."""
        said: list[Block] = []
        for index, block in enumerate(message.blocks):
            if isinstance(block, ToolCall | ToolResult | Reasoning):
                self._say(message, said, at)
                said = []
                self._apart(block, f"{at}.content[{index}]")
            else:
                said.append(block)
        self._say(message, said, at)

    def _say(self, message: Message, blocks: list[Block], at: str) -> None:
        if message.role == "assistant":
            self._answer(blocks, at)
            return
        if any(getattr(block, "cache", None) is not None for block in blocks):
            self.losses.drop("cache_control", "the provider caches by itself")
        parts = [part for block in blocks for part in write_part(block, at, self.losses) if part.get("text") != ""]
        if parts:
            role = message.role if message.role in ("system", "developer") else "user"
            self.items.append({"type": "message", "role": role, "content": parts})

    def _answer(self, blocks: list[Block], at: str) -> None:
        parts: list[Json] = []
        for block in blocks:
            if isinstance(block, Text):
                if block.text:
                    parts.append({"type": "output_text", "text": block.text, "annotations": []})
            elif isinstance(block, Refusal):
                parts.append({"type": "refusal", "refusal": block.text})
            else:
                what = block.type if isinstance(block, Opaque) else type(block).__name__.lower()
                self.losses.drop(at, f"a block of type {what} in an answer")
        if parts:
            self.items.append({"type": "message", "role": "assistant", "content": parts})

    def _apart(self, block: ToolCall | ToolResult | Reasoning, at: str) -> None:
        if isinstance(block, Reasoning):
            self._reasoning(block)
        elif isinstance(block, ToolResult):
            self._result(block, at)
        else:
            name = self.sent.get(block.name, fitted_name(block.name or "tool"))
            call: Json = {"call_id": fitted_id(block.id), "name": name}
            self.kinds[block.id] = block.kind
            if block.kind == "custom":
                self.items.append({"type": "custom_tool_call", **call, "input": block.arguments})
            else:
                self.items.append({"type": "function_call", **call, "arguments": block.arguments or "{}"})

    def _reasoning(self, block: Reasoning) -> None:
        proof = readable(block.proof, self.target.family or "openai", self.target.model)
        if proof is None or proof.kind != "encrypted":
            if block.text or block.proof is not None:
                self.losses.drop("reasoning", "not this model's own")
            return
        item: Json = {"type": "reasoning", "encrypted_content": proof.value}
        item["summary"] = [{"type": "summary_text", "text": block.text}] if block.text else []
        if block.id:
            item["id"] = block.id
        self.items.append(item)

    def _result(self, block: ToolResult, at: str) -> None:
        parts = [part for one in block.content for part in write_part(one, at, self.losses)]
        output: Any = parts
        if all(part["type"] == "input_text" for part in parts):
            output = "\n".join(part["text"] for part in parts)
            if block.is_error:
                output = f"Error: {output}" if output else "Error"
        kind = "custom_tool_call_output" if self.kinds.get(block.call_id) == "custom" else "function_call_output"
        self.items.append({"type": kind, "call_id": fitted_id(block.call_id), "output": output})
