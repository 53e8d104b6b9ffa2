"""Content blocks of Converse: objects with one key, which is the kind of block."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from dragoman.dialects.canonical import (
    Audio,
    Block,
    Citation,
    Document,
    Family,
    Image,
    Json,
    Opaque,
    Proof,
    Reasoning,
    Source,
    Text,
    ToolCall,
    ToolResult,
    Video,
)
from dragoman.dialects.continuity import family_of, seal, unseal
from dragoman.dialects.fields import Fields, Unreadable, object_of
from dragoman.dialects.lenient import objects_of, text_of

NAME = "bedrock"
CLAUDE: Family = "anthropic"  # whose signatures its thoughts have
_encode = msgspec.json.encode
# Formats that are not what follows the slash of their type.
TYPES = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "pdf": "application/pdf",
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html",
    "txt": "text/plain",
    "md": "text/markdown",
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "mkv": "video/x-matroska",
    "webm": "video/webm",
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
}
FORMATS = {kind: form for form, kind in TYPES.items()} | {"image/jpg": "jpeg", "audio/mp3": "mp3", "audio/x-wav": "wav"}


def read_blocks(content: Any, at: str, model: str = "") -> tuple[Block, ...]:
    """A list of blocks. A mark for the prompt cache belongs to the block that it stands behind."""
    if content is None:
        return ()
    if type(content) is not list:
        raise Unreadable(f"The field {at} is not a list.", at)
    blocks: list[Block] = []
    for index, raw in enumerate(content):
        fields = Fields(raw, f"{at}[{index}]")
        point = fields.left.get("cachePoint")
        if type(point) is dict and blocks and _markable(blocks[-1]):
            blocks[-1] = replace(blocks[-1], cache=text_of(point, "ttl"))
        else:
            blocks.append(read_block(fields, model))
    return tuple(blocks)


def _markable(block: Block) -> bool:
    return hasattr(block, "cache") and block.cache is None


def read_block(block: Fields, model: str = "") -> Block:
    """One block."""
    raw = block.left.copy()
    kind = next(iter(raw), "")
    if kind == "text":
        return Text(text=block.text("text"), extra=block.left)
    if kind == "reasoningContent":
        return _read_reasoning(block, model)
    if kind == "citationsContent":
        return _read_cited(block)
    inner = block.fields(kind) if type(raw.get(kind)) is dict else None
    if inner is None:
        return Opaque(dialect=NAME, type=kind, raw=raw)
    if kind == "toolUse":
        call = inner.take("input")
        return ToolCall(
            id=inner.text("toolUseId"),
            name=inner.text("name"),
            arguments=_encode({} if call is None else call).decode(),
            extra=inner.left,
        )
    if kind == "toolResult":
        status = inner.text("status")
        content = read_blocks(inner.take("content"), inner.path("content"))
        extra = {**inner.left, **({"status": status} if status else {})}
        return ToolResult(call_id=inner.text("toolUseId"), content=content, is_error=status == "error", extra=extra)
    if kind in ("image", "document", "video", "audio"):
        return _read_media(kind, inner, raw)
    return Opaque(dialect=NAME, type=kind, raw=raw)


def _read_reasoning(block: Fields, model: str) -> Block:
    inner = block.required("reasoningContent", block.fields("reasoningContent"))
    family = family_of("", model) or CLAUDE
    redacted = inner.maybe_text("redactedContent")
    if redacted is not None:
        own = Proof(kind="redacted", value=redacted, family=family, model=model)
        return Reasoning(proof=unseal(redacted, own))
    told = inner.fields("reasoningText") or Fields({})
    signature = told.text("signature")
    own = Proof(kind="signature", value=signature, family=family, model=model)
    return Reasoning(text=told.text("text"), proof=unseal(signature, own) if signature else None)


def _read_cited(block: Fields) -> Block:
    inner = block.required("citationsContent", block.fields("citationsContent"))
    text = "".join(text_of(part, "text") for part in inner.items("content") if type(part) is dict)
    citations = tuple(read_citation(one) for one in inner.items("citations") if type(one) is dict)
    return Text(text=text, citations=citations, extra={"_cited": True})


def read_citation(raw: Json) -> Citation:
    """A citation."""
    location: Any = raw.get("location")
    web: Any = location.get("web") if type(location) is dict else None
    quoted = [text_of(part, "text") for part in objects_of(raw, "sourceContent")]
    url = text_of(web, "url") if type(web) is dict else ""
    return Citation(url=url, title=text_of(raw, "title"), cited_text="".join(quoted), extra=raw)


def _read_media(kind: str, inner: Fields, raw: Json) -> Block:
    form = inner.text("format")
    told = inner.fields("source") or Fields({})
    kind_of = TYPES.get(form, f"{kind}/{form}" if kind != "document" else f"application/{form}")
    data, place = told.maybe_text("bytes"), told.mapping("s3Location")
    if data is not None:
        source = Source(media_type=kind_of, data=data)
    elif place is not None:
        source = Source(media_type=kind_of, url=text_of(place, "uri"))
    elif type(told.left.get("text")) is str:
        source = Source(media_type=kind_of, text=told.text("text"))
    else:
        return Opaque(dialect=NAME, type=kind, raw=raw)
    extra: Json = {**inner.left, "_format": form, **({"_place": place} if place is not None else {})}
    if kind == "image":
        return Image(source=source, extra=extra)
    if kind == "video":
        return Video(source=source, extra=extra)
    if kind == "audio":
        return Audio(source=source, format=form, extra=extra)
    cited = inner.fields("citations")
    extra = {**inner.left, "_format": form, **({"_place": place} if place is not None else {})}
    citations = cited is not None and cited.flag("enabled") is True
    name, context = text_of(extra, "name"), text_of(extra, "context")
    extra = {key: value for key, value in extra.items() if key not in ("name", "context")}
    return Document(source=source, name=name, context=context, citations=citations, extra=extra)


# Written ----------------------------------------------------------------------------------------------------------


def input_of(call: ToolCall) -> Json:
    """A call's arguments as the object that the dialect has for them."""
    value = object_of(call.arguments)
    return {"_raw": call.arguments} if value is None else value


def with_points(block: Block, written: list[Json]) -> list[Json]:
    """What was written of a block, with its mark for the prompt cache behind it."""
    mark = getattr(block, "cache", None)
    if mark is None or not written:
        return written
    return [*written, {"cachePoint": {"type": "default", **({"ttl": mark} if mark else {})}}]


def write_reasoning(block: Reasoning) -> Json:
    """A thought; what another family has proved is sealed into the signature."""
    proof = block.proof
    if proof is None:
        return {"reasoningContent": {"reasoningText": {"text": block.text}}}
    if proof.kind == "redacted" and proof.family == CLAUDE:
        return {"reasoningContent": {"redactedContent": proof.value}}
    native = proof.kind == "signature" and proof.family in (CLAUDE, "")
    told = {"text": block.text, "signature": proof.value if native else seal(proof)}
    return {"reasoningContent": {"reasoningText": told}}


def write_media(kind: str, block: Image | Audio | Video | Document) -> Json | None:
    """Data of a kind that the dialect takes; ``None`` where it does not, or where it would have to be fetched."""
    source = block.source
    form = block.extra.get("_format") or FORMATS.get(source.media_type)
    place: Json | None = block.extra.get("_place")
    if source.data is not None and form is not None:
        return {kind: {"format": form, "source": {"bytes": source.data}}}
    if source.url is not None and source.url.startswith("s3://"):
        named = form or source.url.rpartition(".")[2]
        return {kind: {"format": named, "source": {"s3Location": place or {"uri": source.url}}}}
    if kind == "document" and source.text is not None:
        return {kind: {"format": form or "txt", "source": {"text": source.text}}}
    return None


def write_citation(citation: Citation, *, own: bool = False) -> Json:
    """A citation; ``own``: of this dialect, as it was."""
    if own:
        return citation.extra
    written: Json = {"title": citation.title}
    if citation.cited_text:
        written["sourceContent"] = [{"text": citation.cited_text}]
    if citation.url:
        written["location"] = {"web": {"url": citation.url}}
    return written


def own_block(block: Block) -> Json:
    """A block of this dialect, as it was."""
    if isinstance(block, Opaque):
        return block.raw
    if isinstance(block, Reasoning):
        return write_reasoning(block)
    extra: Json = {name: value for name, value in block.extra.items() if not name.startswith("_")}
    if isinstance(block, ToolCall):
        return {"toolUse": {"toolUseId": block.id, "name": block.name, "input": input_of(block), **extra}}
    if isinstance(block, ToolResult):
        content = [written for part in block.content for written in own_blocks((part,))]
        return {"toolResult": {"toolUseId": block.call_id, "content": content, **extra}}
    if isinstance(block, Image | Audio | Video | Document):
        kind = type(block).__name__.lower()
        written = write_media(kind, block) or {kind: {}}
        if isinstance(block, Document):
            named: Json = {"name": block.name, "context": block.context}
            extra = {name: value for name, value in named.items() if value} | extra
            if block.citations:
                extra["citations"] = {"enabled": True}
        return {kind: {**written[kind], **extra}}
    if isinstance(block, Text) and block.extra.get("_cited"):
        citations = [write_citation(citation, own=True) for citation in block.citations]
        return {"citationsContent": {"content": [{"text": block.text}], "citations": citations}}
    return {"text": block.text, **extra}


def own_blocks(blocks: tuple[Block, ...]) -> list[Json]:
    """Blocks of this dialect, with the marks behind them."""
    return [written for block in blocks for written in with_points(block, [own_block(block)])]
