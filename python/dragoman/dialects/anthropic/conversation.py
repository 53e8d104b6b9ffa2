"""Writes the conversation: instructions apart, turns that alternate, each block as the dialect has it."""

from __future__ import annotations

from dragoman.dialects.anthropic.blocks import (
    FAMILY,
    IMAGES,
    NAME,
    PDF,
    input_of,
    marked,
    write_citation,
    write_source,
)
from dragoman.dialects.anthropic.models import Claude
from dragoman.dialects.canonical import (
    Block,
    Document,
    Image,
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
from dragoman.dialects.continuity import readable, seal
from dragoman.dialects.dialect import Target
from dragoman.dialects.ids import fitted_id, fitted_name
from dragoman.dialects.losses import Losses
from dragoman.dialects.turns import Turn
from dragoman.dialects.undo import Undo, as_function

MOST_MARKS = 4


# Requests of this dialect -----------------------------------------------------------------------------------------


def write_own_messages(body: Json, request: Request) -> None:
    """The messages of a request of this dialect, as they were."""
    for message in request.messages:
        if message.top:
            body["system"] = own_content(message.blocks)
    body["messages"] = [_own_message(message) for message in request.messages if not message.top]


def _own_message(message: Message) -> Json:
    return {"role": message.role, "content": own_content(message.blocks), **message.extra}


def own_content(blocks: tuple[Block, ...]) -> str | list[Json]:
    """Blocks of this dialect as its content."""
    if len(blocks) == 1 and type(blocks[0]) is Text:
        first = blocks[0]
        if not first.extra and first.cache is None and not first.citations:
            return first.text
    return [written for block in blocks for written in own_block(block)]


def own_block(block: Block) -> list[Json]:
    """A block of this dialect as it was: what it had beside goes with it."""
    if isinstance(block, Opaque):
        return [block.raw]
    if isinstance(block, ToolResult):
        content = {} if "_content" in block.extra else {"content": own_content(block.content)}
        extra = {name: value for name, value in block.extra.items() if name != "_content"}
        failed = {"is_error": True} if block.is_error else {}
        written = {"type": "tool_result", "tool_use_id": block.call_id, **content, **failed, **extra}
        return [marked(written, block.cache)]
    if isinstance(block, ToolCall):
        call = {"type": "tool_use", "id": block.id, "name": block.name, "input": input_of(block), **block.extra}
        proofs = [] if block.proof is None else [{"type": "thinking", "thinking": "", "signature": seal(block.proof)}]
        return [*proofs, marked(call, block.cache)]
    if isinstance(block, Reasoning):
        return [{**own_reasoning(block), **block.extra}]
    if isinstance(block, Image | Document):
        return [_own_media(block)]
    text: Json = {"type": "text", "text": getattr(block, "text", "")}
    if isinstance(block, Text):
        if block.citations:
            text["citations"] = [write_citation(citation, own=True) for citation in block.citations]
        return [marked({**text, **block.extra}, block.cache)]
    return [text]


def own_reasoning(block: Reasoning) -> Json:
    """A thought; what another family has proved is sealed into the signature."""
    proof = block.proof
    if proof is None:
        return {"type": "thinking", "thinking": block.text, "signature": ""}
    if proof.family != FAMILY:
        return {"type": "thinking", "thinking": block.text, "signature": seal(proof)}
    if proof.kind == "redacted":
        return {"type": "redacted_thinking", "data": proof.value}
    return {"type": "thinking", "thinking": block.text, "signature": proof.value}


def _own_media(block: Image | Document) -> Json:
    extra = {name: value for name, value in block.extra.items() if name != "source"}
    source = {**(write_source(block.source) or {}), **block.extra.get("source", {})}
    written: Json = {"type": "image" if isinstance(block, Image) else "document", "source": source}
    if isinstance(block, Document):
        if block.name:
            written["title"] = block.name
        if block.context:
            written["context"] = block.context
        if block.citations:
            written["citations"] = {"enabled": True}
    return marked({**written, **extra}, block.cache)


# Requests of other dialects ---------------------------------------------------------------------------------------


def write_messages(
    body: Json, said: tuple[list[Block], list[Turn]], to: tuple[Target, Claude], losses: Losses, undo: Undo
) -> None:
    """The instructions and turns of a request of another dialect."""
    system, turns = said
    target, facts = to
    writer = _Writer(target, losses, undo)
    instructions = [text for block in system for text in writer.block(block, "system")]
    if instructions:
        plain = len(instructions) == 1 and set(instructions[0]) == {"type", "text"}
        body["system"] = instructions[0]["text"] if plain else instructions
    messages: list[Json] = []
    for index, turn in enumerate(turns):
        at = f"messages[{index}]"
        content = [written for block in turn.blocks for written in writer.block(block, at)]
        if content:
            messages.append({"role": turn.role, "content": content})
    if messages and messages[-1]["role"] == "assistant":
        _end(messages, facts, losses)
    body["messages"] = messages
    _limit_marks(body, losses)


def _end(messages: list[Json], facts: Claude, losses: Losses) -> None:
    """A last turn that is the assistant's: begun for it, where the model takes that."""
    if not facts.prefill:
        losses.approximate("messages", "the model does not go on from its own words; it is asked to")
        messages.append({"role": "user", "content": [{"type": "text", "text": "(continue)"}]})
        return
    last = messages[-1]["content"][-1]
    if last.get("type") == "text":
        last["text"] = last["text"].rstrip() or "."


def _limit_marks(body: Json, losses: Losses) -> None:
    """No more marks for the cache than are taken, and the longer-lived before the shorter (edge case 26)."""
    system = body.get("system")
    blocks = [
        *body.get("tools", ()),
        *(system if isinstance(system, list) else ()),
        *(block for message in body["messages"] for block in message["content"]),
    ]
    held = [block for block in blocks if "cache_control" in block]
    for block in held[: max(0, len(held) - MOST_MARKS)]:
        del block["cache_control"]
        losses.drop("cache_control", f"at most {MOST_MARKS} marks")
    short = False
    for block in held[-MOST_MARKS:]:
        if block["cache_control"].get("ttl") != "1h":
            short = True
        elif short:
            block["cache_control"].pop("ttl")
            losses.approximate("cache_control", "longer-lived marks come first")


class _Writer:
    """Writes the blocks of another dialect."""

    def __init__(self, target: Target, losses: Losses, undo: Undo) -> None:
        self.target = target
        self.losses = losses
        self.undo = undo

    def block(self, block: Block, at: str) -> list[Json]:
        """A block; none where it cannot be said."""
        if isinstance(block, Text | Refusal):
            cache = block.cache if isinstance(block, Text) else None
            return [marked({"type": "text", "text": block.text}, cache)] if block.text else []
        if isinstance(block, ToolCall):
            return [self._call(block)]
        if isinstance(block, ToolResult):
            return [self._result(block, at)]
        if isinstance(block, Reasoning):
            return self._reasoning(block)
        if isinstance(block, Image):
            return self._image(block, at)
        if isinstance(block, Document):
            return self._document(block, at)
        what = block.type if isinstance(block, Opaque) else type(block).__name__.lower()
        self.losses.drop(at, f"a block of type {what}")
        return []

    def _call(self, block: ToolCall) -> Json:
        arguments = block
        if block.name in self.undo.custom:
            arguments = ToolCall(id=block.id, name=block.name, arguments=as_function(block.arguments))
        name = fitted_name(block.name or "tool")
        call = {"type": "tool_use", "id": fitted_id(block.id), "name": name, "input": input_of(arguments)}
        return marked(call, block.cache)

    def _result(self, block: ToolResult, at: str) -> Json:
        content = [written for part in block.content for written in self.block(part, f"{at}.tool_result")]
        written: Json = {"type": "tool_result", "tool_use_id": fitted_id(block.call_id)}
        if content:
            plain = len(content) == 1 and set(content[0]) == {"type", "text"}
            written["content"] = content[0]["text"] if plain else content
        if block.is_error:
            written["is_error"] = True
        return marked(written, block.cache)

    def _reasoning(self, block: Reasoning) -> list[Json]:
        proof = readable(block.proof, self.target.family or "anthropic", self.target.model)
        if proof is None:
            if block.text or block.proof is not None:
                self.losses.drop("reasoning", "not this model's own")
            return []
        if proof.kind == "redacted":
            return [{"type": "redacted_thinking", "data": proof.value}]
        return [{"type": "thinking", "thinking": block.text, "signature": proof.value}]

    def _image(self, block: Image, at: str) -> list[Json]:
        source = write_source(block.source)
        known = block.source.data is None or block.source.media_type in IMAGES
        if source is None or block.source.file_id is not None or not known:
            self.losses.drop(at, f"an image of type {block.source.media_type or 'unknown'}")
            return []
        if block.detail not in ("", "auto"):
            self.losses.drop("image_url.detail", "images have one size")
        return [marked({"type": "image", "source": source}, block.cache)]

    def _document(self, block: Document, at: str) -> list[Json]:
        source = block.source
        written = write_source(source)
        if written is None or source.file_id is not None:
            self.losses.drop(at, "a file that is kept at another provider")
            return []
        if source.data is not None and source.media_type not in (PDF, ""):
            self.losses.drop(at, f"a document of type {source.media_type}")
            return []
        if source.data is not None:
            written["media_type"] = PDF
        document: Json = {"type": "document", "source": written}
        if block.name:
            document["title"] = block.name
        if block.context:
            document["context"] = block.context
        if block.citations:
            document["citations"] = {"enabled": True}
        return [marked(document, block.cache)]


__all__ = ["NAME", "own_block", "own_content", "write_messages", "write_own_messages"]
