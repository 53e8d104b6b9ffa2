"""The assistant's message: in the history of a request, and as an answer.

OpenAI's dialect has no word for reasoning; the hosts that speak it have several. All are read: ``reasoning_details``
(which keeps signatures), ``thinking_blocks``, and the plain text of ``reasoning_content`` or ``reasoning``. What is
written is the plain text and ``reasoning_details``, whose entries a client sends back so that a provider can go on
from what it had thought.
"""

from __future__ import annotations

from typing import Any

import msgspec

from dragoman.dialects.canonical import (
    Audio,
    Block,
    Citation,
    Family,
    Image,
    Json,
    Proof,
    ProofKind,
    Reasoning,
    Refusal,
    Source,
    Text,
    ToolCall,
)
from dragoman.dialects.fields import Fields, one_by_one
from dragoman.dialects.lenient import text_of
from dragoman.dialects.mistral import split_content
from dragoman.dialects.openai_chat.content import read_content, source_of_url, url_of_source

_encode = msgspec.json.encode
# The families that ``format`` of a reasoning detail stands for.
FORMATS: dict[str, Family] = {
    "anthropic-claude-v1": "anthropic",
    "google-gemini-v1": "google",
    "openai-responses-v1": "openai",
    "xai-responses-v1": "xai",
}
FORMAT_OF = {family: name for name, family in FORMATS.items()}
REASONING_FIELDS = ("reasoning_details", "thinking_blocks", "reasoning_content", "reasoning")


def read_assistant(message: Fields) -> tuple[Block, ...]:
    """The blocks of an assistant's message: what it thought, said, and called.

    The fields of its reasoning also remain where they are, so that the message goes back as it came.
    """
    thoughts = _read_reasoning(message)
    content = message.take("content")
    blocks: list[Block] = []
    if type(content) is list and any(type(part) is dict and part.get("type") == "thinking" for part in content):
        blocks += split_content(content)
        message.left["content"] = content  # chunks that only its host has
    else:
        blocks += read_content(content, message.path("content"))
    blocks = [block for block in blocks if not (type(block) is Text and not block.text and not block.extra)]
    blocks = _cited(blocks, message)
    if refusal := message.maybe_text("refusal"):
        blocks.append(Refusal(text=refusal))
    audio = message.fields("audio")
    if audio is not None and any(audio.left.get(name) for name in ("id", "data", "transcript")):
        source = Source(data=audio.maybe_text("data"))
        said = audio.text("transcript")
        blocks.append(Audio(id=audio.text("id"), source=source, transcript=said, extra=audio.left))
    elif audio is not None:
        message.left["audio"] = audio.left  # some hosts say that there is none
    blocks += [_read_image(image) for image in message.each("images")]
    proofs = {block.proof.call_id: block.proof for block in thoughts if block.proof and block.proof.call_id}
    thoughts = [block for block in thoughts if not (block.proof and block.proof.call_id)]
    calls = one_by_one(message.items("tool_calls"), read_call, message.path("tool_calls"))
    blocks += [_proved(call, proofs) for call in calls]
    old = message.fields("function_call")
    if old is not None and old.left.get("name"):
        name, arguments = old.text("name"), old.text("arguments")
        blocks.append(ToolCall(id=f"call_{name}", name=name, arguments=arguments, extra={"function_call": True}))
    return (*thoughts, *blocks)


def _proved(call: ToolCall, proofs: dict[str, Proof]) -> ToolCall:
    if call.proof is None and call.id in proofs:
        return ToolCall(
            id=call.id,
            name=call.name,
            arguments=call.arguments,
            kind=call.kind,
            proof=proofs[call.id],
            extra=call.extra,
        )
    return call


def read_call(call: Fields) -> ToolCall:
    """One of ``tool_calls``."""
    call_id = call.text("id")
    call.take("index")  # some hosts number whole calls, too
    kind = call.text("type", "function")
    extra = call.left
    if kind == "custom":
        custom = call.required("custom", call.fields("custom"))
        return ToolCall(
            id=call_id, name=custom.text("name"), arguments=custom.text("input"), kind="custom", extra=extra
        )
    function = call.required("function", call.fields("function"))
    arguments = function.take("arguments")
    if type(arguments) is dict:  # some hosts have not read the schema
        arguments = encode_text(arguments)
    elif arguments is not None and type(arguments) is not str:
        raise function.wrong("arguments", "a string")
    proof = google_proof(extra, call_id)
    return ToolCall(id=call_id, name=function.text("name"), arguments=arguments or "", proof=proof, extra=extra)


def google_proof(call: Json, call_id: str) -> Proof | None:
    """The signature that Gemini's own shim puts at a call."""
    extra: Any = call.get("extra_content")
    google: Any = extra.get("google") if type(extra) is dict else None
    value: Any = google.get("thought_signature") if type(google) is dict else None
    if type(value) is not str or not value:
        return None
    return Proof(kind="thought", value=value, family="google", call_id=call_id)


def _read_image(image: Fields) -> Image:
    url = image.required("image_url", image.fields("image_url"))
    return Image(source=source_of_url(url.text("url")), extra=image.left)


def _cited(blocks: list[Block], message: Fields) -> list[Block]:
    """The text with its annotations; they remain with the message where no text is."""
    citations = []
    for annotation in message.each("annotations"):
        cited = annotation.fields("url_citation") if annotation.left.get("type") == "url_citation" else None
        if cited is None:
            citations.append(Citation(extra=annotation.left))
            continue
        citations.append(
            Citation(
                url=cited.text("url"),
                title=cited.text("title"),
                start=cited.integer("start_index"),
                end=cited.integer("end_index"),
                extra=cited.left,
            )
        )
    for index, block in enumerate(blocks if citations else ()):
        if type(block) is Text:
            text = Text(text=block.text, citations=tuple(citations), extra=block.extra)
            return [*blocks[:index], text, *blocks[index + 1 :]]
    return blocks


def _read_reasoning(message: Fields) -> list[Reasoning]:
    fields = message.left
    details = fields.get("reasoning_details")
    if type(details) is list and details:
        return read_details(details)
    blocks = fields.get("thinking_blocks")
    if type(blocks) is list and blocks:
        return [_read_thinking(block) for block in blocks if type(block) is dict]
    for name in ("reasoning_content", "reasoning"):
        text = fields.get(name)
        if type(text) is str and text:
            return [Reasoning(text=text)]
    return []


def read_details(details: list[Any]) -> list[Reasoning]:
    """``reasoning_details``, pieces of one entry joined by their index."""
    found: list[Reasoning] = []
    at: dict[tuple[object, object], int] = {}
    for number, detail in enumerate(details):
        if type(detail) is not dict:
            continue
        one = read_detail(detail)
        # Without an index, entries are whole.
        index = detail.get("index")
        key = (index if type(index) is int else -1 - number, text_of(detail, "type"))
        known = at.get(key)
        if known is None:
            at[key] = len(found)
            found.append(one)
        else:
            before = found[known]
            found[known] = Reasoning(
                text=before.text + one.text,
                proof=one.proof or before.proof,
                id=before.id or one.id,
                summary=before.summary,
            )
    return found


def read_detail(detail: Json) -> Reasoning:
    """One entry, or a piece of one."""
    family = FORMATS.get(text_of(detail, "format"), "")
    kind, one_id = text_of(detail, "type"), text_of(detail, "id")
    if kind == "reasoning.encrypted":
        proof_kind: ProofKind = "encrypted" if family in ("openai", "xai") else "redacted"
        if family == "google":
            proof_kind = "thought"
        call_id = one_id if family == "google" else ""
        proof = Proof(kind=proof_kind, value=text_of(detail, "data"), family=family, call_id=call_id)
        return Reasoning(proof=proof, id="" if call_id else one_id)
    signature = text_of(detail, "signature")
    proof_of_text = Proof(kind="signature", value=signature, family=family) if signature else None
    if kind == "reasoning.summary":
        return Reasoning(text=text_of(detail, "summary"), proof=proof_of_text, id=one_id, summary=True)
    return Reasoning(text=text_of(detail, "text"), proof=proof_of_text, id=one_id)


def _read_thinking(block: Json) -> Reasoning:
    if block.get("type") == "redacted_thinking":
        return Reasoning(proof=Proof(kind="redacted", value=text_of(block, "data"), family="anthropic"))
    signature = text_of(block, "signature")
    proof = Proof(kind="signature", value=signature, family="anthropic") if signature else None
    return Reasoning(text=text_of(block, "thinking"), proof=proof)


def detail_of(block: Reasoning, index: int) -> list[Json]:
    """A block of reasoning as entries of ``reasoning_details``."""
    proof = block.proof
    entry: Json = {"format": FORMAT_OF.get(proof.family, "unknown") if proof else "unknown", "index": index}
    if block.id:
        entry["id"] = block.id
    entries: list[Json] = []
    if block.summary:
        entries.append({"type": "reasoning.summary", "summary": block.text, **entry})
    elif block.text or (proof and proof.kind == "signature"):
        entries.append({"type": "reasoning.text", "text": block.text, **entry})
    if proof is None:
        return entries
    if proof.kind == "signature" and entries:
        entries[-1]["signature"] = proof.value
    else:
        entries.append({"type": "reasoning.encrypted", "data": proof.value, **entry})
    return entries


def detail_of_call(call_id: str, proof: Proof, index: int) -> Json:
    """The proof of a call as an entry of ``reasoning_details``."""
    form = FORMAT_OF.get(proof.family, "unknown")
    return {"type": "reasoning.encrypted", "data": proof.value, "format": form, "index": index, "id": call_id}


def write_call(call: ToolCall, *, own: bool) -> Json:
    """A call as one of ``tool_calls``."""
    extra = call.extra if own else {}
    if call.kind == "custom":
        return {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}, **extra}
    function = {"name": call.name, "arguments": call.arguments if own else call.arguments or "{}"}
    written: Json = {"id": call.id, "type": "function", "function": function, **extra}
    if call.proof is not None and call.proof.family == "google" and "extra_content" not in written:
        written["extra_content"] = {"google": {"thought_signature": call.proof.value}}
    return written


def write_annotation(citation: Citation) -> Json | None:
    """A citation as an annotation; ``None`` where it is of no page."""
    if not citation.url:
        return None
    cited = {"url": citation.url, "title": citation.title, "start_index": citation.start or 0}
    return {"type": "url_citation", "url_citation": {**cited, "end_index": citation.end or 0}}


def write_image(image: Image) -> Json | None:
    """A picture that a model made."""
    url = url_of_source(image.source, "image/png")
    return None if url is None else {"type": "image_url", "image_url": {"url": url}}


def encode_text(value: Json) -> str:
    """An object as JSON text."""
    return _encode(value).decode()
