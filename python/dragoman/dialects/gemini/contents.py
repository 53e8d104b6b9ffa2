"""Writes the contents of a request: turns that alternate, results right after the calls, signatures where they were."""

from __future__ import annotations

import base64

from dragoman.dialects.canonical import (
    Audio,
    Block,
    Document,
    Image,
    Json,
    Message,
    Opaque,
    Proof,
    Reasoning,
    Refusal,
    Request,
    Text,
    ToolCall,
    ToolResult,
    Video,
)
from dragoman.dialects.continuity import readable, seal
from dragoman.dialects.dialect import Target
from dragoman.dialects.gemini.models import takes_level
from dragoman.dialects.gemini.parts import arguments_of, response_of, write_data
from dragoman.dialects.ids import fitted_name
from dragoman.dialects.losses import Losses
from dragoman.dialects.turns import Turn, in_turns, names_of_calls, with_ids
from dragoman.dialects.undo import Undo, as_function

# What stands for the signature of a call that another model has made, where one is required.
PLACEHOLDER = base64.b64encode(b"skip_thought_signature_validator").decode()


# Requests of this dialect -----------------------------------------------------------------------------------------


def write_own_contents(body: Json, request: Request) -> None:
    """The contents of a request of this dialect, as they were."""
    contents = []
    for message in request.messages:
        parts = [own_part(block) for block in message.blocks]
        if message.top:
            body["systemInstruction"] = {"parts": parts, **message.extra}
        else:
            contents.append(_own_content(message, parts))
    body["contents"] = contents


def _own_content(message: Message, parts: list[Json]) -> Json:
    role = message.extra.get("_role", "model" if message.role == "assistant" else "user")
    named = {"role": role} if role else {}
    extra = {name: value for name, value in message.extra.items() if name != "_role"}
    return {**named, "parts": parts, **extra}


def own_part(block: Block) -> Json:
    """A part of this dialect, as it was; what another family has proved is sealed into its signature."""
    if isinstance(block, Opaque):
        return block.raw
    extra: Json = {name: value for name, value in block.extra.items() if not name.startswith("_")}
    written: Json
    if isinstance(block, Text | Reasoning | Refusal):
        written = {"text": block.text}
        if isinstance(block, Reasoning):
            written["thought"] = True
    elif isinstance(block, ToolCall):
        call: Json = {"name": block.name, **({"id": block.id} if block.id else {})}
        if block.arguments:
            call["args"] = arguments_of(block)
        written = {"functionCall": {**call, **extra.pop("functionCall", {})}}
    elif isinstance(block, ToolResult):
        written = {"functionResponse": _own_result(block, extra.pop("functionResponse", {}))}
    else:
        written = write_data(block.source) or {}
        for name in ("inlineData", "fileData"):
            if name in written and name in extra:
                written[name] |= extra.pop(name)
    proof = getattr(block, "proof", None)
    if proof is not None:
        written["thoughtSignature"] = signature_of(proof)
    return {**written, **extra}


def _own_result(block: ToolResult, extra: Json) -> Json:
    named = {"name": block.name} if block.name else {}
    identified = {"id": block.call_id} if block.call_id else {}
    response = block.extra["_response"] if "_response" in block.extra else response_of(block)
    told = {} if response is None else {"response": response}
    parts = [own_part(part) for part in block.content[1:]]
    return {**identified, **named, **told, **({"parts": parts} if parts else {}), **extra}


def signature_of(proof: Proof) -> str:
    """A signature that a client of this dialect brings back: Google's own, or what is sealed into one."""
    return proof.value if proof.family == "google" and proof.kind == "thought" else seal(proof)


# Requests of other dialects ---------------------------------------------------------------------------------------


def write_contents(body: Json, request: Request, target: Target, losses: Losses, undo: Undo) -> None:
    """The instructions and turns of a request of another dialect."""
    messages = with_ids(request.messages)
    system, turns = in_turns(messages)
    writer = _Writer(target, losses, undo, names_of_calls(messages))
    instructions = [part for block in system for part in writer.parts(block, "system")]
    if instructions:
        body["systemInstruction"] = {"parts": instructions}
    contents: list[Json] = []
    current = _current(turns)
    for index, turn in enumerate(turns):
        at = f"messages[{index}]"
        parts = [part for block in turn.blocks for part in writer.parts(block, at)]
        if turn.role == "assistant" and index >= current and takes_level(target.model):
            _sign(parts)
        if parts:
            contents.append({"role": "model" if turn.role == "assistant" else "user", "parts": parts})
    body["contents"] = contents


def _current(turns: list[Turn]) -> int:
    """Where the turn under way begins: at the user's last words that are no result."""
    for index in range(len(turns) - 1, -1, -1):
        turn = turns[index]
        if turn.role == "user" and any(not isinstance(block, ToolResult) for block in turn.blocks):
            return index
    return 0


def _sign(parts: list[Json]) -> None:
    """Stand in for the signature of a step's first call, where another model has made it (edge case 10)."""
    first = next((part for part in parts if "functionCall" in part), None)
    if first is not None:
        first.setdefault("thoughtSignature", PLACEHOLDER)


class _Writer:
    """Writes the blocks of another dialect."""

    def __init__(self, target: Target, losses: Losses, undo: Undo, names: dict[str, str]) -> None:
        self.target = target
        self.losses = losses
        self.undo = undo
        self.names = names
        self.sent = {name: sent for sent, name in undo.renamed.items()}

    def parts(self, block: Block, at: str) -> list[Json]:
        """A block as parts; none where it cannot be said."""
        if isinstance(block, Text | Refusal):
            self._uncached(block)
            proof = self._readable(block.proof) if isinstance(block, Text) else None
            return [self._signed({"text": block.text}, proof)] if block.text or proof else []
        if isinstance(block, ToolCall):
            return [self._call(block)]
        if isinstance(block, ToolResult):
            return self._result(block, at)
        if isinstance(block, Reasoning):
            return self._reasoning(block)
        if isinstance(block, Image | Audio | Video | Document):
            self._uncached(block)
            return self._media(block, at)
        self.losses.drop(at, f"a block of type {block.type}")
        return []

    def _uncached(self, block: Block) -> None:
        if getattr(block, "cache", None) is not None:
            self.losses.drop("cache_control", "the provider caches by itself")

    def _readable(self, proof: Proof | None) -> Proof | None:
        return readable(proof, self.target.family or "google", self.target.model)

    def _signed(self, part: Json, proof: Proof | None) -> Json:
        if proof is not None and proof.kind == "thought":
            part["thoughtSignature"] = proof.value
        return part

    def _call(self, block: ToolCall) -> Json:
        call = block
        if block.name in self.undo.custom:
            call = ToolCall(id=block.id, name=block.name, arguments=as_function(block.arguments))
        name = self.sent.get(block.name, fitted_name(block.name or "tool"))
        part: Json = {"functionCall": {"name": name, "args": arguments_of(call)}}
        return self._signed(part, self._readable(block.proof))

    def _result(self, block: ToolResult, at: str) -> list[Json]:
        name = block.name or self.names.get(block.call_id, "tool")
        response = {"name": self.sent.get(name, fitted_name(name)), "response": response_of(block)}
        beside = [part for part in block.content if not isinstance(part, Text)]
        parts = [part for one in beside for part in self.parts(one, f"{at}.tool_result")]
        if parts:
            self.losses.approximate(f"{at}.tool_result", "what is no text follows it")
        return [{"functionResponse": response}, *parts]

    def _reasoning(self, block: Reasoning) -> list[Json]:
        proof = self._readable(block.proof)
        if proof is None:
            if block.text or block.proof is not None:
                self.losses.drop("reasoning", "not this model's own")
            return []
        return [self._signed({"text": block.text, "thought": True}, proof)]

    def _media(self, block: Image | Audio | Video | Document, at: str) -> list[Json]:
        written = write_data(block.source)
        if written is None:
            self.losses.drop(at, "a file that is kept at another provider")
            return []
        if isinstance(block, Image) and block.detail not in ("", "auto"):
            self.losses.drop("image_url.detail", "images have one size")
        if "fileData" in written and "mimeType" not in written["fileData"] and isinstance(block, Image):
            written["fileData"]["mimeType"] = _guess(block.source.url or "")
        if isinstance(block, Document) and (block.context or block.citations):
            self.losses.drop(f"{at}.citations", "documents are not cited")
        return [written]


def _guess(url: str) -> str:
    """The type of a picture by the end of its URL."""
    ending = url.partition("?")[0].rpartition(".")[2].lower()
    return {"png": "image/png", "gif": "image/gif", "webp": "image/webp"}.get(ending, "image/jpeg")
