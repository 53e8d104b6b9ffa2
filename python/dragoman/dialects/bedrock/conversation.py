"""Writes a conversation of another dialect as Converse wants it: turns that alternate, and nothing empty."""

from __future__ import annotations

import re

from dragoman.dialects.bedrock.blocks import input_of, with_points, write_media, write_reasoning
from dragoman.dialects.canonical import (
    Audio,
    Block,
    Document,
    Image,
    Json,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    Video,
)
from dragoman.dialects.continuity import readable
from dragoman.dialects.dialect import Target
from dragoman.dialects.ids import fitted_id, fitted_name
from dragoman.dialects.losses import Losses
from dragoman.dialects.turns import Turn
from dragoman.dialects.undo import Undo, as_function

# Where something must be said, and nothing was (edge case 16): white space alone is refused.
EMPTY = "(empty)"
MOST_POINTS = 4
_STRANGE = re.compile(r"[^A-Za-z0-9 \-()\[\]]+")


def write_messages(
    body: Json, said: tuple[list[Block], list[Turn]], target: Target, losses: Losses, undo: Undo
) -> None:
    """The instructions and the turns."""
    system, turns = said
    writer = _Writer(target, losses, undo)
    instructions = [written for block in system for written in writer.blocks(block, "system")]
    if instructions:
        body["system"] = instructions
    messages: list[Json] = []
    for index, turn in enumerate(turns):
        content = [written for block in turn.blocks for written in writer.blocks(block, f"messages[{index}]")]
        if any("document" in written for written in content) and not any("text" in written for written in content):
            content.append({"text": "(see the document)"})
        if content:
            messages.append({"role": turn.role, "content": content})
    if messages and messages[-1]["role"] == "assistant" and "text" in messages[-1]["content"][-1]:
        last = messages[-1]["content"][-1]
        last["text"] = last["text"].rstrip() or EMPTY
    body["messages"] = messages
    _limit_points(body, losses)


def _limit_points(body: Json, losses: Losses) -> None:
    """No more marks for the cache than are taken: the earliest go."""
    lists = [body.get("toolConfig", {}).get("tools", []), body.get("system", [])]
    lists += [message["content"] for message in body["messages"]]
    spare = sum("cachePoint" in written for content in lists for written in content) - MOST_POINTS
    for content in lists:
        for written in list(content):
            if spare > 0 and "cachePoint" in written:
                content.remove(written)
                spare -= 1
                losses.drop("cache_control", f"at most {MOST_POINTS} marks")


class _Writer:
    """Writes the blocks of another dialect."""

    def __init__(self, target: Target, losses: Losses, undo: Undo) -> None:
        self.target = target
        self.losses = losses
        self.undo = undo
        self.sent = {name: sent for sent, name in undo.renamed.items()}
        self.names: set[str] = set()

    def blocks(self, block: Block, at: str) -> list[Json]:
        """A block, with its mark behind it; none where it cannot be said."""
        return with_points(block, self._written(block, at))

    def _written(self, block: Block, at: str) -> list[Json]:
        if isinstance(block, Text | Refusal):
            return [{"text": block.text}] if block.text.strip() else []
        if isinstance(block, ToolCall):
            return [self._call(block)]
        if isinstance(block, ToolResult):
            return [self._result(block, at)]
        if isinstance(block, Reasoning):
            return self._reasoning(block)
        if isinstance(block, Image | Audio | Video | Document):
            return self._media(block, at)
        self.losses.drop(at, f"a block of type {block.type}")
        return []

    def _call(self, block: ToolCall) -> Json:
        call = block
        if block.name in self.undo.custom:
            call = ToolCall(id=block.id, name=block.name, arguments=as_function(block.arguments))
        name = self.sent.get(block.name, fitted_name(block.name or "tool"))
        return {"toolUse": {"toolUseId": fitted_id(block.id), "name": name, "input": input_of(call)}}

    def _result(self, block: ToolResult, at: str) -> Json:
        content = [written for part in block.content for written in self._written(part, f"{at}.tool_result")]
        result: Json = {"toolUseId": fitted_id(block.call_id), "content": content or [{"text": EMPTY}]}
        if block.is_error:
            result["status"] = "error"
        return {"toolResult": result}

    def _reasoning(self, block: Reasoning) -> list[Json]:
        proof = readable(block.proof, self.target.family, self.target.model)
        if proof is None or proof.kind not in ("signature", "redacted"):
            if block.text or block.proof is not None:
                self.losses.drop("reasoning", "not this model's own")
            return []
        return [write_reasoning(Reasoning(text=block.text, proof=proof))]

    def _media(self, block: Image | Audio | Video | Document, at: str) -> list[Json]:
        kind = type(block).__name__.lower()
        written = write_media(kind, block)
        if written is None:
            why = "it would have to be fetched" if block.source.url is not None else "of a kind that is not taken"
            self.losses.drop(at, f"{kind}: {why}", meaning=True)
            return []
        if isinstance(block, Document):
            written["document"]["name"] = self._name(block.name)
            if block.context:
                written["document"]["context"] = block.context
            if block.citations:
                written["document"]["citations"] = {"enabled": True}
        return [written]

    def _name(self, name: str) -> str:
        """A document's name of few characters, like no other's."""
        plain = " ".join(_STRANGE.sub(" ", name.rpartition(".")[0] or name).split())[:180] or "document"
        number, known = 1, plain
        while known in self.names:
            number += 1
            known = f"{plain} {number}"
        self.names.add(known)
        return known
